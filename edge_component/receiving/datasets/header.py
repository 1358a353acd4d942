"""What the manifest and the index need of a data set's header; pixels are never touched."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from dicom_ingest.contracts.attributes import ATTRIBUTES
from dicom_ingest.contracts.uids import UnsafeIdentifierError, safe_uid, uid_findings
from edge_component.receiving.datasets.elements import ElementWalk
from edge_component.receiving.datasets.errors import DataSetError
from edge_component.receiving.datasets.kinds import LONG_VRS, VRS, Elements
from edge_component.receiving.datasets.preflight import (
    ALL_PIXEL_DATA,
    MOST,
    PIXEL_DESCRIPTION,
    Foretold,
    misfit,
    pixels,
)
from edge_component.receiving.datasets.values import converted, encodings, plain_json
from edge_component.running.buffers import Bytes

IMPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
DEFLATED = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205")
INFLATED_PER_STEP = 512
"""Bytes that are inflated for the price of an element: a few kilobytes may claim gigabytes."""
READ_BYTES = 64 * 1024

PRESENT_ONLY = frozenset(int(a.tag, 16) for a in ATTRIBUTES if a.kind == "present")
WANTED = frozenset(int(a.tag, 16) for a in ATTRIBUTES)
INDEXED = WANTED - PRESENT_ONLY


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return tag


STUDY, SERIES, SOP, SOP_CLASS = (
    _tag(keyword) for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
)
CHARSET, MODALITY = _tag("SpecificCharacterSet"), _tag("Modality")
UIDS = [(tag, keyword_for_tag(tag)) for tag in (STUDY, SERIES, SOP, SOP_CLASS)]
INDEXED_VRS = {tag: dictionary_VR(tag).encode("ascii") for tag in INDEXED}
LONGEST_REMEMBERED, MOST_REMEMBERED = 256, 2048
"""Bytes of an element whose text is remembered, and how many are."""


class HeaderError(ValueError):
    """The data set cannot be parsed or lacks a UID; the message says which, and never quotes names."""


class Header(NamedTuple):
    """Identity of an instance and its indexed attributes in the DICOM JSON model (PS3.18 F.2)."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    modality: str | None
    findings: tuple[str, ...]
    """What is not as the standard wants it, and was stored all the same."""
    attributes: str
    foretold: tuple[Foretold, ...] = ()
    """What HealthImaging will refuse, or warn about."""


def _elements(*, implicit: bool, big: bool = False) -> Elements:
    vital = frozenset(tag for tag, _ in UIDS)
    return Elements(
        implicit=implicit,
        big=big,
        wanted=INDEXED | vital | set(PIXEL_DESCRIPTION),
        noted=PRESENT_ONLY | ALL_PIXEL_DATA,
        vital=vital,
    )


IMPLICIT_ELEMENTS, EXPLICIT_ELEMENTS = _elements(implicit=True), _elements(implicit=False)
BIG_ELEMENTS = _elements(implicit=False, big=True)


class HeaderWalk:
    """Reads the header as the data set passes, and sees whether it is whole.

    `spent` hears what a deflated data set costs, in steps, as it is inflated; it may wait.
    """

    def __init__(self, transfer_syntax_uid: str, spent: Callable[[int], None] = lambda _steps: None) -> None:
        if transfer_syntax_uid == IMPLICIT:
            elements = IMPLICIT_ELEMENTS
        else:
            elements = BIG_ELEMENTS if transfer_syntax_uid == BIG_ENDIAN else EXPLICIT_ELEMENTS
        self._walk = ElementWalk(elements)
        self._syntax = transfer_syntax_uid
        self._inflate = Inflate() if transfer_syntax_uid in DEFLATED else None
        self._spent = spent
        self._error: str | None = None
        """Its words: the error itself would keep the connection's buffers alive."""

    @property
    def steps(self) -> int:
        """What it has cost: elements so far, those of a deflated data set apart."""
        return self._walk.steps if self._inflate is None else 0

    def feed(self, data: Bytes, *, whole: bool = False) -> None:
        """The next piece; `whole`: it is the whole data set."""
        if self._error is not None:
            return
        try:
            if self._inflate is not None:
                for piece in self._inflate.pieces(data):
                    before = self._walk.steps
                    self._walk.feed(piece)
                    self._spent(self._walk.steps - before + len(piece) // INFLATED_PER_STEP)
            else:
                self._walk.feed(data, whole=whole)
        except DataSetError as error:
            self._error = str(error)

    def end(self) -> Header:
        """The header, when there is no more.

        Raises:
            HeaderError: the data set is cut off, not encoded as was agreed on, or lacks a UID.
        """
        if self._error is not None:
            raise HeaderError(self._error)
        try:
            if self._inflate is not None:
                self._inflate.end()
            self._walk.end()
        except DataSetError as error:
            raise HeaderError(str(error)) from error
        return _header(self._walk, self._syntax)


class Inflate:
    """A deflated data set (PS3.5 A.5)."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)

    def pieces(self, data: Bytes) -> Iterator[bytes]:
        """What the next piece holds.

        Raises:
            DataSetError: it is not deflated.
        """
        try:
            while data and not self._stream.eof:
                yield self._stream.decompress(data, READ_BYTES)
                data = self._stream.unconsumed_tail
        except zlib.error as error:
            raise DataSetError("the data set is not deflated as its transfer syntax says") from error

    def end(self) -> None:
        """There is no more.

        Raises:
            DataSetError: it is cut off.
        """
        if not self._stream.eof:
            raise DataSetError("the deflated data set is cut off")


def read_header(stream: BinaryIO, transfer_syntax_uid: str) -> Header:
    """The header of the data set from where the stream is to its end.

    Raises:
        HeaderError: cut off, not encoded as its transfer syntax says, or a UID is missing or unsafe.
    """
    walk = HeaderWalk(transfer_syntax_uid)
    while piece := stream.read(READ_BYTES):
        walk.feed(piece)
    return walk.end()


def _header(walk: ElementWalk, transfer_syntax_uid: str) -> Header:
    found = walk.kept.found
    checked = [_checked_uid(walk.value(tag), name) for tag, name in UIDS]
    charset, elements = found.get(CHARSET) or b"", walk.elements
    texts = _texts(charset, elements)
    modality: str | None = None
    parts = []
    for tag in sorted(found):
        element = found[tag]
        if element is None:
            if tag in PRESENT_ONLY:
                parts.append(f'"{tag:08X}":{{"vr":"SQ"}}')
        elif tag in INDEXED:
            text = texts.get(element) or _remembered(texts, walk, tag, element)
            parts.append(text)
            if tag == MODALITY:
                modality = _modality(text)
    study, series, sop, sop_class = [uid for uid, _ in checked]
    findings = tuple([finding for _, about in checked for finding in about] + walk.kept.findings)
    return Header(
        study,
        series,
        sop,
        sop_class,
        modality,
        findings,
        f"{{{','.join(parts)}}}",
        _foretold(walk, transfer_syntax_uid, [about for _, about in checked[:3]]),
    )


def _foretold(
    walk: ElementWalk, transfer_syntax_uid: str, about_uids: list[list[str]]
) -> tuple[Foretold, ...]:
    """`about_uids`: findings of the UIDs of study, series and instance."""
    about = pixels(walk.kept.found, walk.kept.sizes, transfer_syntax_uid, big=walk.elements.big)
    found = [about] if about else []
    if any(about_uids):
        named = zip(UIDS, about_uids, strict=False)
        found += [Foretold("uid_format", f"{tag:08X}") for (tag, _), findings in named if findings]
    if doubtful := walk.kept.doubtful:
        charset, elements = walk.kept.found.get(CHARSET), walk.elements
        found += [about for element in doubtful if (about := _misfit(element, elements, charset))]
    return tuple(found[:MOST])


@lru_cache(maxsize=64)  # an element may have 64 KiB
def _misfit(element: bytes, elements: Elements, charset: bytes | None) -> Foretold | None:
    """What is wrong with an element whose length needed a look. `charset`: that element, encoded."""
    terms = None if charset is None else elements.value(charset)
    return misfit(elements.tag(element, 0), elements.vr(element), elements.value(element), terms)


def encodable(text: str) -> str:
    """What UTF-8 can encode, whatever a decoder made of the bytes."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


@lru_cache(maxsize=256)
def _checked_uid(value: bytes | None, name: str) -> tuple[str, list[str]]:
    if value is None:
        raise HeaderError(f"{name} is missing")
    text = value.decode("latin-1")
    if not text.strip("\0 "):
        raise HeaderError(f"{name} is empty")
    try:
        uid = safe_uid(text)
    except UnsafeIdentifierError as error:
        raise HeaderError(f"{name}: {error}") from error
    return uid, [f"{name}: {finding}" for finding in uid_findings(uid)]


@lru_cache(maxsize=8)
def _texts(_charset: bytes, _elements: Elements) -> dict[bytes, str]:
    """What elements were made of: most are those of the series' instance before."""
    return {}


def _remembered(texts: dict[bytes, str], walk: ElementWalk, tag: int, element: bytes) -> str:
    text = f'"{tag:08X}":{_json(walk, tag, element)}'
    if len(element) <= LONGEST_REMEMBERED:
        if len(texts) >= MOST_REMEMBERED:
            texts.clear()
        texts[element] = text
    return text


def _json(walk: ElementWalk, tag: int, element: bytes) -> str:
    elements = walk.elements
    vr = b"" if elements.implicit else element[4:6]
    value = element[12 if vr in LONG_VRS else 8 :]
    if vr not in VRS:
        vr = INDEXED_VRS[tag]
    if tag != CHARSET and (plain := plain_json(vr, value, big=elements.big)):
        return plain
    charset = encodings(walk.value(CHARSET))
    found = converted(tag, vr.decode("ascii"), value, charset, implicit=elements.implicit, big=elements.big)
    return _text(found)


def _text(found: dict[str, Any]) -> str:
    """JSON that UTF-8 can encode, whatever a decoder made of the bytes."""
    return encodable(json.dumps(found, ensure_ascii=False, separators=(",", ":"), sort_keys=True))


@lru_cache(maxsize=64)
def _modality(text: str) -> str | None:
    first = json.loads(f"{{{text}}}")[f"{MODALITY:08X}"].get("Value", [None])[0]
    return encodable(str(first)[:16]) if first else None
