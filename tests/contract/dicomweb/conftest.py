"""An emulator with the example studies and files of pydicom, imported once for the whole module."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom.data
import pytest
from healthimaging_emulator import Settings, Stand

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).parents[3]
TEST_FILES = Path(pydicom.data.__file__).parent / "test_files"
NAMES = (
    "CT_small.dcm", "MR_small_implicit.dcm", "ExplVR_BigEnd.dcm", "SC_rgb_rle_2frame.dcm", "JPEG2000.dcm",
    "examples_palette.dcm", "examples_rgb_color.dcm", "liver_1frame.dcm", "SC_rgb_jpeg_dcmtk.dcm",
    "SC_ybr_full_422_uncompressed.dcm", "rtdose.dcm", "rtplan.dcm", "test-SR.dcm", "image_dfl.dcm",
    "SC_rgb_small_odd.dcm", "examples_overlay.dcm",
)  # fmt: skip


@dataclass(frozen=True)
class Answered:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Web:
    """DICOMweb of one data store."""

    url: str
    stand: Stand

    def get(self, path: str, accept: str | None = "application/dicom+json", **headers: str) -> Answered:
        return self.send("GET", path, headers | ({"Accept": accept} if accept else {}))

    def post(self, path: str, body: bytes, content_type: str = "application/dicom") -> Answered:
        return self.send(
            "POST", path, {"Content-Type": content_type, "Accept": "application/dicom+json"}, body
        )

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> Answered:
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answered(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answered(error.code, dict(error.headers), error.read())


def web(stand: Stand) -> Web:
    return Web(f"{stand.url}/datastore/{stand.datastore_id}", stand)


@pytest.fixture(scope="module")
def imported(healthimaging_s3: S3Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """With the studies of dcmdata and single files of many kinds."""
    folder = tmp_path_factory.mktemp("files")
    for name in NAMES:
        shutil.copy(TEST_FILES / name, folder)
    for study in ("ct-torso/1-scout", "dx-chest", "mr-head/2-t2-axial"):
        shutil.copytree(ROOT / "dcmdata" / study, folder / study)
    with Stand(healthimaging_s3, Settings.fast()) as stand:
        job = stand.import_folder(folder)
        assert [each["inputFile"].rpartition("/")[2] for each in job.failures] == []
        yield web(stand)


@pytest.fixture
def empty(healthimaging: Stand) -> Web:
    """With nothing."""
    return web(healthimaging)
