"""The console and the emulator with the packages of the `local` group, which `make up` installs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pydicom.data
import pytest

ROOT = Path(__file__).parents[3]
HTJ2K, JPEG, JPEG_2000 = (f"1.2.840.10008.1.2.4.{end}" for end in ("202", "50", "91"))
ENCODINGS = {
    "CT_small.dcm": (HTJ2K, "image/png"),
    "MR_small_RLE.dcm": (HTJ2K, "image/png"),
    "MR_small_jpeg_ls_lossless.dcm": (HTJ2K, "image/png"),
    "SC_rgb_jpeg_gdcm.dcm": (HTJ2K, "image/png"),
    "SC_ybr_full_422_uncompressed.dcm": (HTJ2K, "image/png"),
    "JPEG-lossy.dcm": (HTJ2K, "image/png"),
    "J2K_pixelrep_mismatch.dcm": (HTJ2K, "image/png"),
    "JPEG2000.dcm": (JPEG_2000, "image/png"),
    "SC_rgb_small_odd_jpeg.dcm": (JPEG, "image/jpeg"),
    "examples_palette.dcm": (HTJ2K, "image/png"),
    "examples_ybr_color.dcm": (JPEG, "image/jpeg"),
}


def local_group() -> list[str]:
    """The names in the exported lock."""
    lines = (ROOT / "requirements/local.txt").read_text(encoding="utf-8").splitlines()
    return [found[1] for line in lines if (found := re.match(r"([a-z0-9][a-z0-9._-]*)==", line))]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with links to the packages of the group that are installed here."""
    folder = tmp_path_factory.mktemp("local-group")
    for name in local_group():
        try:
            installed = distribution(name)
        except PackageNotFoundError:  # of another platform
            continue
        for top in {file.parts[0] for file in installed.files or []} - {"..", "__pycache__"}:
            link = folder / top
            if not link.exists():
                link.symlink_to(str(installed.locate_file(top)))
    return folder


def test_every_frame_is_stored_and_shown_as_it_is_with_all_packages(packages: Path, tmp_path: Path) -> None:
    test_files = Path(pydicom.data.__file__).parent / "test_files"
    for name in ENCODINGS:
        (tmp_path / name).symlink_to(test_files / name)
    paths = [packages, ROOT, ROOT / "healthimaging-emulator/src"]
    done = subprocess.run(
        [sys.executable, "-S", "-m", "tests.unit.console.local_group", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["job"]["numberOfImportedFiles"] == len(ENCODINGS)
    assert found["warnings"] == []
    assert {tuple(each) for each in found["pictures"]} == set(ENCODINGS.values())
