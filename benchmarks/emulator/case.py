"""One case in a process of its own: ``python -m benchmarks.emulator.case ct_series 4500 512``; JSON."""

from __future__ import annotations

import gzip
import http.client
import json
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from typing import Any, cast
from urllib.parse import urlsplit

from healthimaging_emulator import HealthImaging, Settings, serve

from benchmarks.emulator.input import GeneratedS3, ct_series, multi_frame, studies
from benchmarks.processes import peak_kibibytes

ROLE = "arn:aws:iam::123456789012:role/import"
CLIENTS = 32
REQUESTS = 6_400
INPUTS = {"multi_frame": multi_frame, "studies": studies}
SEARCHES = [
    ("newest_100_ms", "limit=100"),
    ("last_100_ms", "limit=100&offset=9900"),
    ("one_patient_ms", "PatientID=PAT-004711"),
    ("prefix_ms", "PatientID=PAT-0047*"),
]


def imported(emulator: HealthImaging, s3: GeneratedS3) -> dict[str, Any]:
    """Import all of it; the figures, with the ids that are needed to go on."""
    store = emulator.ensure_datastore("benchmark")
    began, cpu = time.perf_counter(), time.process_time()
    for prefix in s3.prefixes:
        _import(emulator, store, prefix)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    image_set = emulator.call("SearchImageSets", {"datastoreId": store})["imageSetsMetadataSummaries"][0]
    wanted = {"datastoreId": store, "imageSetId": image_set["imageSetId"]}
    blob = b"".join(emulator.call("GetImageSetMetadata", wanted)["imageSetMetadataBlob"])
    (series,) = json.loads(gzip.decompress(blob))["Study"]["Series"].values()
    frames = [frame["ID"] for each in series["Instances"].values() for frame in each["ImageFrames"]]
    manifests = [json.loads(body) for key, body in s3.put.items() if key.endswith("manifest.json")]
    return {
        **wanted,
        "frame_ids": frames,
        "frames": len(frames),
        "imported": sum(each["jobSummary"]["numberOfImportedFiles"] for each in manifests),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "megabytes": round(sum(s3.sizes) / 1e6),
    }


def _import(emulator: HealthImaging, store: str, prefix: str) -> None:
    request = {
        "datastoreId": store,
        "dataAccessRoleArn": ROLE,
        "clientToken": f"benchmark-{prefix[0]}",
        "inputS3Uri": f"s3://dicom-input/{prefix}",
        "outputS3Uri": "s3://import-output/o/",
    }
    job = {"datastoreId": store, "jobId": emulator.call("StartDICOMImportJob", request)["jobId"]}
    while (found := emulator.call("GetDICOMImportJob", job)["jobProperties"])["jobStatus"] != "COMPLETED":
        if found["jobStatus"] == "FAILED":
            raise RuntimeError(found["message"])
        time.sleep(0.02)


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


def searched(emulator: HealthImaging, found: dict[str, Any]) -> dict[str, Any]:
    """QIDO-RS over HTTP by one client: the milliseconds of the first search, and of others after it."""
    root = f"/datastore/{found['datastoreId']}/studies"
    took: dict[str, list[float]] = defaultdict(list)
    with serve(emulator) as server:
        connection = http.client.HTTPConnection(str(urlsplit(server.url).netloc))
        for question, query in [("first_search_ms", "limit=100"), *SEARCHES * 20]:
            began = time.perf_counter()
            connection.request("GET", f"{root}?{query}", headers={"Accept": "application/dicom+json"})
            answer = connection.getresponse()
            content = json.loads(answer.read())
            took[question].append((time.perf_counter() - began) * 1000)
            if not content:
                raise RuntimeError(f"{query}: nothing found")
        connection.close()
    return {question: round(statistics.median(each), 1) for question, each in took.items()}


def main(kind: str, count: int, side: int) -> None:
    """Print the figures of one case."""
    s3 = INPUTS.get(kind, ct_series)(count, side)
    with HealthImaging(cast("Any", s3), Settings.fast()) as emulator:
        found = imported(emulator, s3)
        if kind == "frames":
            found |= asked(emulator, found)
        if kind == "studies":
            found |= searched(emulator, found)
    found["peak_mb"] = peak_kibibytes() // 1024
    for name in ("frame_ids", "datastoreId", "imageSetId"):
        del found[name]
    print(json.dumps(found))  # noqa: T201 - the process's answer


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
