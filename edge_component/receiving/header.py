"""What the manifest and the index need of a data set's header; pixels are never touched."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

from pydicom import config
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from dicom_ingest.contracts.attributes import ATTRIBUTES
from dicom_ingest.contracts.uids import UnsafeIdentifierError, safe_uid, uid_findings
from edge_component.receiving.elements import Elements, ElementWalk
from edge_component.receiving.plain import plain_json

IMPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
DEFLATED = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205")
INFLATE_LIMIT = 16 * 1024 * 1024
"""Of a deflated data set so much is inflated in search of the header: a few kilobytes may claim gigabytes."""

PRESENT_ONLY = frozenset(Tag(a.tag) for a in ATTRIBUTES if a.kind == "present")
WANTED = frozenset(Tag(a.tag) for a in ATTRIBUTES) | {Tag("ModalitiesInStudy")}
STUDY, SERIES, SOP, SOP_CLASS = (
    Tag(keyword) for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
)
INDEXED = WANTED - PRESENT_ONLY
UIDS = [(int(tag), keyword_for_tag(tag)) for tag in (STUDY, SERIES, SOP, SOP_CLASS)]
READ: list[BaseTag | int] = [*INDEXED, STUDY, SERIES, SOP, SOP_CLASS]
WALKED = frozenset(int(tag) for tag in READ)
NOTED = frozenset(int(tag) for tag in PRESENT_ONLY)
WALKED_INDEXED = frozenset(int(tag) for tag in INDEXED)
VRS = {int(tag): dictionary_VR(tag).encode("ascii") for tag in INDEXED}
CHARSET, MODALITY = int(Tag("SpecificCharacterSet")), int(Tag("Modality"))
LAST = max(WANTED)
LARGEST_VALUE = 4 * 1024 * 1024
"""A longer value is left out: a header may claim any length."""
LONGEST_REMEMBERED, MOST_REMEMBERED = 256, 2048
"""Bytes of an element whose text is remembered, and how many are."""
UNREADABLE = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pydicom raises on bytes that are not what they claim to be."""
config.settings.reading_validation_mode = config.IGNORE  # what a VR forbids is the index's business
BYTES_VRS = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))


class HeaderError(ValueError):
    """The data set cannot be parsed or lacks a UID; the message says which, and never quotes names."""


class Header(NamedTuple):
    """Identity of an instance and its indexed attributes in the DICOM JSON model (PS3.18 F.2)."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    modality: str | None
    uid_findings: tuple[str, ...]
    attributes: str


ELEMENTS = {
    implicit: Elements(implicit=implicit, wanted=WALKED, noted=NOTED, last=int(LAST))
    for implicit in (False, True)
}


def header_walk(transfer_syntax_uid: str) -> ElementWalk | None:
    """Reads the header as it passes; None: the encoding is not one that it knows."""
    if transfer_syntax_uid in (BIG_ENDIAN, *DEFLATED):
        return None
    return ElementWalk(ELEMENTS[transfer_syntax_uid == IMPLICIT])


def walked_header(walk: ElementWalk) -> Header | None:
    """The header that has passed, the same as `read_header` finds; None: it was not plain, read it.

    Raises:
        HeaderError: a UID is missing or unsafe.
    """
    if not walk.complete:
        return None
    found = walk.found
    charset = found.get(CHARSET) or b""
    texts = _texts(charset, walk.implicit)
    modality: object = None
    parts = []
    for tag in sorted(found):
        element = found[tag]
        if element is None:
            parts.append(f'"{tag:08X}":{{"vr":"SQ"}}')
        elif tag in WALKED_INDEXED:
            text = texts.get(element) or _remembered(texts, tag, element, charset, walk.implicit)
            parts.append(text)
            if tag == MODALITY:
                modality = _modality(text)
    return _header(walk.value, modality, f"{{{','.join(parts)}}}")


def read_header(stream: BinaryIO, transfer_syntax_uid: str) -> Header:
    """The header of the data set that begins where the stream stands.

    Raises:
        HeaderError: unparsable, or a UID is missing or unsafe.
    """
    syntax = UID(transfer_syntax_uid)
    if transfer_syntax_uid in DEFLATED:
        stream = _inflated(stream)
    present: set[BaseTag] = set()

    def stop(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        if tag in PRESENT_ONLY:
            present.add(tag)
        return bool(tag > LAST)

    try:
        ds = read_dataset(
            stream,
            syntax == IMPLICIT,
            syntax != BIG_ENDIAN,
            stop_when=stop,
            specific_tags=READ,
            defer_size=LARGEST_VALUE,
        )
    except UNREADABLE as error:
        raise HeaderError(
            f"the data set cannot be parsed as {syntax.name}: {type(error).__name__}"
        ) from error
    attributes = _attributes(ds, present)
    modality = attributes.get(f"{MODALITY:08X}", {}).get("Value", [None])[0]
    return _header(lambda tag: _raw_value(ds, Tag(tag)), modality, _text(attributes))


def _header(value: Callable[[int], bytes | str | None], modality: object, attributes: str) -> Header:
    checked = [_checked_uid(value(tag), name) for tag, name in UIDS]
    study, series, sop, sop_class = [uid for uid, _ in checked]
    findings = tuple([finding for _, found in checked for finding in found])
    named = encodable(str(modality)[:16]) if modality else None
    return Header(study, series, sop, sop_class, named, findings, attributes)


def encodable(text: str) -> str:
    """What UTF-8 can encode, whatever a decoder made of the bytes."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _raw_value(ds: Dataset, tag: BaseTag) -> bytes | str | None:
    if tag not in ds:
        return None
    raw = ds.get_item(tag, keep_deferred=True)
    value = raw.value if raw is not None else None
    return value if isinstance(value, bytes) else str(value or "")


@lru_cache(maxsize=256)
def _checked_uid(value: bytes | str | None, name: str) -> tuple[str, list[str]]:
    if value is None:
        raise HeaderError(f"{name} is missing")
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not text.strip("\0 "):
        raise HeaderError(f"{name} is empty")
    try:
        uid = safe_uid(text)
    except UnsafeIdentifierError as error:
        raise HeaderError(f"{name}: {error}") from error
    return uid, [f"{name}: {finding}" for finding in uid_findings(uid)]


def _text(attributes: dict[str, Any]) -> str:
    """JSON that UTF-8 can encode, whatever a decoder made of the bytes."""
    return encodable(json.dumps(attributes, ensure_ascii=False, separators=(",", ":"), sort_keys=True))


@lru_cache(maxsize=8)
def _texts(_charset: bytes, _implicit: bool) -> dict[bytes, str]:
    """What elements were made of: most are those of the series' instance before."""
    return {}


def _remembered(texts: dict[bytes, str], tag: int, element: bytes, charset: bytes, implicit: bool) -> str:
    text = f'"{tag:08X}":{_walked_json(tag, element, charset, implicit)}'
    if len(element) <= LONGEST_REMEMBERED:
        if len(texts) >= MOST_REMEMBERED:
            texts.clear()
        texts[element] = text
    return text


def _walked_json(tag: int, element: bytes, charset: bytes, implicit: bool) -> str:
    if tag != CHARSET and (plain := plain_json(VRS[tag] if implicit else element[4:6], element[8:])):
        return plain
    stream = io.BytesIO(element if tag == CHARSET else charset + element)
    try:
        ds = read_dataset(stream, implicit, True)
    except UNREADABLE as error:
        raise HeaderError(f"the data set cannot be parsed: {type(error).__name__}") from error
    return _text(_json(ds, Tag(tag)))


@lru_cache(maxsize=64)
def _modality(text: str) -> object:
    return json.loads(f"{{{text}}}")[f"{MODALITY:08X}"].get("Value", [None])[0]


def _inflated(stream: BinaryIO) -> BinaryIO:
    """The beginning of a deflated data set (PS3.5 A.5)."""
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    out = bytearray()
    try:
        while len(out) < INFLATE_LIMIT and not inflate.eof and (piece := stream.read(65536)):
            out += inflate.decompress(piece, INFLATE_LIMIT - len(out))
    except zlib.error as error:
        raise HeaderError("the data set is not deflated as its transfer syntax says") from error
    return io.BytesIO(out)


def _attributes(ds: Dataset, present: set[BaseTag]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {f"{tag:08X}": {"vr": "SQ"} for tag in present}
    for tag in INDEXED:
        if tag in ds:
            found[f"{tag:08X}"] = _json(ds, tag)
    return found


def _json(ds: Dataset, tag: BaseTag) -> dict[str, Any]:
    """One element in the DICOM JSON model; a value that its VR does not allow is kept as text."""
    return _converted(ds, tag, ds.get_item(tag, keep_deferred=True))


def _converted(ds: Dataset, tag: BaseTag, raw: DataElement | RawDataElement | None) -> dict[str, Any]:
    try:
        element = ds[tag]
        if element.VR in BYTES_VRS:
            return {"vr": element.VR}
        found: dict[str, Any] = element.to_json_dict(None, 0)
        json.dumps(found, allow_nan=False)
    except UNREADABLE:
        return _as_text(raw)
    return found


def _as_text(raw: DataElement | RawDataElement | None) -> dict[str, Any]:
    value = raw.value if raw is not None else None
    vr = str(raw.VR or "UN") if raw is not None else "UN"
    if not isinstance(value, bytes):
        return {"vr": vr}
    text = value.decode("utf-8", errors="replace").strip("\0 ")
    return {"vr": vr, "Value": text.split("\\")} if text else {"vr": vr}
