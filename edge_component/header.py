"""What the manifest and the index need of a data set's header; pixels are never touched."""

from __future__ import annotations

import io
import json
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO

from pydicom import config
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from dicom_ingest.contracts.attributes import ATTRIBUTES
from dicom_ingest.contracts.identifiers import UnsafeIdentifierError, safe_uid, uid_findings

DEFLATED = "1.2.840.10008.1.2.1.99"
JPIP_DEFLATED = ("1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205")
INFLATE_LIMIT = 16 * 1024 * 1024
"""Of a deflated data set so much is inflated in search of the header: a few kilobytes may claim gigabytes."""

PRESENT_ONLY = frozenset(Tag(a.tag) for a in ATTRIBUTES if a.kind == "present")
WANTED = frozenset(Tag(a.tag) for a in ATTRIBUTES) | {Tag("ModalitiesInStudy")}
STUDY, SERIES, SOP, SOP_CLASS = (
    Tag(keyword) for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
)
READ: list[BaseTag | int] = [*WANTED - PRESENT_ONLY, STUDY, SERIES, SOP, SOP_CLASS]
LAST = max(WANTED)
LARGEST_VALUE = 4 * 1024 * 1024
"""A longer value is left out: a header may claim any length."""
UNREADABLE = (
    ArithmeticError,
    AttributeError,
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
PLAIN_VRS = frozenset(
    (
        *("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT"),
        *("PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US"),
    )
)
"""A value of these means the same wherever it stands (in a data set of the same character set)."""
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


def read_header(stream: BinaryIO, transfer_syntax_uid: str) -> Header:
    """The header of the data set that begins where the stream stands.

    Raises:
        HeaderError: unparsable, or a UID is missing or unsafe.
    """
    syntax = UID(transfer_syntax_uid)
    if transfer_syntax_uid == DEFLATED or transfer_syntax_uid in JPIP_DEFLATED:
        stream = _inflated(stream)
    implicit = syntax == "1.2.840.10008.1.2"
    little = syntax != "1.2.840.10008.1.2.2"
    present: set[BaseTag] = set()

    def stop(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        if tag in PRESENT_ONLY:
            present.add(tag)
        return bool(tag > LAST)

    try:
        ds = read_dataset(
            stream, implicit, little, stop_when=stop, specific_tags=READ, defer_size=LARGEST_VALUE
        )
    except UNREADABLE as error:
        raise HeaderError(
            f"the data set cannot be parsed as {syntax.name}: {type(error).__name__}"
        ) from error
    findings: list[str] = []
    attributes = _attributes(ds, present)
    modality = attributes.get("00080060", {}).get("Value", [None])[0]
    return Header(
        study_instance_uid=_uid(ds, STUDY, findings),
        series_instance_uid=_uid(ds, SERIES, findings),
        sop_instance_uid=_uid(ds, SOP, findings),
        sop_class_uid=_uid(ds, SOP_CLASS, findings),
        modality=str(modality)[:16] if modality else None,
        uid_findings=tuple(findings),
        attributes=_text(attributes),
    )


def _text(attributes: dict[str, dict[str, Any]]) -> str:
    """JSON that UTF-8 can encode, whatever a decoder made of the bytes."""
    text = json.dumps(attributes, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode("utf-8", errors="replace").decode("utf-8")


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


def _uid(ds: Dataset, tag: BaseTag, findings: list[str]) -> str:
    name = keyword_for_tag(tag)
    if tag not in ds:
        raise HeaderError(f"{name} is missing")
    raw = ds.get_item(tag, keep_deferred=True)
    value = raw.value if raw is not None else None
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    if not text.strip("\0 "):
        raise HeaderError(f"{name} is empty")
    try:
        uid = safe_uid(text)
    except UnsafeIdentifierError as error:
        raise HeaderError(f"{name}: {error}") from error
    findings += [f"{name}: {finding}" for finding in uid_findings(uid)]
    return uid


def _attributes(ds: Dataset, present: set[BaseTag]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {f"{tag:08X}": {"vr": "SQ"} for tag in present}
    for tag in WANTED - PRESENT_ONLY:
        if tag in ds:
            found[f"{tag:08X}"] = _json(ds, tag)
    return found


def _json(ds: Dataset, tag: BaseTag) -> dict[str, Any]:
    """One element in the DICOM JSON model; a value that its VR does not allow is kept as text."""
    raw = ds.get_item(tag, keep_deferred=True)
    if isinstance(raw, RawDataElement) and raw.VR in PLAIN_VRS and isinstance(raw.value, bytes):
        charset = ds.original_character_set
        encodings = (charset,) if isinstance(charset, str) else tuple(charset)
        return _plain_json(tag, raw.VR, raw.value, raw.is_little_endian, encodings)
    return _converted(ds, tag, raw)


@lru_cache(maxsize=8192)
def _plain_json(
    tag: BaseTag, vr: str, value: bytes, is_little_endian: bool, encodings: tuple[str, ...]
) -> dict[str, Any]:
    """Remembered: most values are those of the series' instance before, and converting them costs most."""
    ds = Dataset()
    ds.set_original_encoding(False, is_little_endian, list(encodings))
    raw = RawDataElement(tag, vr, len(value), value, 0, False, is_little_endian)
    ds[tag] = raw
    return _converted(ds, tag, raw)


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
