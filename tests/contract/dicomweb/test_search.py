"""QIDO-RS: keys, ranges, wildcards, order, pages and fields; with a real client, too."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pydicom
import pytest
from dicomweb_client import DICOMwebClient
from pydicom.uid import generate_uid

from .conftest import ROOT, TEST_FILES, Web

CT = pydicom.dcmread(TEST_FILES / "CT_small.dcm", stop_before_pixels=True)
MR = pydicom.dcmread(next((ROOT / "dcmdata/mr-head/2-t2-axial").glob("*.dcm")), stop_before_pixels=True)


def uids(found: list[Any], tag: str = "0020000D") -> list[str]:
    return [each[tag]["Value"][0] for each in found]


def test_every_study_is_found_once_with_its_counts(imported: Web) -> None:
    found = imported.get("/studies").json
    assert len(set(uids(found))) == len(found) > 10
    (mr,) = imported.get(f"/studies?StudyInstanceUID={MR.StudyInstanceUID}").json
    assert mr["00201206"]["Value"] == [1]
    assert mr["00201208"]["Value"] == [21]
    assert mr["00080061"]["Value"] == ["MR"]
    assert mr["00081190"]["Value"] == [f"{imported.url}/studies/{MR.StudyInstanceUID}"]
    assert mr["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": str(MR.PatientName)}]}


@pytest.mark.parametrize(
    "query",
    [
        "PatientID=1CT1",
        "00100020=1CT1",
        "PatientID=1C*",
        "PatientID=?CT1",
        "PatientName=compressedsamples^ct1",
        "PatientName=ct1&fuzzymatching=true",
        "StudyDate=20040119",
        "StudyDate=20040101-20040131",
        "StudyDate=-20040119",
        "StudyDate=20040119-&StudyTime=072730",
        "ModalitiesInStudy=CT&PatientID=1CT1",
    ],
)
def test_a_key_finds_the_study_it_describes(imported: Web, query: str) -> None:
    assert CT.StudyInstanceUID in uids(imported.get(f"/studies?{query}").json)


@pytest.mark.parametrize(
    "query",
    ["PatientID=1ct1", "PatientID=1CT", "StudyDate=20040120-", "ModalitiesInStudy=US", "StudyTime=072731-"],
)
def test_a_key_that_does_not_match_finds_nothing_of_it(imported: Web, query: str) -> None:
    answer = imported.get(f"/studies?{query}")
    assert answer.status == 200
    assert CT.StudyInstanceUID not in uids(answer.json)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=1001", "limit must be a number from 0 to 1000, not 1001"),
        ("offset=-1", "offset must be"),
        ("Patient=1", "Unknown query parameter Patient"),
        ("&".join("includefield=StudyID" for _ in range(51)), "includefield"),
    ],
)
def test_a_query_that_is_not_allowed_is_refused_with_its_name(imported: Web, query: str, words: str) -> None:
    answer = imported.get(f"/studies?{query}")
    assert answer.status == 400
    assert words in answer.json["message"]


def test_pages_follow_each_other_without_gap_or_overlap(imported: Web) -> None:
    whole = uids(imported.get("/instances").json, "00080018")
    pages: list[str] = []
    while page := uids(imported.get(f"/instances?limit=7&offset={len(pages)}").json, "00080018"):
        pages += page
    assert pages == whole


def test_series_are_by_number_and_instances_by_theirs(imported: Web) -> None:
    study = pydicom.dcmread(next((ROOT / "dcmdata/dx-chest").rglob("IM*.dcm")), stop_before_pixels=True)
    found = imported.get(f"/studies/{study.StudyInstanceUID}/series").json
    numbers = [each["00200011"]["Value"][0] for each in found]
    assert (len(found), numbers) == (2, sorted(numbers))
    assert [each["00201209"]["Value"][0] for each in found] == [2, 1]
    path = f"/studies/{MR.StudyInstanceUID}/series/{MR.SeriesInstanceUID}/instances"
    instances = [each["00200013"]["Value"][0] for each in imported.get(path).json]
    assert instances == sorted(instances)
    assert len(instances) == 21


def test_relational_searches_need_no_parent(imported: Web) -> None:
    (series,) = imported.get(f"/series?SeriesInstanceUID={MR.SeriesInstanceUID}").json
    assert series["00100020"]["Value"] == [MR.PatientID]
    (instance,) = imported.get(f"/instances?SOPInstanceUID={CT.SOPInstanceUID}").json
    assert instance["0020000D"]["Value"] == [CT.StudyInstanceUID]
    assert len(imported.get(f"/studies/{MR.StudyInstanceUID}/instances").json) == 21


def test_fields_are_added_when_they_are_asked_for(imported: Web) -> None:
    path = f"/studies?StudyInstanceUID={CT.StudyInstanceUID}"
    assert "00081030" not in imported.get(path).json[0]
    (found,) = imported.get(f"{path}&includefield=StudyDescription&includefield=00100040,Unknown").json
    assert found["00081030"]["Value"] == [CT.StudyDescription]
    (everything,) = imported.get(f"/instances?SOPInstanceUID={CT.SOPInstanceUID}&includefield=all").json
    assert everything["00180050"]["Value"] == [float(CT.SliceThickness)]
    assert "7FE00010" not in everything


def test_a_second_media_type_is_refused(imported: Web) -> None:
    accept = 'application/dicom+json, multipart/related; type="application/octet-stream"'
    assert imported.get("/studies", accept).status == 406


def test_only_primary_image_sets_are_found(empty: Web) -> None:
    ds = pydicom.dcmread(TEST_FILES / "CT_small.dcm")
    for patient_id in (ds.PatientID, "OTHER"):
        ds.PatientID, buffer = patient_id, BytesIO()
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.save_as(buffer)
        assert empty.post("/studies", buffer.getvalue()).status == 200
    assert len(list(empty.stand.image_sets())) == 2
    (study,) = empty.get("/studies").json
    assert study["00201208"]["Value"] == [1]
    path = f"/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
    other = next(each for each in empty.stand.image_sets() if not each["isPrimary"])["imageSetId"]
    assert empty.get(path, "application/dicom").status == 404
    assert empty.get(f"{path}?imageSetId={other}", "application/dicom").status == 200


def test_dicomweb_client_searches_and_retrieves(imported: Web) -> None:
    client = DICOMwebClient(imported.url)
    (study,) = client.search_for_studies(search_filters={"PatientID": "1CT1"})
    assert study["0020000D"]["Value"] == [CT.StudyInstanceUID]
    assert len(client.search_for_series(MR.StudyInstanceUID)) == 1
    assert len(client.search_for_instances(MR.StudyInstanceUID, MR.SeriesInstanceUID)) == 21
    assert len(client.retrieve_series_metadata(MR.StudyInstanceUID, MR.SeriesInstanceUID)) == 21
    location = (CT.StudyInstanceUID, CT.SeriesInstanceUID, CT.SOPInstanceUID)
    native = (("application/octet-stream", "1.2.840.10008.1.2.1"),)
    (frame,) = client.retrieve_instance_frames(*location, [1], media_types=native)
    assert frame == pydicom.dcmread(TEST_FILES / "CT_small.dcm").PixelData
