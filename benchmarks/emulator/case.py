"""One case in a process of its own: ``python -m benchmarks.emulator.case ct_series 4500 512``; JSON."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from typing import Any, cast

from healthimaging_emulator import HealthImaging, Settings, serve

from benchmarks.emulator.input import GeneratedS3, ct_series, multi_frame
from benchmarks.processes import peak_kibibytes

ROLE = "arn:aws:iam::123456789012:role/import"
CLIENTS = 32
REQUESTS = 6_400


def imported(emulator: HealthImaging, s3: GeneratedS3) -> dict[str, Any]:
    """Import all of it; the figures, with the ids that are needed to go on."""
    store = emulator.ensure_datastore("benchmark")
    request = {
        "datastoreId": store,
        "dataAccessRoleArn": ROLE,
        "clientToken": "benchmark",
        "inputS3Uri": "s3://dicom-input/a/",
        "outputS3Uri": "s3://import-output/o/",
    }
    began, cpu = time.perf_counter(), time.process_time()
    job = {"datastoreId": store, "jobId": emulator.call("StartDICOMImportJob", request)["jobId"]}
    while (found := emulator.call("GetDICOMImportJob", job)["jobProperties"])["jobStatus"] != "COMPLETED":
        if found["jobStatus"] == "FAILED":
            raise RuntimeError(found["message"])
        time.sleep(0.02)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    (image_set,) = emulator.call("SearchImageSets", {"datastoreId": store})["imageSetsMetadataSummaries"]
    wanted = {"datastoreId": store, "imageSetId": image_set["imageSetId"]}
    blob = b"".join(emulator.call("GetImageSetMetadata", wanted)["imageSetMetadataBlob"])
    (series,) = json.loads(gzip.decompress(blob))["Study"]["Series"].values()
    frames = [frame["ID"] for each in series["Instances"].values() for frame in each["ImageFrames"]]
    (manifest,) = (body for key, body in s3.put.items() if key.endswith("manifest.json"))
    return {
        **wanted,
        "frame_ids": frames,
        "frames": len(frames),
        "imported": json.loads(manifest)["jobSummary"]["numberOfImportedFiles"],
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "megabytes": round(sum(s3.sizes) / 1e6),
    }


def asked(emulator: HealthImaging, found: dict[str, Any]) -> dict[str, Any]:
    """The frames over HTTP, by clients in another process."""
    with serve(emulator) as server:
        command = [sys.executable, "-m", "benchmarks.emulator.clients", server.url]
        command += [str(CLIENTS), str(REQUESTS)]
        done = subprocess.run(  # noqa: S603 - a module of ours
            command, input=json.dumps(found), capture_output=True, text=True, check=True
        )
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def main(kind: str, count: int, side: int) -> None:
    """Print the figures of one case."""
    s3 = multi_frame(count, side) if kind == "multi_frame" else ct_series(count, side)
    with HealthImaging(cast("Any", s3), Settings.fast()) as emulator:
        found = imported(emulator, s3)
        if kind == "frames":
            found |= asked(emulator, found)
    found["peak_mb"] = peak_kibibytes() // 1024
    for name in ("frame_ids", "datastoreId", "imageSetId"):
        del found[name]
    print(json.dumps(found))  # noqa: T201 - the process's answer


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
