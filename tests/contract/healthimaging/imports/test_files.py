"""What becomes of each file of an import: refused alone, imported with warnings, or not a file to import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement

from ..conftest import MakeStand
from ..stand import Stand, instance, part10

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.mark.parametrize(
    ("keyword", "value", "fits"),
    [
        ("StudyDescription", "x" * 64, True),
        ("StudyDescription", "x" * 65, False),
        ("StudyDescription", "ä" * 64, True),  # characters, not bytes
        ("AccessionNumber", "a" * 17, False),
        ("StudyDate", "20260102 ", True),
        ("StudyDate", "202601021", False),
        ("PatientName", "=".join(["Phantom^" + "x" * 56] * 3), True),
        ("PatientName", "Phantom^" + "x" * 57, False),
        ("SoftwareVersions", ["1", "x" * 65], False),
        ("ImageComments", "x" * 10_241, False),
        ("RescaleSlope", " 1.000000000000 ", True),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_a_value_that_is_too_long_for_its_vr_is_imported_with_a_warning(
    stand: Stand, keyword: str, value: Any, fits: bool
) -> None:
    dataset = instance(SpecificCharacterSet="ISO_IR 192")
    dataset.add(DataElement(keyword, dictionary_VR(keyword), value, validation_mode=IGNORE))
    stand.put("a/1.dcm", dataset)
    job = stand.run("a/")
    assert stand.summary(job)["numberOfImportedFiles"] == 1
    warned = [
        w for line in stand.lines(job, "WARNING/warning.ndjson") for w in line["importResponse"]["warnings"]
    ]
    expected = [] if fits else [(45571, "INVALID_DICOM_VALUE_LENGTH")]
    assert [(each["warning_reason_code"], each["type"]) for each in warned] == expected
    (image_set,) = stand.image_sets()
    (found,) = stand.instances(image_set["imageSetId"]).values()
    assert found["DICOM"].get("WarningReason") == (None if fits else 45571)


def malformed(tag: bytes, vr: bytes, value: bytes) -> bytes:
    """A file in which one element has this value, byte by byte."""
    whole = part10(instance(SpecificCharacterSet="ISO_IR 100"))
    start = whole.index(tag + vr)
    length = int.from_bytes(whole[start + 6 : start + 8], "little")
    return whole[: start + 6] + len(value).to_bytes(2, "little") + value + whole[start + 8 + length :]


@pytest.mark.parametrize(
    "content",
    [
        malformed(b"\x28\0\x10\0", b"US", b"\1"),  # Rows
        malformed(b"\x08\0\x05\0", b"CS", b"hex "),  # SpecificCharacterSet: a codec, but not of text
    ],
    ids=["Rows of one byte", "character set hex"],
)
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_a_file_that_cannot_be_read_fails_alone(stand: Stand, content: bytes) -> None:
    for key, body in (("a/1.dcm", instance()), ("a/2.dcm", content), ("a/3.dcm", instance())):
        stand.put(key, body)
    job = stand.run("a/")
    assert job["jobStatus"] == "COMPLETED"
    assert [line["inputFile"] for line in stand.lines(job, "SUCCESS/success.ndjson")] == [
        "a/1.dcm",
        "a/3.dcm",
    ]
    (refused,) = stand.lines(job, "FAILURE/failure.ndjson")
    assert refused == {
        "inputFile": "a/2.dcm",
        "exception": {"exceptionType": "ValidationException", "message": "DICOM attributes does not exist"},
    }


def test_an_object_that_s3_denies_fails_alone(
    make_stand: MakeStand, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = make_stand()
    stand.put("a/1.dcm", instance())
    stand.put("a/2.dcm", instance())
    read = s3.get_object
    monkeypatch.setattr(
        s3, "get_object", lambda **k: read(**k | {"Key": "no"}) if k["Key"] == "a/1.dcm" else read(**k)
    )
    job = stand.run("a/")
    assert stand.summary(job)["numberOfImportedFiles"] == 1
    (refused,) = stand.lines(job, "FAILURE/failure.ndjson")
    assert refused["exception"]["message"] == "S3 answered NoSuchKey to GetObject"


def test_a_mistake_of_the_emulator_in_one_file_is_a_server_error_of_that_file(
    make_stand: MakeStand, s3: S3Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stand = make_stand()
    stand.put("a/1.dcm", instance())
    stand.put("a/2.dcm", instance())
    read = s3.get_object
    monkeypatch.setattr(s3, "get_object", lambda **k: cast("Any", {}) if k["Key"] == "a/1.dcm" else read(**k))
    summary = stand.summary(stand.run("a/"))
    assert (summary["numberOfImportedFiles"], summary["numberOfFilesWithServerError"]) == (1, 1)
    assert "KeyError" in caplog.text


def test_the_metadata_files_of_an_import_are_not_imported(stand: Stand) -> None:
    stand.put("a/1.dcm", instance())
    stand.put("a/meta/study.json", b"{}")
    mapping = {"studyInstanceUID": "1.2.826.0.1.1", "metadataFilePath": "meta/study.json"}
    configuration = {"dicomJsonMetadataImportConfiguration": {"dicomMetadataMappings": [mapping]}}
    job = stand.run("a/", importConfiguration=configuration)
    summary = stand.summary(job)
    assert (summary["numberOfScannedFiles"], summary["numberOfFilesWithCustomerError"]) == (1, 0)
    assert job["importConfiguration"] == configuration
