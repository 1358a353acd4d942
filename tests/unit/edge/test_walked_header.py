"""The header read as it passes is the header that pydicom reads, or it is not read at all."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filereader import dcmread, read_dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID

from edge_component.receiving.header import (
    CHARSET,
    VRS,
    Header,
    HeaderError,
    _json,
    header_walk,
    read_header,
    walked_header,
)
from edge_component.receiving.plain import plain_json
from tests.support.edge_dicom import encoded, instance

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
FILES = sorted((Path(__file__).parents[3] / "dcmdata").rglob("*.dcm"))


def passed(data: bytes, syntax: str, piece: int) -> Header | None:
    walk = header_walk(syntax)
    assert walk is not None
    for start in range(0, len(data), piece):
        walk.feed(memoryview(data)[start : start + piece])
    return walked_header(walk)


def outcome(data: bytes, syntax: str) -> Header | str:
    try:
        return read_header(io.BytesIO(data), syntax)
    except HeaderError:
        return "refused"


def walked_outcome(data: bytes, syntax: str, piece: int) -> Header | str | None:
    try:
        return passed(data, syntax, piece)
    except HeaderError:
        return "refused"


def nested(*, undefined: bool) -> Dataset:
    inner, outer = Dataset(), Dataset()
    inner.CodeValue, inner.CodeMeaning = "T-A0100", "Brain"
    inner.is_undefined_length_sequence_item = undefined
    outer.CodeValue = "T-1"
    outer.AnatomicRegionModifierSequence = Sequence([inner])
    outer["AnatomicRegionModifierSequence"].is_undefined_length = undefined
    outer.is_undefined_length_sequence_item = undefined
    ds = instance(AnatomicRegionSequence=Sequence([outer]), PatientName="Wang^XiaoDong=\u738b^\u5c0f\u4e1c")
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds["AnatomicRegionSequence"].is_undefined_length = undefined
    return ds


VALUES = st.one_of(
    st.integers(-(10**10), 10**10).map(lambda n: str(n).encode()),
    st.decimals(-(10**10), 10**10, places=3).map(lambda n: str(n).encode()),
    st.sampled_from(
        [b"", b" ", b"\0", b"1\0", b" 1", b"1 ", b"+1", b"-0", b"1.", b".5", b"007", b"1e5", b"1-2"]
    ),
    st.sampled_from(
        [b"1.50", b"12\\13", b"20261122", b"235959.999", b"20261122235959+0100", b"M", b"m", b"A B "]
    ),
    st.sampled_from([b"ORIGINAL\\PRIMARY", b'"', b"\xe9", b"HFS", b"012Y"]),
    st.binary(max_size=6),
)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@settings(max_examples=150, deadline=None)
@given(value=VALUES)
def test_a_value_is_told_from_its_bytes_as_pydicom_tells_it(syntax: str, value: bytes) -> None:
    value += b" " * (len(value) % 2)
    found = []
    for tag, vr in VRS.items() - {(CHARSET, b"CS")}:
        implicit = syntax == IMPLICIT
        head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
        length = struct.pack("<L", len(value)) if implicit else vr + struct.pack("<H", len(value))
        if (plain := plain_json(vr, value)) is not None:
            ds = read_dataset(io.BytesIO(head + length + value), implicit, True)
            found.append((tag, plain, json.dumps(_json(ds, Tag(tag)), sort_keys=True, separators=(",", ":"))))
    assert [each for each in found if each[1] != each[2]] == []


def test_most_of_what_differs_within_a_series_is_plain() -> None:
    given = {
        b"IS": b"12",
        b"DS": b"-1.5",
        b"TM": b"235959.1",
        b"DA": b"20261122",
        b"US": b"\0\2",
        b"CS": b"HFS ",
    }
    assert all(plain_json(vr, value) for vr, value in given.items())


WHOLE = [encoded(nested(undefined=undefined)) for undefined in (True, False)]


@pytest.mark.parametrize("piece", [1, 7, 100, 131_072])
@pytest.mark.parametrize("path", FILES[::9], ids=lambda path: path.stem[-12:])
def test_every_kind_of_file_in_dcmdata(path: Path, piece: int) -> None:
    ds = dcmread(path)
    data, syntax = encoded(ds), str(ds.file_meta.TransferSyntaxUID)
    assert walked_outcome(data[:50_000], syntax, piece) in (outcome(data[:50_000], syntax), None)


@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("piece", [1, 50, 10_000])
def test_sequences_of_either_length_within_each_other(undefined: bool, syntax: str, piece: int) -> None:
    ds = nested(undefined=undefined)
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    data = encoded(ds)
    assert b"\xff\xff\xff\xff" in data or not undefined
    assert passed(data, syntax, piece) == read_header(io.BytesIO(data), syntax)


def test_a_long_private_element_before_the_header_is_over_is_passed_by() -> None:
    ds = instance()
    block = ds.private_block(0x0029, "TEST", create=True)
    block.add_new(0x10, "OB", bytes(600_000))
    data = encoded(ds)
    assert passed(data, EXPLICIT, 16_384) == read_header(io.BytesIO(data), EXPLICIT)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_other_encodings_are_for_somebody_else(syntax: str) -> None:
    assert header_walk(syntax) is None


def test_the_same_bytes_in_another_character_set_are_another_name() -> None:
    utf8 = encoded(instance(PatientName="M\u00fcller", SpecificCharacterSet="ISO_IR 192"))
    latin = utf8.replace(b"ISO_IR 192", b"ISO_IR 100")
    for data, there in ((utf8, False), (latin, True)):
        header = passed(data, EXPLICIT, 64)
        assert header is not None
        assert ("M\u00c3\u00bcller" in header.attributes) == there


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=500, deadline=None)
@given(st.data())
def test_damaged_headers_are_never_read_differently(data: st.DataObject) -> None:
    """Whatever a bit more, less or else does to the bytes: the same verdict, or none."""
    raw = bytearray(data.draw(st.sampled_from(WHOLE)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    damaged = bytes(raw[:cut] if data.draw(st.booleans()) else raw)
    walked = walked_outcome(damaged, EXPLICIT, data.draw(st.integers(1, 400)))
    assert walked is None or walked == outcome(damaged, EXPLICIT)
