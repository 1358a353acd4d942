"""Clients that others made do their work: AWS CLI, SDK for JavaScript, AWS's exporter to DICOM files."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path
from typing import Any

import openjpeg
import pydicom.data
import pytest
from pydicom import dcmread

from ..stand import INPUT, OUTPUT, ROLE, Stand, instance

pytestmark = pytest.mark.xdist_group("healthimaging-clients")
HERE = Path(__file__).parent
TEST_FILES = Path(pydicom.data.__file__).parent / "test_files"


def ran(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_aws_cli_imports_searches_and_fetches(stand: Stand, python_clients: Path, tmp_path: Path) -> None:
    def aws(command: str, *arguments: str) -> Any:
        said = ran(
            [
                str(python_clients / "python"),
                str(python_clients / "aws"),
                "medical-imaging",
                command,
                *arguments,
            ]
        )
        return json.loads(said)

    stand.put("a/1.dcm", (TEST_FILES / "CT_small.dcm").read_bytes())
    (store,) = aws("list-datastores")["datastoreSummaries"]
    place = ["--datastore-id", store["datastoreId"]]
    uris = ["--input-s3-uri", f"s3://{INPUT}/a/", "--output-s3-uri", f"s3://{OUTPUT}/"]
    started = aws(
        "start-dicom-import-job", *place, *uris, "--data-access-role-arn", ROLE, "--job-name", "cli"
    )
    stand.wait_for_status(started["jobId"], "COMPLETED")
    job = aws("get-dicom-import-job", *place, "--job-id", started["jobId"])["jobProperties"]
    assert (job["jobStatus"], job["jobName"]) == ("COMPLETED", "cli")
    (found,) = aws("search-image-sets", *place)["imageSetsMetadataSummaries"]
    place += ["--image-set-id", found["imageSetId"]]
    assert aws("get-image-set", *place)["imageSetState"] == "ACTIVE"
    assert len(aws("list-image-set-versions", *place)["imageSetPropertiesList"]) == 1
    assert aws("get-image-set-metadata", *place, str(tmp_path / "metadata"))["contentEncoding"] == "gzip"
    document = json.loads(gzip.decompress((tmp_path / "metadata").read_bytes()))
    (series,) = document["Study"]["Series"].values()
    ((frame,),) = (each["ImageFrames"] for each in series["Instances"].values())
    which = ["--image-frame-information", f"imageFrameId={frame['ID']}"]
    assert aws("get-image-frame", *place, *which, str(tmp_path / "frame"))["contentType"] == "image/jph"
    pixels = openjpeg.utils.decode((tmp_path / "frame").read_bytes(), 2)  # 2: as a JP2 file
    assert (pixels == dcmread(TEST_FILES / "CT_small.dcm").pixel_array).all()


def test_the_sdk_for_javascript_imports_searches_and_fetches(stand: Stand, javascript_client: Path) -> None:
    stand.put("a/1.dcm", instance())
    stand.put("a/2.dcm", instance(SeriesInstanceUID="1.2.3"))
    script = javascript_client / "ask.mjs"
    script.write_text((HERE / "ask.mjs").read_text(encoding="utf-8"), encoding="utf-8")
    uris = [f"s3://{INPUT}/a/", f"s3://{OUTPUT}/"]
    assert json.loads(ran(["node", str(script), stand.server.url, *uris])) == {
        "store": "ACTIVE",
        "job": "COMPLETED",
        "imageSets": 2,
        "versionId": "1",
        "versions": 1,
        "patient": "P1",
        "contentType": "image/jph",
        "signature": "jP  ",
        "error": "ResourceNotFoundException",
    }


EXPORT = """
import sys
from AHItoDICOMInterface.AHItoDICOM import AHItoDICOM
if __name__ == "__main__":
    url, store, image_set, folder = sys.argv[1:]
    client = AHItoDICOM(AHI_endpoint=url, fetcher_process_count=1, dicomizer_process_count=1)
    for number, dataset in enumerate(client.DICOMizeImageSet(datastore_id=store, image_set_id=image_set)):
        dataset.save_as(f"{folder}/{number}.dcm")
"""


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_RLE.dcm", "examples_rgb_color.dcm"])
def test_awss_exporter_gives_the_same_pixels_back(
    stand: Stand, python_clients: Path, tmp_path: Path, name: str
) -> None:
    stand.put("a/1.dcm", (TEST_FILES / name).read_bytes())
    (image_set,) = stand.summary(stand.run("a/"))["imageSetsSummary"]
    (tmp_path / "export.py").write_text(EXPORT, encoding="utf-8")
    where = [stand.server.url, stand.datastore_id, image_set["imageSetId"], str(tmp_path)]
    ran([str(python_clients / "python"), str(tmp_path / "export.py"), *where])
    (exported,) = tmp_path.glob("*.dcm")
    original, found = dcmread(TEST_FILES / name), dcmread(exported)
    assert (found.pixel_array == original.pixel_array).all()
    assert (found.PatientID, found.SOPInstanceUID) == (original.PatientID, original.SOPInstanceUID)
