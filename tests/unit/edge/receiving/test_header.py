"""What is read of a header: whole, as Unicode, and never at the price of the instance."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicom_ingest.contracts.attributes import ATTRIBUTES
from edge_component.receiving.datasets.header import Header, HeaderError, read_header
from edge_component.receiving.datasets.values import converted
from tests.support.edge.dicom import encoded, instance

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


def read(ds: Dataset) -> Header:
    return read_header(io.BytesIO(encoded(ds)), str(ds.file_meta.TransferSyntaxUID))


def attributes(ds: Dataset) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read(ds).attributes)
    return found


def with_raw(ds: Dataset, tag: bytes, vr: bytes, value: bytes) -> bytes:
    """The data set with one more element, as bytes, in its place."""
    data = encoded(ds)
    element = tag + vr + len(value).to_bytes(2, "little") + value
    at = data.index(b"\x10\x00\x10\x00PN")
    return data[:at] + element + data[at:]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_every_encoding_is_read(syntax: str) -> None:
    ds = instance(syntax=syntax, StudyDate="20261122", SeriesNumber=7)
    header = read(ds)
    found = json.loads(header.attributes)
    assert (header.study_instance_uid, header.modality) == (ds.StudyInstanceUID, "CT")
    assert found["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Test^Marker"}]}
    assert found["00080020"] == {"vr": "DA", "Value": ["20261122"]}
    assert found["00200011"] == {"vr": "IS", "Value": [7]}


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小东"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("ISO_IR 144", "Люкceмбypг"),
    ],
)
def test_character_sets_become_unicode(charset: str, name: str) -> None:
    ds = instance(SpecificCharacterSet=charset, PatientName=name)
    person = attributes(ds)["00100010"]["Value"][0]
    assert "=".join(person.values()) == name


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("charset", [b"ISO_IR 999", b"nonsense", b"\\\\\\\\"])
def test_an_unknown_character_set_costs_nothing(charset: bytes) -> None:
    """E16: a charset blocked the queue (mercure #59)."""
    ds = instance(SpecificCharacterSet="ISO_IR 100", PatientName="M\xfcller")
    raw = charset + b" " * (len(charset) % 2)
    old = b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100"
    data = encoded(ds)
    assert old in data
    data = data.replace(old, old[:6] + len(raw).to_bytes(2, "little") + raw)
    header = read_header(io.BytesIO(data), EXPLICIT)
    assert header.sop_instance_uid == ds.SOPInstanceUID
    header.attributes.encode()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("tag", "vr", "value", "expected"),
    [
        (b"\x08\x00\x90\x10", b"LO", b"M" * 300, ["M" * 300]),
        (b"\x08\x00\x20\x00", b"DA", b"2026.11.22", ["2026.11.22"]),
        (b"\x08\x00\x20\x00", b"DA", b"", None),
    ],
)
def test_values_that_a_vr_forbids_are_kept_whole(
    tag: bytes, vr: bytes, value: bytes, expected: list[str] | None
) -> None:
    header = read_header(io.BytesIO(with_raw(instance(), tag, vr, value)), EXPLICIT)
    found = json.loads(header.attributes)[f"{tag[1]:02X}{tag[0]:02X}{tag[3]:02X}{tag[2]:02X}"]
    assert found.get("Value") == expected


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("value", [b"abc ", b"1.5.5 ", b"\xff\xff"])
def test_a_number_that_is_none_is_kept_as_text(value: bytes) -> None:
    ds = instance(SliceThickness="1")
    data = encoded(ds)
    at = data.index(b"\x28\x00\x10\x00US")
    number = b"\x20\x00\x11\x00IS" + len(value).to_bytes(2, "little") + value
    header = read_header(io.BytesIO(data[:at] + number + data[at:]), EXPLICIT)
    assert json.loads(header.attributes)["00200011"]["Value"]


def test_an_icon_is_only_said_to_be_there() -> None:
    icon = Dataset()
    icon.Rows, icon.Columns = 2, 2
    icon.PixelData = bytes(4)
    icon["PixelData"].VR = "OB"
    ds = instance(IconImageSequence=Sequence([icon]))
    assert attributes(ds)["00880200"] == {"vr": "SQ"}
    assert "00880200" not in attributes(instance())


def test_sequences_are_read_whole() -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-A0100", "SRT", "Brain"
    found = attributes(instance(AnatomicRegionSequence=Sequence([code])))["00082218"]
    assert found["Value"][0]["00080104"]["Value"] == ["Brain"]


def test_all_indexed_attributes_are_read_and_no_others() -> None:
    ds = instance()
    for attribute in ATTRIBUTES:
        if attribute.kind in ("text", "texts") and attribute.keyword not in ds:
            setattr(ds, attribute.keyword, "ISO_IR 100" if "Charac" in attribute.keyword else "X")
    ds.PatientComments = "not indexed"
    found = attributes(ds)
    for attribute in ATTRIBUTES:
        assert (attribute.tag in found) == (attribute.keyword in ds), attribute.keyword
    assert "00104000" not in found
    assert "7FE00010" not in found


def test_a_length_that_claims_gigabytes_is_not_believed() -> None:
    data = encoded(instance())
    at = data.index(b"\x10\x00\x10\x00PN")
    bomb = b"\x10\x00\x10\x00UN\x00\x00\xf0\xff\xff\xff"
    with pytest.raises(HeaderError):
        read_header(io.BytesIO(data[:at] + bomb), EXPLICIT)


@pytest.mark.filterwarnings("ignore")
def test_what_its_character_set_cannot_decode_is_told_apart_by_its_bytes() -> None:
    found = [
        converted(0x00100020, "LO", value, ["utf8"], implicit=False, big=False)
        for value in (b"4\xff", b"4\xfe ")
    ]
    assert [element["Value"] for element in found] == [["4\ufffd"]] * 2
    assert [element["InlineBinary"] for element in found] == ["NP8=", "NP4="]
    assert "InlineBinary" not in converted(0x00100020, "LO", b"4711", ["utf8"], implicit=False, big=False)
