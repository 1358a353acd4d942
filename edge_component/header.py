"""What the manifest and the index need of a data set's header; pixels are never touched."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO

from pydicom import config
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from dicom_ingest.contracts.attributes import ATTRIBUTES
from dicom_ingest.contracts.uids import UnsafeIdentifierError, safe_uid, uid_findings
from edge_component.elements import ElementWalk

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
READ: list[BaseTag | int] = [*INDEXED, STUDY, SERIES, SOP, SOP_CLASS]
WALKED = frozenset(int(tag) for tag in READ)
NOTED = frozenset(int(tag) for tag in PRESENT_ONLY)
WALKED_INDEXED = frozenset(int(tag) for tag in INDEXED)
CHARSET, MODALITY = int(Tag("SpecificCharacterSet")), int(Tag("Modality"))
LAST = max(WANTED)
LARGEST_VALUE = 4 * 1024 * 1024
"""A longer value is left out: a header may claim any length."""
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


@dataclass(frozen=True)
class Header:
    """Identity of an instance and its indexed attributes in the DICOM JSON model (PS3.18 F.2)."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    modality: str | None
    uid_findings: tuple[str, ...]
    attributes: str


def header_walk(transfer_syntax_uid: str) -> ElementWalk | None:
    """Reads the header as it passes; None: the encoding is not one that it knows."""
    if transfer_syntax_uid in (BIG_ENDIAN, *DEFLATED):
        return None
    implicit = transfer_syntax_uid == IMPLICIT
    return ElementWalk(implicit=implicit, wanted=WALKED, noted=NOTED, last=int(LAST))


def walked_header(walk: ElementWalk) -> Header | None:
    """The header that has passed, the same as `read_header` finds; None: it was not plain, read it.

    Raises:
        HeaderError: a UID is missing or unsafe.
    """
    if not walk.complete:
        return None
    charset = walk.elements.get(CHARSET, (b"", 0))[0]
    texts = dict.fromkeys(walk.noted, '{"vr":"SQ"}')
    for tag, (element, _) in walk.elements.items():
        if tag in WALKED_INDEXED:
            texts[tag] = _walked_json(tag, element, charset, walk.implicit)
    attributes = ",".join([f'"{tag:08X}":{texts[tag]}' for tag in sorted(texts)])

    def value(tag: int) -> bytes | None:
        element, at = walk.elements.get(tag, (None, 0))
        return None if element is None else element[at:]

    return _header(value, _modality(texts.get(MODALITY, "{}")), f"{{{attributes}}}")


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
    findings: list[str] = []
    return Header(
        study_instance_uid=_uid(value(STUDY), STUDY, findings),
        series_instance_uid=_uid(value(SERIES), SERIES, findings),
        sop_instance_uid=_uid(value(SOP), SOP, findings),
        sop_class_uid=_uid(value(SOP_CLASS), SOP_CLASS, findings),
        modality=encodable(str(modality)[:16]) if modality else None,
        uid_findings=tuple(findings),
        attributes=attributes,
    )


def encodable(text: str) -> str:
    """What UTF-8 can encode, whatever a decoder made of the bytes."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _raw_value(ds: Dataset, tag: BaseTag) -> bytes | str | None:
    if tag not in ds:
        return None
    raw = ds.get_item(tag, keep_deferred=True)
    value = raw.value if raw is not None else None
    return value if isinstance(value, bytes) else str(value or "")


def _uid(value: bytes | str | None, tag: BaseTag, findings: list[str]) -> str:
    name = keyword_for_tag(tag)
    if value is None:
        raise HeaderError(f"{name} is missing")
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not text.strip("\0 "):
        raise HeaderError(f"{name} is empty")
    try:
        uid = safe_uid(text)
    except UnsafeIdentifierError as error:
        raise HeaderError(f"{name}: {error}") from error
    findings += [f"{name}: {finding}" for finding in uid_findings(uid)]
    return uid


def _text(attributes: dict[str, Any]) -> str:
    """JSON that UTF-8 can encode, whatever a decoder made of the bytes."""
    return encodable(json.dumps(attributes, ensure_ascii=False, separators=(",", ":"), sort_keys=True))


@lru_cache(maxsize=8192)
def _walked_json(tag: int, element: bytes, charset: bytes, implicit: bool) -> str:
    """An element's JSON. Remembered: most values are those of the series' instance before."""
    stream = io.BytesIO(element if tag == CHARSET else charset + element)
    try:
        ds = read_dataset(stream, implicit, True)
    except UNREADABLE as error:
        raise HeaderError(f"the data set cannot be parsed: {type(error).__name__}") from error
    return _text(_json(ds, Tag(tag)))


@lru_cache(maxsize=64)
def _modality(attribute: str) -> object:
    return json.loads(attribute).get("Value", [None])[0]


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
