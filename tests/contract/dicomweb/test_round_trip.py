"""What was imported comes back: every element and every pixel."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels

from .conftest import NAMES, ROOT, TEST_FILES, Web

DATA = ROOT / "dcmdata"
FILES = [*(TEST_FILES / name for name in NAMES), *sorted((DATA / "dx-chest").rglob("*.dcm"))]
EXPLICIT = "1.2.840.10008.1.2.1"
CHANGED = {"PixelData", "PhotometricInterpretation", "PlanarConfiguration", "WarningReason"}
"""By the encoding of colours, and by what the import warned of; the rest of the data set is as it was."""


def location(ds: Dataset) -> str:
    return f"/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"


def elements(ds: Dataset) -> dict[Any, Any]:
    return {
        element.tag: element.value
        for element in ds
        if element.keyword not in CHANGED and element.tag.element  # a retired group length is not kept
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_instance_comes_back_with_every_element_and_every_pixel(imported: Web, path: Path) -> None:
    sent = pydicom.dcmread(path)
    for accept in ("application/dicom; transfer-syntax=*", "application/dicom"):
        answer = imported.get(location(sent), accept)
        if answer.status == 406:
            assert accept == "application/dicom"
            continue
        assert answer.status == 200, answer.body
        back = pydicom.dcmread(BytesIO(answer.body))
        assert (
            answer.headers["Content-Type"]
            == f"application/dicom; transfer-syntax={back.file_meta.TransferSyntaxUID}"
        )
        assert elements(back) == elements(sent)
        if accept == "application/dicom":
            assert back.file_meta.TransferSyntaxUID == EXPLICIT
        if "PixelData" in sent:
            same_pixels(sent, back)


def same_pixels(sent: Dataset, back: Dataset) -> None:
    before, after = (list(iter_pixels(each, raw=True)) for each in (sent, back))
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("number", ["1", "1,2"])
def test_frames_come_in_the_encoding_that_is_asked_for(imported: Web, number: str) -> None:
    sent = pydicom.dcmread(TEST_FILES / "CT_small.dcm")
    native = "multipart/related; type=application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    answer = imported.get(f"{location(sent)}/frames/{number}", native)
    if number != "1":
        assert answer.status == 404
        assert "the instance has 1" in answer.json["message"]
        return
    assert answer.headers["Content-Type"].startswith('multipart/related; type="application/octet-stream"')
    assert sent.PixelData in answer.body


def test_a_codestream_and_not_a_file_is_a_frame(imported: Web) -> None:
    sent = pydicom.dcmread(TEST_FILES / "CT_small.dcm")
    accept = "multipart/related; type=image/jphc; transfer-syntax=1.2.840.10008.1.2.4.202"
    answer = imported.get(f"{location(sent)}/frames/1", accept)
    assert answer.status == 200
    _, _, part = answer.body.partition(b"\r\n\r\n")
    assert part[:2] == b"\xff\x4f"


def test_several_media_types_are_tried_in_order(imported: Web) -> None:
    sent = pydicom.dcmread(TEST_FILES / "CT_small.dcm")
    accept = (
        'multipart/related; type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.50, '
        'multipart/related; type="application/octet-stream"; transfer-syntax=*'
    )
    answer = imported.get(f"{location(sent)}/frames/1", accept)
    assert answer.status == 200
    assert b"transfer-syntax=1.2.840.10008.1.2.4.202" in answer.body


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("", "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50"),
        ("", "image/png"),
        ("/frames/1", "multipart/related; type=image/jpeg"),
        ("/metadata", "application/dicom+xml"),
    ],
)
def test_what_cannot_be_given_is_not_acceptable(imported: Web, path: str, accept: str) -> None:
    answer = imported.get(location(pydicom.dcmread(TEST_FILES / "CT_small.dcm")) + path, accept)
    assert answer.status == 406
    assert answer.headers["x-amzn-ErrorType"] == "NotAcceptableException"


@pytest.mark.parametrize("numbers", ["0", "a", "1,1", "1,", "-1"])
def test_impossible_frame_numbers_are_refused(imported: Web, numbers: str) -> None:
    sent = pydicom.dcmread(TEST_FILES / "CT_small.dcm")
    assert imported.get(f"{location(sent)}/frames/{numbers}", "*/*").status == 400


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_metadata_has_every_element_as_dicom_json(imported: Web, path: Path) -> None:
    sent = pydicom.dcmread(path)
    (found,) = imported.get(f"{location(sent)}/metadata").json
    assert {"00020010", "00083002"} <= found.keys()
    back = Dataset.from_json({tag: value for tag, value in found.items() if tag > "0003"})
    del back.AvailableTransferSyntaxUID
    if "PixelData" in sent:
        del sent.PixelData
    for element in sent:
        if element.VR not in ("OB", "OW", "UN", "SQ") and element.tag.element:
            assert back[element.tag].value == element.value, element.tag


def test_the_metadata_of_a_series_is_in_the_order_of_its_instances(imported: Web) -> None:
    files = sorted((DATA / "mr-head/2-t2-axial").glob("*.dcm"))
    first = pydicom.dcmread(files[0])
    found = imported.get(f"/studies/{first.StudyInstanceUID}/series/{first.SeriesInstanceUID}/metadata").json
    numbers = [each["00200013"]["Value"][0] for each in found]
    assert (len(found), numbers) == (len(files), sorted(numbers))


def test_long_binary_values_are_bulk_data(empty: Web) -> None:
    ds = pydicom.dcmread(TEST_FILES / "CT_small.dcm")
    ds.add_new(0x00091001, "OB", bytes(range(250)) * 5000)
    buffer = BytesIO()
    ds.save_as(buffer)
    assert empty.post("/studies", buffer.getvalue()).status == 200
    (found,) = empty.get(f"{location(ds)}/metadata").json
    uri = found["00091001"]["BulkDataURI"]
    assert uri.startswith(f"{empty.url}{location(ds)}/bulkdata/")
    answer = empty.get(uri.removeprefix(empty.url), "application/octet-stream")
    assert (answer.status, answer.body) == (200, ds[0x00091001].value)
    assert empty.get(f"{location(ds)}/bulkdata/none", "*/*").status == 404


def test_an_updated_attribute_is_in_what_is_retrieved(empty: Web) -> None:
    path = TEST_FILES / "CT_small.dcm"
    ds = pydicom.dcmread(path)
    assert empty.post("/studies", path.read_bytes()).status == 200
    (image_set,) = empty.stand.image_sets()
    update = b'{"SchemaVersion": 1.1, "Study": {"DICOM": {"StudyDescription": "corrected"}}}'
    empty.stand.client.update_image_set_metadata(
        datastoreId=empty.stand.datastore_id,
        imageSetId=image_set["imageSetId"],
        latestVersionId="1",
        updateImageSetMetadataUpdates={"DICOMUpdates": {"updatableAttributes": update}},
    )
    empty.stand._wait(lambda: next(empty.stand.image_sets())["version"] == 2 or None, "a new version", 20)

    def description() -> str | None:
        (found,) = empty.get(f"{location(ds)}/metadata").json
        values: list[str] = found["00081030"].get("Value", [])
        return values[0] if values == ["corrected"] else None

    assert empty.stand._wait(description, "the corrected description", 20) == "corrected"
    back = pydicom.dcmread(BytesIO(empty.get(location(ds), "application/dicom").body))
    assert back.StudyDescription == "corrected"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.array_equal(back.pixel_array, ds.pixel_array)
