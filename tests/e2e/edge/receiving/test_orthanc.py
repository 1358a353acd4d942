"""Orthanc as sender: another implementation of storage and storage commitment (PS3.4 B, J) than ours."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from tests.support.edge.aws import EdgeCloud
from tests.support.edge.dicom import series_of, uid
from tests.support.edge.process import EdgeProcess
from tests.support.machine.orthanc import PROGRAM, Orthanc
from tests.support.machine.programs import require
from tests.support.machine.waiting import wait_until

NO_SUCH_INSTANCE = 0x0112


def part10(ds: Dataset) -> bytes:
    file = io.BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


def report(orthanc: Orthanc, transaction: str) -> Any:
    """Its record of a transaction, when the N-EVENT-REPORT has come."""

    def reported() -> Any:
        found = orthanc.get(f"/storage-commitment/{transaction}")
        return found if found["Status"] != "Pending" else None

    return wait_until(reported, "the report has come")


def test_orthanc_stores_asks_for_commitment_and_is_told(tmp_path: Path, cloud: EdgeCloud) -> None:
    require(PROGRAM)
    datasets = series_of(3)
    with Orthanc(tmp_path / "orthanc") as orthanc:
        peer = {"ae": orthanc.ae_title, "host": "127.0.0.1", "port": orthanc.dicom_port}
        senders = [{"calling_ae": orthanc.ae_title, "commitment": peer}]
        with EdgeProcess(tmp_path, cloud.environment, senders=senders) as edge:
            orthanc.start("DICOM-INGEST", edge.dicom_port)
            assert orthanc.post("/modalities/edge/echo", {}) == {}
            ids = [orthanc.post("/instances", part10(ds))["ID"] for ds in datasets]
            stored = orthanc.post(
                "/modalities/edge/store", {"Resources": ids, "StorageCommitment": True, "Synchronous": True}
            )
            assert (stored["InstancesCount"], stored["FailedInstancesCount"]) == (3, 0)
            committed = report(orthanc, stored["StorageCommitmentTransactionUID"])
            assert committed["Status"] == "Success"
            assert committed["RemoteAET"] == "DICOM-INGEST"
            assert {item["SOPInstanceUID"] for item in committed["Success"]} == {
                str(ds.SOPInstanceUID) for ds in datasets
            }
            unknown = [str(datasets[0].SOPClassUID), uid()]
            asked = orthanc.post("/modalities/edge/storage-commitment", {"DicomInstances": [unknown]})
            refused = report(orthanc, asked["ID"])
            assert refused["Status"] == "Failure"
            assert [item["FailureReason"] for item in refused["Failures"]] == [NO_SUCH_INSTANCE]
            wait_until(lambda: edge.status()["series_announced"] == 1, "the series is announced")
            wait_until(lambda: len(edge.log_lines("storage commitment reported")) == 2, "both were answered")
    [event] = cloud.announcements()
    assert event["detail"]["instance_count"] == 3
    assert event["detail"]["calling_ae"] == orthanc.ae_title
