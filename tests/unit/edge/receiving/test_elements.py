"""The walk over a data set: whole or refused, however it is cut; what is odd costs no instance."""

from __future__ import annotations

import io
import json
import struct
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filereader import dcmread, read_dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from edge_component.receiving.datasets import kinds
from edge_component.receiving.datasets.header import (
    CHARSET,
    INDEXED,
    INDEXED_VRS,
    Header,
    HeaderError,
    HeaderWalk,
)
from edge_component.receiving.datasets.values import BYTES_VRS, converted, encodings, plain_json
from tests.support.edge.dicom import encoded, instance

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
BIG_ENDIAN, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
ENCODINGS = [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED]
FILES = sorted((Path(__file__).parents[4] / "dcmdata").rglob("*.dcm"))


def walked(data: bytes, syntax: str = EXPLICIT, piece: int | None = None) -> Header:
    """The header; the data set comes in pieces of this length, or at once."""
    walk = HeaderWalk(syntax)
    if piece is None:
        walk.feed(data, whole=True)
    else:
        for start in range(0, len(data), piece):
            walk.feed(memoryview(data)[start : start + piece])
    return walk.end()


def refused(data: bytes, syntax: str = EXPLICIT, piece: int | None = None) -> str:
    """Why, the same at once and in pieces."""
    with pytest.raises(HeaderError) as error:
        walked(data, syntax, piece)
    return str(error.value)


def by_pydicom(data: bytes, syntax: str) -> dict[str, Any]:
    """The indexed attributes as pydicom reads them from the whole data set."""
    if syntax == DEFLATED:
        data = zlib.decompress(data, -zlib.MAX_WBITS)
    ds = read_dataset(io.BytesIO(data), syntax == IMPLICIT, syntax != BIG_ENDIAN)
    found: dict[str, Any] = {}
    for tag in sorted(INDEXED):
        if tag in ds:
            element = ds[tag]
            short = {"vr": element.VR} if element.VR in BYTES_VRS else element.to_json_dict(None, 0)
            found[f"{tag:08X}"] = short
    return found


def nested(*, undefined: bool, syntax: str = EXPLICIT) -> Dataset:
    inner, outer = Dataset(), Dataset()
    inner.CodeValue, inner.CodeMeaning = "T-A0100", "Brain"
    inner.is_undefined_length_sequence_item = undefined
    outer.CodeValue = "T-1"
    outer.AnatomicRegionModifierSequence = Sequence([inner])
    outer["AnatomicRegionModifierSequence"].is_undefined_length = undefined
    outer.is_undefined_length_sequence_item = undefined
    ds = instance(
        AnatomicRegionSequence=Sequence([outer]),
        PatientName="Wang^XiaoDong=王^小东",
        PresentationLUTShape="IDENTITY",
        syntax=syntax,
    )
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds["AnatomicRegionSequence"].is_undefined_length = undefined
    return ds


def report(*, undefined: bool = True, items: int = 40, syntax: str = EXPLICIT) -> Dataset:
    """A structured report: its content is long, and nothing of it is indexed."""
    ds = nested(undefined=undefined, syntax=syntax)
    content = []
    for number in range(items):
        name, item = Dataset(), Dataset()
        name.CodeValue, name.CodeMeaning = str(number), "Finding"
        name.is_undefined_length_sequence_item = undefined
        item.ConceptNameCodeSequence = Sequence([name])
        item["ConceptNameCodeSequence"].is_undefined_length = undefined
        item.TextValue = "text " * number
        item.is_undefined_length_sequence_item = undefined
        content.append(item)
    ds.ContentSequence = Sequence(content)
    ds["ContentSequence"].is_undefined_length = undefined
    ds.ContentTemplateSequence = Sequence([Dataset()])
    ds["ContentTemplateSequence"].is_undefined_length = undefined
    del ds.PixelData
    return ds


@pytest.mark.parametrize("path", FILES[::9], ids=lambda path: path.stem[-12:])
def test_every_kind_of_file_is_read_as_pydicom_reads_it_however_it_is_cut(path: Path) -> None:
    ds = dcmread(path)
    data, syntax = encoded(ds), str(ds.file_meta.TransferSyntaxUID)
    header = walked(data, syntax)
    found = json.loads(header.attributes)
    assert {tag: value for tag, value in found.items() if int(tag, 16) in INDEXED} == by_pydicom(data, syntax)
    for piece in (7, 100, 131_072):
        assert walked(data[:300_000] if piece == 7 and len(data) < 300_000 else data, syntax, piece) == header


@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("syntax", ENCODINGS)
@pytest.mark.parametrize("make", [nested, report])
def test_sequences_of_either_length_in_every_encoding(make: Any, syntax: str, undefined: bool) -> None:
    data = encoded(make(undefined=undefined, syntax=syntax))
    header = walked(data, syntax)
    assert json.loads(header.attributes) == by_pydicom(data, syntax)
    for piece in (1, 50, 10_000):
        assert walked(data, syntax, piece) == header


@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("make", [nested, partial(report, items=3)], ids=["nested", "report"])
def test_a_data_set_that_ends_inside_an_element_is_refused_wherever_it_is_cut(
    make: Any, syntax: str, undefined: bool
) -> None:
    data = encoded(make(undefined=undefined, syntax=syntax))
    whole = {0}
    stream, at = io.BytesIO(data), 0
    while at < len(data):  # the ends of the elements at top level, by pydicom
        stream.seek(at)
        one = read_dataset(stream, syntax == IMPLICIT, syntax != BIG_ENDIAN, stop_when=_SecondElement())
        assert len(one) == 1
        at = stream.tell()
        whole.add(at)
    for cut in range(1, len(data)):
        for piece in (None, 64):
            try:
                walked(data[:cut], syntax, piece)
            except HeaderError:
                continue
            assert cut in whole, (cut, piece)


class _SecondElement:
    """Stops pydicom behind an element."""

    def __init__(self) -> None:
        self.met = 0

    def __call__(self, *_: object) -> bool:
        self.met += 1
        return self.met > 1


def test_a_data_set_that_ends_inside_its_pixels_is_refused() -> None:
    data = encoded(instance(pixels=4096))
    for cut in (1, 2, 2048, 4095):
        assert "ends inside an element, (7FE0,0010)" in refused(data[:-cut])
        assert "ends inside an element, (7FE0,0010)" in refused(data[:-cut], piece=500)


def test_encapsulated_pixels_end_with_their_delimiter() -> None:
    head = encoded(instance())[: -512 - 12]
    pixels = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
    items = b"\xfe\xff\x00\xe0" + bytes(4) + b"\xfe\xff\x00\xe0" + (300).to_bytes(4, "little") + bytes(300)
    end = b"\xfe\xff\xdd\xe0" + bytes(4)
    for piece in (None, 1, 100):
        assert walked(head + pixels + items + end, piece=piece).modality == "CT"
        assert "ends inside" in refused(head + pixels + items, piece=piece)
        assert "ends inside" in refused(head + pixels + items[:-4], piece=piece)


@pytest.mark.parametrize(
    ("sent", "agreed", "reason"),
    [
        (EXPLICIT, IMPLICIT, "encoded with VRs"),
        (IMPLICIT, EXPLICIT, "not encoded with VRs"),
        (BIG_ENDIAN, EXPLICIT, "other byte order"),
        (EXPLICIT, BIG_ENDIAN, "other byte order"),
        (EXPLICIT, DEFLATED, "not deflated"),
        (DEFLATED, EXPLICIT, ""),
    ],
)
@pytest.mark.parametrize("piece", [None, 1])
def test_a_data_set_that_is_not_encoded_as_was_agreed_on_is_refused(
    sent: str, agreed: str, reason: str, piece: int | None
) -> None:
    assert reason in refused(encoded(instance(syntax=sent)), agreed, piece)


def test_a_deflated_data_set_that_is_cut_off_is_refused() -> None:
    data = encoded(instance(syntax=DEFLATED))
    assert walked(data, DEFLATED).modality == "CT"
    assert "cut off" in refused(data[:-3], DEFLATED)


def deflated(data: bytes) -> bytes:
    """As PS3.5 A.5 wants it."""
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


def test_a_long_deflated_data_set_is_looked_at_to_its_end_and_says_what_that_costs() -> None:
    spent: list[int] = []
    data = encoded(instance())[:-524]
    data += b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<L", 20 << 20) + bytes(20 << 20)
    walk = HeaderWalk(DEFLATED, spent.append)
    walk.feed(deflated(data))
    assert walk.end().modality == "CT"
    assert sum(spent) > (20 << 20) // 512
    assert max(spent) < 1000
    assert "(7FE0,0010)" in refused(deflated(data[:-4]), DEFLATED)
    assert "cut off" in refused(deflated(data)[:-1000], DEFLATED)


def test_an_implicit_value_as_long_as_two_letters_is_read() -> None:
    """A length of 0x4E50 has the bytes of the VR PN."""
    ds = instance(syntax=IMPLICIT, PatientName="N" * 0x4E50)
    assert json.loads(walked(encoded(ds), IMPLICIT).attributes)["00100010"] == {
        "vr": "PN",
        "Value": [{"Alphabetic": "N" * 0x4E50}],
    }


def spliced(ds: Dataset, before: bytes, *pieces: bytes) -> bytes:
    """The encoded data set with more bytes before an element."""
    data = encoded(ds)
    at = data.index(before)
    return data[:at] + b"".join(pieces) + data[at:]


PATIENT_NAME = b"\x10\x00\x10\x00PN"


@pytest.mark.parametrize("vr", [b"??", b"\0\0", b"  ", b"un", b"--", b"XX"])
def test_a_private_element_with_an_odd_vr_costs_no_instance(vr: bytes) -> None:
    odd = b"\x09\x00\x01\x10" + vr + b"\x04\x00abcd"
    ds = instance()
    for piece in (None, 1):
        assert walked(spliced(ds, PATIENT_NAME, odd), piece=piece).study_instance_uid == ds.StudyInstanceUID


def test_elements_out_of_order_are_found() -> None:
    late = b"\x54\x20\x10\x00LO\x02\x00x "
    ds = instance()
    first = encoded(ds)[:26]
    assert first[:4] == b"\x08\x00\x16\x00"
    for piece in (None, 1, 50):
        header = walked(late + encoded(ds), piece=piece)
        assert (header.sop_instance_uid, header.modality) == (ds.SOPInstanceUID, "CT")


def test_stray_items_and_delimiters_are_passed_by_and_a_finding() -> None:
    strays = [b"\xfe\xff\xdd\xe0" + bytes(4), b"\xfe\xff\x0d\xe0" + bytes(4), b"\xfe\xff\x00\xe0\x02\0\0\0xx"]
    for piece in (None, 3):
        header = walked(spliced(instance(), PATIENT_NAME, *strays), piece=piece)
        assert header.findings == ("stray item or delimiter",)
        assert "00280010" in header.attributes


ITEM, ITEM_END, SEQUENCE_END = (
    b"\xfe\xff" + end for end in (b"\x00\xe0", b"\x0d\xe0" + bytes(4), b"\xdd\xe0" + bytes(4))
)
OPEN = ITEM + b"\xff" * 4
OPEN_SEQUENCE = b"\x09\x00\x40\x10SQ\0\0" + b"\xff" * 4
INNER = b"\x09\x00\x41\x10LO\x04\x00abcd"
NO_VR = b"\x09\x00\x41\x10\x04\0\0\0abcd"


@pytest.mark.parametrize(
    "sequence",
    [
        ITEM + b"\x0c\0\0\0" + INNER + ITEM_END + SEQUENCE_END,
        OPEN + INNER + ITEM_END * 2 + SEQUENCE_END,
        OPEN + INNER + SEQUENCE_END + ITEM_END + SEQUENCE_END,
        OPEN + INNER + SEQUENCE_END,
        OPEN + INNER + OPEN + INNER + ITEM_END + SEQUENCE_END,
        OPEN + OPEN_SEQUENCE + OPEN + INNER + SEQUENCE_END + INNER + ITEM_END + SEQUENCE_END,
        OPEN + NO_VR + NO_VR + ITEM_END + SEQUENCE_END,
        OPEN
        + OPEN_SEQUENCE[:4]
        + b"\xff" * 4
        + OPEN
        + NO_VR
        + ITEM_END
        + SEQUENCE_END
        + ITEM_END
        + SEQUENCE_END,
    ],
)
def test_oddly_delimited_items_within_a_sequence_cost_no_instance(sequence: bytes) -> None:
    ds = instance()
    for piece in (None, 1, 7):
        header = walked(spliced(ds, PATIENT_NAME, OPEN_SEQUENCE, sequence), piece=piece)
        assert header.study_instance_uid == ds.StudyInstanceUID
        assert "00280010" in header.attributes
        assert len(header.findings) == 1


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("odd", ["vr", "delimiter", "item"])
def test_an_odd_first_element_costs_no_instance(syntax: str, odd: str) -> None:
    order = ">" if syntax == BIG_ENDIAN else "<"
    length = struct.pack(order + "L", 4) if syntax == IMPLICIT else b"??" + struct.pack(order + "H", 4)
    first = {
        "vr": struct.pack(order + "HH", 7, 0x1001) + length + b"abcd",
        "delimiter": struct.pack(order + "HHL", 0xFFFE, 0xE0DD, 0),
        "item": struct.pack(order + "HHL", 0xFFFE, 0xE000, 4) + b"abcd",
    }[odd]
    ds = instance(syntax=syntax)
    for piece in (None, 1):
        assert walked(first + encoded(ds), syntax, piece).sop_instance_uid == ds.SOPInstanceUID


def test_a_first_implicit_value_as_long_as_two_letters_is_read() -> None:
    first = b"\x07\x00\x01\x10" + struct.pack("<L", 0x4E50) + bytes(0x4E50)
    ds = instance(syntax=IMPLICIT)
    for piece in (None, 1000):
        assert walked(first + encoded(ds), IMPLICIT, piece).sop_instance_uid == ds.SOPInstanceUID


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_sequence_of_unknown_vr_in_big_endian_is_read_in_either_order(order: str) -> None:
    def head(tag: int, length: int) -> bytes:
        return struct.pack(order + "HHL", tag >> 16, tag & 0xFFFF, length)

    content = head(0xFFFEE000, 0xFFFFFFFF) + head(0x00091041, 4) + b"abcd"
    content += head(0xFFFEE00D, 0) + head(0xFFFEE0DD, 0)
    ds = instance(syntax=BIG_ENDIAN)
    odd = b"\0\x09\x10\x40UN\0\0" + b"\xff" * 4 + content
    for piece in (None, 1):
        header = walked(spliced(ds, b"\0\x10\0\x10PN", odd), BIG_ENDIAN, piece)
        assert (header.sop_instance_uid, header.findings) == (ds.SOPInstanceUID, ())


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("piece", [None, 1])
def test_file_meta_information_in_the_data_set_is_a_finding(syntax: str, piece: int | None) -> None:
    meta = b"\x02\x00\x01\x00OB\0\0\x02\0\0\0\0\1\x02\x00\x10\x00UI\x12\x001.2.840.10008.1.2\0"
    header = walked(meta + encoded(instance(syntax=syntax)), syntax, piece)
    assert header.findings == ("file meta information in the data set",)
    assert header.modality == "CT"


def test_a_long_value_is_left_out_and_all_values_together_have_a_bound() -> None:
    long = instance(ImageComments="x" * 70_000, StudyDescription="kept", syntax=IMPLICIT)
    header = walked(encoded(long), IMPLICIT)
    assert "00204000" not in header.attributes
    assert header.findings == ("(0020,4000) is too long to be indexed",)
    assert "kept" in header.attributes
    many = instance()
    for keyword in ("StudyDescription", "SeriesDescription", "ProtocolName", "StationName", "Manufacturer"):
        setattr(many, keyword, "y" * 60_000)
    for piece in (None, 10_000):
        header = walked(encoded(many), piece=piece)
        assert len(header.attributes) < 300_000
        assert header.series_instance_uid == many.SeriesInstanceUID


def deep(depth: int, *, undefined: bool = True) -> bytes:
    """(0008,1032) with so many sequences in it."""
    item, sequence = b"\xfe\xff\x00\xe0", b"\x08\x00\x32\x10SQ\0\0"
    if undefined:
        ends = b"\xfe\xff\x0d\xe0" + bytes(4) + b"\xfe\xff\xdd\xe0" + bytes(4)
        return (sequence + b"\xff" * 4 + item + b"\xff" * 4) * depth + ends * depth
    content = b""
    for _ in range(depth):
        content = item + struct.pack("<L", len(content)) + content
        content = sequence + struct.pack("<L", len(content)) + content
    return content


@pytest.mark.parametrize("undefined", [True, False])
def test_a_sequence_that_is_too_deep_is_only_said_to_be_there(undefined: bool) -> None:
    for depth, kept in ((10, True), (90, False), (1500, False)):
        data = spliced(instance(), b"\x08\x00\x60\x00CS", deep(depth, undefined=undefined))
        for piece in (None, 1000):
            found = json.loads(walked(data, piece=piece).attributes)["00081032"]
            assert ("Value" in found) is kept, depth


def test_nesting_without_end_is_no_data_set() -> None:
    data = spliced(instance(), PATIENT_NAME, deep(20_000)[: 20_000 * 20])
    assert "nested" in refused(data)


def test_a_walk_takes_steps_in_proportion_to_the_bytes_however_they_are_cut() -> None:
    """Sequences of undefined length were walked from their start for every piece."""
    content = (b"\xfe\xff\x00\xe0" + b"\xff" * 4 + b"\xfe\xff\x0d\xe0" + bytes(4)) * 5000
    data = b"\x08\x00\x40\x11SQ\0\0" + b"\xff" * 4 + content
    steps = []
    for piece in (len(data), 1):
        walk = HeaderWalk(EXPLICIT)
        for start in range(0, len(data), piece):
            walk.feed(memoryview(data)[start : start + piece])
        steps.append(walk.steps)
    assert steps[0] <= steps[1] <= len(data) // 8 + 2


def test_the_content_of_a_report_is_passed_over_in_few_steps() -> None:
    data = encoded(report(items=300))
    walk = HeaderWalk(EXPLICIT)
    walk.feed(data, whole=True)
    assert walk.end().modality == "CT"
    assert walk.steps < 60


@pytest.mark.parametrize("syntax", ENCODINGS)
@pytest.mark.parametrize("piece", [None, 50_000])
def test_zeros_behind_the_last_element_are_passed_over_in_few_steps(syntax: str, piece: int | None) -> None:
    """Each eight of them were an element: a minute of the processor for what deflates to a few kilobytes."""
    whole = encoded(instance(syntax=EXPLICIT if syntax == DEFLATED else syntax)) + bytes(80_000)
    walk = HeaderWalk(syntax)
    data = deflated(whole) if syntax == DEFLATED else whole
    for at in range(0, len(data), piece or len(data)):
        walk.feed(data[at : at + (piece or len(data))], whole=piece is None)
    assert walk.end().modality == "CT"
    assert walk._walk.steps < 60
    for odd in range(1, 8):
        cut = whole + bytes(odd)
        reason = refused(deflated(cut) if syntax == DEFLATED else cut, syntax, piece)
        assert "ends inside an element" in reason


def test_pixels_are_not_walked() -> None:
    walk = HeaderWalk(EXPLICIT)
    walk.feed(encoded(instance(pixels=1024 * 1024)))
    walk.end()
    assert walk.steps < 40


def test_one_byte_at_a_time_costs_no_copies_of_what_came_before() -> None:
    """A value of 60 kB was joined again for every byte."""
    walk = HeaderWalk(EXPLICIT)
    data = encoded(instance(ImageComments="x" * 60_000))
    for byte in range(len(data)):
        walk.feed(data[byte : byte + 1])
    assert "x" * 60_000 in walk.end().attributes


VALUES = st.one_of(
    st.integers(-(10**10), 10**10).map(lambda n: str(n).encode()),
    st.decimals(-(10**10), 10**10, places=3).map(lambda n: str(n).encode()),
    st.sampled_from(
        [b"", b" ", b"\0", b"1\0", b" 1", b"1 ", b"+1", b"-0", b"1.", b".5", b"007", b"1e5", b"1-2"]
    ),
    st.sampled_from(
        [b"1.50", b"12\\13", b"20261122", b"235959.999", b"20261122235959+0100", b"M", b"m", b"A B "]
    ),
    st.sampled_from([b"ORIGINAL\\PRIMARY", b'"', b"\xe9", b"HFS", b"012Y", b"Doe^Jane", b"a=b", b"~", b"^"]),
    st.binary(max_size=6),
    st.text("AZaz09^~\\=\" '.", max_size=8).map(str.encode),
)


@pytest.mark.parametrize("charset", [None, b"ISO_IR 100", b"ISO_IR 13", b"\\ISO 2022 IR 87"])
@settings(max_examples=120, deadline=None)
@given(value=VALUES)
def test_a_plain_value_is_told_from_its_bytes_as_pydicom_tells_it(
    charset: bytes | None, value: bytes
) -> None:
    value += b" " * (len(value) % 2)
    for tag, vr in INDEXED_VRS.items():
        if tag != CHARSET and (plain := plain_json(vr, value)) is not None:
            theirs = converted(tag, vr.decode(), value, encodings(charset), implicit=False, big=False)
            assert plain == json.dumps(theirs, sort_keys=True, separators=(",", ":")), (tag, vr)


def test_the_same_bytes_in_another_character_set_are_another_name() -> None:
    utf8 = encoded(instance(PatientName="Müller", SpecificCharacterSet="ISO_IR 192"))
    latin = utf8.replace(b"ISO_IR 192", b"ISO_IR 100")
    for data, there in ((utf8, False), (latin, True)):
        assert ("MÃ¼ller" in walked(data).attributes) == there


DAMAGED = [encoded(make(undefined=undefined)) for make in (nested, report) for undefined in (True, False)]


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=400, deadline=None)
@given(st.data())
def test_damaged_data_sets_are_taken_alike_at_once_and_in_pieces(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(DAMAGED)))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    outcomes = []
    for piece in (1_000_000, data.draw(st.integers(1, 400))):
        try:
            outcomes.append(walked(bytes(raw), EXPLICIT, piece)._asdict())
        except HeaderError:
            outcomes.append({})
    assert outcomes[0] == outcomes[1]


def test_what_was_learned_about_elements_has_a_bound() -> None:
    elements = kinds.Elements(
        implicit=False, big=False, wanted=frozenset(), noted=frozenset(), vital=frozenset()
    )
    for number in range(3 * kinds.MOST_KINDS):
        elements.kind(struct.pack("<HH2sH", number, 9, b"LO", 2))
    assert len(elements.kinds) <= kinds.MOST_KINDS


def test_the_uid_of_another_encoding_is_checked_alike() -> None:
    ds = instance(syntax=BIG_ENDIAN)
    ds.file_meta.TransferSyntaxUID = UID(BIG_ENDIAN)
    assert walked(encoded(ds), BIG_ENDIAN).study_instance_uid == ds.StudyInstanceUID
