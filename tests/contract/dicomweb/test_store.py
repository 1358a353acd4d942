"""STOW-RS: one file or many, with a reason for each that is not stored."""

from __future__ import annotations

from io import BytesIO

import pydicom
import pytest
from dicomweb_client import DICOMwebClient

from .conftest import TEST_FILES, Web

CT = TEST_FILES / "CT_small.dcm"
MR = TEST_FILES / "MR_small.dcm"


def multipart(*contents: bytes) -> tuple[bytes, str]:
    parts = b"".join(b"--b\r\nContent-Type: application/dicom\r\n\r\n" + each + b"\r\n" for each in contents)
    return parts + b"--b--\r\n", 'multipart/related; type="application/dicom"; boundary=b'


def test_one_file_is_stored_and_found(empty: Web) -> None:
    ds = pydicom.dcmread(CT)
    answer = empty.post("/studies", CT.read_bytes())
    assert answer.status == 200
    (stored,) = answer.json["00081199"]["Value"]
    assert stored["00081150"]["Value"] == [ds.SOPClassUID]
    assert stored["00081155"]["Value"] == [ds.SOPInstanceUID]
    assert "00081198" not in answer.json
    url = stored["00081190"]["Value"][0]
    assert empty.get(url.removeprefix(empty.url), "application/dicom").status == 200


def test_a_stored_instance_is_organised_as_an_imported_one(empty: Web) -> None:
    empty.post("/studies", CT.read_bytes())
    empty.post("/studies", CT.read_bytes())
    (image_set,) = empty.stand.image_sets()
    assert (image_set["version"], image_set["isPrimary"]) == (2, True)
    assert [event["DetailType"] for event in empty.stand.events] == ["Image Set Created", "Image Set Updated"]


def test_several_files_come_as_parts(empty: Web) -> None:
    answer = empty.post("/studies", *multipart(CT.read_bytes(), MR.read_bytes()))
    assert answer.status == 200
    assert len(answer.json["00081199"]["Value"]) == 2
    assert len(empty.get("/studies").json) == 2


def test_what_is_not_stored_has_a_reason_and_the_rest_is_stored(empty: Web) -> None:
    answer = empty.post("/studies", *multipart(CT.read_bytes(), b"no DICOM"))
    assert answer.status == 409
    assert len(answer.json["00081199"]["Value"]) == 1
    assert answer.json["00081198"]["Value"] == [{"00081197": {"vr": "US", "Value": [0xC000]}}]
    assert len(empty.get("/studies").json) == 1


def test_an_instance_of_another_study_is_not_stored(empty: Web) -> None:
    ds = pydicom.dcmread(CT)
    answer = empty.post("/studies/1.2.3", CT.read_bytes())
    assert answer.status == 409
    (failed,) = answer.json["00081198"]["Value"]
    assert failed["00081155"]["Value"] == [ds.SOPInstanceUID]
    assert failed["00081197"]["Value"] == [0xA900]
    assert empty.post(f"/studies/{ds.StudyInstanceUID}", CT.read_bytes()).status == 200


def test_a_warning_is_told_with_its_code(empty: Web) -> None:
    ds = pydicom.dcmread(CT)
    ds.NumberOfFrames = 2
    buffer = BytesIO()
    ds.save_as(buffer)
    answer = empty.post("/studies", buffer.getvalue())
    assert answer.status == 202
    (stored,) = answer.json["00081199"]["Value"]
    assert stored["00081196"]["Value"][0] in (45312, 45328, 45329)


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"x", "text/plain", "Content-Type must be application/dicom or multipart/related, not text/plain"),
        (b"x", "multipart/related", "needs a boundary"),
        (b"--b\r\n\r\nx", "multipart/related; boundary=b", "does not end with its boundary"),
        (b"--b--\r\n", "multipart/related; boundary=b", ""),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    empty: Web, body: bytes, content_type: str, words: str
) -> None:
    answer = empty.post("/studies", body, content_type)
    assert answer.status == 400
    assert words in answer.json["message"]


def test_dicomweb_client_stores(empty: Web) -> None:
    DICOMwebClient(empty.url).store_instances([pydicom.dcmread(CT), pydicom.dcmread(MR)])
    assert len(empty.get("/studies").json) == 2
