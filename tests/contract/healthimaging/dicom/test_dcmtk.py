"""Files that DCMTK wrote: other encodings of the same images import with the same pixels and attributes."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from pathlib import Path

import pydicom.data
import pytest
from pydicom.pixels.utils import iter_pixels

from ..stand import Stand

TEST_FILES = Path(pydicom.data.__file__).parent / "test_files"

CONVERSIONS = {
    "implicit VR": ("dcmconv", "+ti"),
    "big endian": ("dcmconv", "+tb"),
    "deflated": ("dcmconv", "+td"),
    "undefined lengths": ("dcmconv", "-e"),
    "group lengths": ("dcmconv", "+g"),
    "RLE": ("dcmcrle", "--uid-never"),
    "JPEG lossless": ("dcmcjpeg", "+e1", "--uid-never"),
    "JPEG lossless, any selection value": ("dcmcjpeg", "+el", "--uid-never"),
    "JPEG-LS": ("dcmcjpls", "--uid-never"),
}


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
@pytest.mark.parametrize("conversion", CONVERSIONS)
def test_a_conversion_by_dcmtk_imports_with_the_same_pixels(
    stand: Stand, tmp_path: Path, name: str, conversion: str
) -> None:
    program, *options = CONVERSIONS[conversion]
    if shutil.which(program) is None:
        pytest.skip(f"{program} of DCMTK is not installed")
    converted = tmp_path / "converted.dcm"
    subprocess.run([program, *options, TEST_FILES / name, converted], check=True, capture_output=True)
    stand.put("a/1.dcm", (TEST_FILES / name).read_bytes())
    stand.put("b/1.dcm", converted.read_bytes())
    first, second = stand.run("a/"), stand.run("b/")
    assert stand.lines(second, "FAILURE/failure.ndjson") == []
    assert stand.lines(second, "WARNING/warning.ndjson") == []
    (image_set,) = stand.image_sets()
    assert (first["jobStatus"], image_set["version"]) == ("COMPLETED", 2)
    (before,) = stand.instances(image_set["imageSetId"], "1").values()
    (after,) = stand.instances(image_set["imageSetId"], "2").values()
    (pixels,) = iter_pixels(TEST_FILES / name, raw=True)
    (frame,) = after["ImageFrames"]
    assert frame["PixelDataChecksumFromBaseToFullResolution"][0]["Checksum"] == zlib.crc32(pixels.tobytes())
    assert after["DICOM"]["Rows"] == before["DICOM"]["Rows"]
    assert after["DICOM"]["ImagePositionPatient"] == before["DICOM"]["ImagePositionPatient"]
