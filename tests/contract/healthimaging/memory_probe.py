"""Run by test_memory: imports a large prefix and prints the process's peak memory.

The S3 stand-in makes each object when it is read, so that only the emulator's memory is measured.
"""

from __future__ import annotations

import gzip
import io
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy
from healthimaging_emulator import HealthImaging, Settings
from pydicom.uid import generate_uid

from .stand import ROLE, instance, part10

UID = "1.2.826.0.1.1.100000"


class GeneratedS3:
    """A bucket whose objects are made on demand; keeps what is put."""

    def __init__(self, sizes: list[int], make: Callable[[int], BinaryIO]) -> None:
        self._sizes = sizes
        self._make = make
        self.put: dict[str, bytes] = {}

    def get_paginator(self, _name: str) -> GeneratedS3:
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        yield {"Contents": [{"Key": f"a/{n:06}.dcm", "Size": size} for n, size in enumerate(self._sizes)]}

    def head_bucket(self, **_: Any) -> None:
        """The bucket exists."""

    def get_object(self, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return {"Body": self._make(int(Key[2:8]))}

    def put_object(self, Key: str, Body: Any, **_: Any) -> None:  # noqa: N803 - boto3's names
        self.put[Key] = Body if isinstance(Body, bytes) else Body.read()


def series_of(count: int) -> GeneratedS3:
    """A CT series of this many 128 x 128 images."""
    image = numpy.random.default_rng(1).integers(0, 4000, (128, 128)).astype("<u2")
    raw = part10(instance(SOPInstanceUID=UID, Rows=128, Columns=128, PixelData=image.tobytes()))
    return GeneratedS3(
        [len(raw)] * count,
        lambda n: io.BytesIO(raw.replace(UID.encode(), f"1.2.826.0.1.1.1{n:05}".encode())),
    )


def multi_frame(count: int) -> GeneratedS3:
    """One instance of this many 512 x 512 frames, on disk."""
    frame = numpy.random.default_rng(1).integers(0, 4000, (512, 512)).astype("<u2").tobytes()
    header = part10(instance(SOPInstanceUID=generate_uid(), Rows=512, Columns=512, NumberOfFrames=str(count)))
    start = header.index(b"\xe0\x7f\x10\x00OW\0\0")
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115 - lives as long as the process
    file.write(header[: start + 8] + (len(frame) * count).to_bytes(4, "little"))
    for _ in range(count):
        file.write(frame)
    file.flush()
    return GeneratedS3([file.tell()], lambda _: Path(file.name).open("rb"))


def main(kind: str, count: int) -> None:
    s3 = series_of(count) if kind == "series" else multi_frame(count)
    with HealthImaging(s3, Settings.fast()) as emulator:  # type: ignore[arg-type]
        store = emulator.ensure_datastore("probe")
        request = {
            "datastoreId": store,
            "dataAccessRoleArn": ROLE,
            "clientToken": "t",
            "inputS3Uri": "s3://dicom-input/a/",
            "outputS3Uri": "s3://import-output/o/",
        }
        job = {"datastoreId": store, "jobId": emulator.call("StartDICOMImportJob", request)["jobId"]}
        while (found := emulator.call("GetDICOMImportJob", job)["jobProperties"])["jobStatus"] != "COMPLETED":
            assert found["jobStatus"] != "FAILED", found
            time.sleep(0.05)
        (image_set,) = emulator.call("SearchImageSets", {"datastoreId": store})["imageSetsMetadataSummaries"]
        wanted = {"datastoreId": store, "imageSetId": image_set["imageSetId"]}
        blob = b"".join(emulator.call("GetImageSetMetadata", wanted)["imageSetMetadataBlob"])
    (manifest,) = (body for key, body in s3.put.items() if key.endswith("manifest.json"))
    document = json.loads(gzip.decompress(blob))
    (series,) = document["Study"]["Series"].values()
    frames = sum(len(each["ImageFrames"]) for each in series["Instances"].values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    imported = json.loads(manifest)["jobSummary"]["numberOfImportedFiles"]
    sys.stdout.write(json.dumps({"peak_mb": peak, "imported": imported, "frames": frames}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
