"""Metadata: levels, rendering rules, and agreement with pydicom on every file of its own test data."""

from __future__ import annotations

import base64
import io
import math
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy
import pydicom.data
import pytest
from healthimaging_emulator import Settings
from healthimaging_emulator.dicom import p10
from healthimaging_emulator.dicom.levels import PATIENT, SERIES, STUDY
from healthimaging_emulator.dicom.metadata import PIXEL_DATA, Rendered
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_has_tag, dictionary_VM
from pydicom.dataelem import DataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_sequence
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRBigEndian, ImplicitVRLittleEndian

from ..conftest import MakeStand
from ..stand import Stand, instance, part10

ROOT = Path(pydicom.data.__file__).parent
NOT_DICOM = (".py", ".pyc", ".txt", ".json", ".md")


def data_folders() -> list[Path]:
    """pydicom's test files, and those of pydicom-data where that is installed."""
    more = find_spec("data_store")
    extra = [Path(folder) / "data" for folder in more.submodule_search_locations or []] if more else []
    return [ROOT / "test_files", ROOT / "charset_files", *extra]


FILES = sorted(
    str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
    for folder in data_folders()
    for path in folder.rglob("*")
    if path.is_file() and path.suffix not in NOT_DICOM
)


def verdict(name: str) -> tuple[Rendered | None, str]:
    """The file as the emulator renders it, or why it is refused."""
    try:
        return p10.read(io.BytesIO((ROOT / name).read_bytes())).rendered, ""
    except p10.Refused as refusal:
        return None, refusal.message


def is_refused_for_a_documented_reason(name: str, message: str) -> bool:
    """Checks the verdict against what pydicom itself finds in the file."""
    raw = (ROOT / name).read_bytes()
    if message == "DICOM attributes does not exist":
        return raw[128:132] != b"DICM"
    keyword = message.removeprefix("DICOM attribute ").removesuffix(" does not exist")
    dataset = dcmread(ROOT / name)
    source = dataset.file_meta if keyword == "TransferSyntaxUID" else dataset
    return not source.get(keyword)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("name", FILES)
def test_every_file_of_pydicom_is_rendered_as_pydicom_reads_it_or_refused_for_a_reason(name: str) -> None:
    rendered, message = verdict(name)
    if rendered is None:
        assert is_refused_for_a_documented_reason(name, message), message
        return
    dataset = dcmread(ROOT / name)
    together = {key: value for level in rendered.levels.values() for key, value in level.items()}
    compare(dataset.file_meta, {k: v for k, v in together.items() if k in dataset.file_meta}, {})
    rest = {k: v for k, v in together.items() if k not in dataset.file_meta}
    compare(dataset, rest, rendered.vrs)
    assert rendered.levels["Patient"].keys() <= PATIENT
    assert rendered.levels["Study"].keys() <= STUDY
    assert rendered.levels["Series"].keys() <= SERIES
    assert not rendered.instance.keys() & (PATIENT | STUDY | SERIES)


def compare(dataset: Dataset, rendered: dict[str, Any], vrs: dict[str, str]) -> None:
    """Every element of the data set, and nothing else, with its value."""
    expected: dict[str, DataElement] = {}
    for element in dataset:
        tag = element.tag
        if tag in PIXEL_DATA or (tag.element == 0 and tag.group != 2):
            continue
        known = dictionary_has_tag(tag) and element.keyword
        expected[element.keyword if known else f"{int(tag):08X}"] = element
    assert rendered.keys() == expected.keys()
    for key, element in expected.items():
        compare_value(element, rendered[key], vrs)


def compare_value(element: DataElement, value: Any, vrs: dict[str, str]) -> None:
    if isinstance(element.value, Sequence):
        items = value or []
        assert len(items) == len(element.value)
        for item, each in zip(element.value, items, strict=True):
            compare(item, each, vrs)
        return
    if element.is_empty:
        assert value is None, element
        return
    if isinstance(value, dict):
        assert element.tag.is_private
        assert len(element.value) > 1_000_000
        return
    if dictionary_has_tag(element.tag) and dictionary_VM(element.tag) != "1":
        assert isinstance(value, list), element
    values = value if isinstance(value, list) else [value]
    theirs = list(element.value) if element.VM > 1 else [element.value]
    if isinstance(theirs[0], bytes):
        assert base64.b64decode(values[0]) == theirs[0], element
        return
    if vrs.get(f"{int(element.tag):08X}") == "UN":
        # nothing in the file tells the VR; pydicom has a dictionary of vendors' attributes
        assert element.tag.is_private
        assert base64.b64decode(values[0])
        return
    assert len(values) == len(theirs), element
    for mine, other in zip(values, theirs, strict=True):
        assert same(element.VR, mine, other), element


def same(vr: str, mine: Any, other: Any) -> bool:
    if vr in ("DS", "IS") and not isinstance(other, str):
        return mine is None if other is None else math.isclose(float(mine), float(other))
    if vr == "AT":
        return bool(int(mine, 16) == int(other))
    if isinstance(other, int | float):
        return bool(mine == other) or (math.isnan(other) and mine == "nan")
    return (mine or "") == str(other).strip("\0 ") or (mine or "") == str(other).rstrip("\0 ")


def test_the_test_data_is_not_refused_wholesale() -> None:
    assert sum((ROOT / name).read_bytes()[128:132] == b"DICM" for name in FILES) > 150


def document(stand: Stand, *datasets: Dataset) -> Any:
    for number, dataset in enumerate(datasets):
        stand.put(f"a/{number}.dcm", dataset)
    (image_set,) = stand.summary(stand.run("a/"))["imageSetsSummary"]
    return stand.metadata(image_set["imageSetId"])


def only_instance(metadata: Any) -> Any:
    (series,) = metadata["Study"]["Series"].values()
    (found,) = series["Instances"].values()
    return found


def test_the_document_has_the_levels_of_a_production_capture(stand: Stand) -> None:
    dataset = instance(Manufacturer="Maker", PatientBirthDate="")
    metadata = document(stand, dataset)
    assert metadata.keys() == {"SchemaVersion", "DatastoreID", "ImageSetID", "Patient", "Study"}
    assert metadata["SchemaVersion"] == "1.1"
    assert metadata["DatastoreID"] == stand.datastore_id
    assert metadata["Patient"] == {
        "DICOM": {"PatientName": "Phantom^Test", "PatientID": "P1", "PatientBirthDate": None}
    }
    assert metadata["Study"]["DICOM"]["StudyInstanceUID"] == dataset.StudyInstanceUID
    assert metadata["Study"]["Series"].keys() == {dataset.SeriesInstanceUID}
    series = metadata["Study"]["Series"][dataset.SeriesInstanceUID]
    assert series["DICOM"]["Manufacturer"] == "Maker"
    assert series["Instances"].keys() == {dataset.SOPInstanceUID}
    found = only_instance(metadata)
    assert found["DICOM"]["TransferSyntaxUID"] == "1.2.840.10008.1.2.1"
    assert found["DICOM"]["FileMetaInformationVersion"] == "AAE="
    assert "PixelData" not in found["DICOM"]
    assert found["DICOMVRs"] == {}


def test_values_are_rendered_by_vr_and_multiplicity(stand: Stand) -> None:
    dataset = instance(
        SoftwareVersions="3.1.62",
        WindowCenter="0",
        ImagePositionPatient=["0", "0", "-2.625"],
        PixelSpacing=["0.25", "0.25"],
        KVP="120",
        AcquisitionNumber="",
        ImageType=["DERIVED", "PRIMARY"],
        FrameIncrementPointer=0x00181063,
        RescaleIntercept="-1000",
    )
    item = Dataset()
    item.CodeValue = "113100"
    dataset.AnatomicRegionSequence = [item]
    metadata = document(stand, dataset)
    found = only_instance(metadata)["DICOM"]
    assert metadata["Study"]["Series"][dataset.SeriesInstanceUID]["DICOM"]["SoftwareVersions"] == ["3.1.62"]
    assert found["WindowCenter"] == ["0 "]
    assert found["ImagePositionPatient"] == ["0", "0", "-2.625"]
    assert found["PixelSpacing"] == ["0.25", "0.25 "]
    assert found["KVP"] == "120 "
    assert found["AcquisitionNumber"] is None
    assert found["ImageType"] == ["DERIVED", "PRIMARY"]
    assert found["Rows"] == 4
    assert found["FrameIncrementPointer"] == ["00181063"]
    assert found["AnatomicRegionSequence"] == [{"CodeValue": "113100"}]
    assert found["RescaleIntercept"] == "-1000 "


def test_private_attributes_have_their_tag_as_key_and_their_vr_beside(stand: Stand) -> None:
    dataset = instance()
    block = dataset.private_block(0x0019, "VENDOR", create=True)
    block.add_new(0xF9, "DS", "97")
    block.add_new(0x01, "OB", b"\1\2")
    found = only_instance(document(stand, dataset))
    assert found["DICOM"]["001910F9"] == "97"
    assert found["DICOM"]["00191001"] == "AQI="
    assert found["DICOMVRs"] == {"00190010": "LO", "00191001": "OB", "001910F9": "DS"}


def test_a_sequence_under_vr_un_is_read_as_implicit_vr(stand: Stand) -> None:
    plain = instance()
    item = Dataset()
    item.add_new(0x00280120, "SS", -2)
    item.CodeValue = "113100"
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    write_sequence(buffer, DataElement(0x00082218, "SQ", Sequence([item])), ["iso8859"])
    plain.PixelRepresentation = 1
    plain.add(DataElement(0x00082218, "OB", buffer.getvalue()))
    tag = b"\x08\x00\x18\x22"
    stand.put("un/1.dcm", part10(plain).replace(tag + b"OB", tag + b"UN"))
    (image_set,) = stand.summary(stand.run("un/"))["imageSetsSummary"]
    found = only_instance(stand.metadata(image_set["imageSetId"]))["DICOM"]
    assert found["AnatomicRegionSequence"] == [{"CodeValue": "113100", "PixelPaddingValue": -2}]


def test_large_private_values_are_stored_apart(stand: Stand) -> None:
    dataset = instance()
    dataset.private_block(0x0019, "VENDOR", create=True).add_new(0x01, "OB", bytes(1_000_002))
    found = only_instance(document(stand, dataset))
    assert found["DICOM"]["00191001"].keys() == {"BulkDataURI"}


def test_text_is_decoded_by_its_character_set(stand: Stand) -> None:
    dataset = instance(SpecificCharacterSet="ISO_IR 192", PatientName="Müller^Jörg", StudyDescription="頭部")
    metadata = document(stand, dataset)
    assert metadata["Patient"]["DICOM"]["PatientName"] == "Müller^Jörg"
    assert metadata["Study"]["DICOM"]["StudyDescription"] == "頭部"


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_the_encoding_of_the_file_does_not_show_in_the_values(stand: Stand, syntax: UID) -> None:
    dataset = instance()
    other = deepcopy(dataset)
    other.file_meta.TransferSyntaxUID = syntax
    if not syntax.is_little_endian:
        other.PixelData = numpy.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    stand.put("x/1.dcm", other)
    (image_set,) = stand.summary(stand.run("x/"))["imageSetsSummary"]
    mine = stand.instances(image_set["imageSetId"])[dataset.SOPInstanceUID]
    plain = only_instance(document(stand, dataset))
    meta = {"TransferSyntaxUID", "FileMetaInformationGroupLength"}
    assert {k: v for k, v in mine["DICOM"].items() if k not in meta} == {
        k: v for k, v in plain["DICOM"].items() if k not in meta
    }
    checksums = [
        each["ImageFrames"][0]["PixelDataChecksumFromBaseToFullResolution"] for each in (mine, plain)
    ]
    assert checksums[0] == checksums[1]


def test_the_pixel_data_key_can_be_null(make_stand: MakeStand) -> None:
    stand = make_stand(Settings.fast(behaviour={"pixel_data_key": "null"}))
    assert only_instance(document(stand, instance()))["DICOM"]["PixelData"] is None
