"""What the workflow asks of HealthImaging, by the emulator's own fixtures, as any project would use them."""

from __future__ import annotations

from pathlib import Path

import pydicom.data
import pytest
from healthimaging_emulator import FailCall, RefuseInstance, Stand
from pydicom import dcmread

from dicom_ingest.contracts.messages.outcomes import Verdict
from dicom_ingest.contracts.messages.steps import ImportState
from dicom_ingest.errors import DataStoreGateClosedError, HealthImagingBusyError
from dicom_ingest.healthimaging import imports
from dicom_ingest.healthimaging.results import ImportResults
from tests.support.machine.waiting import wait_until

CT = Path(pydicom.data.__file__).parent / "test_files/CT_small.dcm"
SOP = dcmread(CT).SOPInstanceUID
ROLE = "arn:aws:iam::123456789012:role/import"


def order(stand: Stand) -> imports.ImportOrder:
    stand.s3.upload_file(str(CT), stand.input_bucket, f"edge/t/{SOP}.dcm")
    token = imports.client_token(stand.datastore_id, "t", "1.2", 1)
    where = (stand.input_bucket, "edge/t/", "results/t/1/")
    return imports.ImportOrder(stand.datastore_id, ROLE, *where, token, "ticket-1")


def results(stand: Stand, import_id: str) -> ImportResults:
    state = ImportState(import_id=import_id, status="SUBMITTED", poll_after_seconds=0)

    def ended() -> ImportState | None:
        now = imports.examine(stand.client, stand.s3, stand.datastore_id, state)
        return now if now.status in ("COMPLETED", "FAILED") else None

    return imports.results_of(stand.client, stand.s3, stand.datastore_id, wait_until(ended, "it ends"))


def test_an_import_is_started_followed_and_its_results_are_read(healthimaging: Stand) -> None:
    import_id = imports.start(healthimaging.client, order(healthimaging))
    found = results(healthimaging, import_id)
    assert (found.scanned, found.imported, found.lost) == (1, 1, False)
    (line,) = found.instances
    told = (line.sop_instance_uid, line.verdict, line.version, line.is_primary)
    assert told == (SOP, Verdict.IMPORTED, 1, True)


def test_the_same_order_finds_the_import_that_it_started(healthimaging: Stand) -> None:
    wanted = order(healthimaging)
    first = imports.start(healthimaging.client, wanted)
    assert imports.start(healthimaging.client, wanted) == first
    results(healthimaging, first)
    assert imports.find_started(healthimaging.client, healthimaging.s3, wanted) == first


def test_a_refused_instance_is_told_in_healthimagings_words(healthimaging: Stand) -> None:
    healthimaging.faults.add(RefuseInstance(sop_instance_uid=SOP, message="No."))
    found = results(healthimaging, imports.start(healthimaging.client, order(healthimaging)))
    assert [(line.verdict, line.message) for line in found.instances] == [
        (Verdict.FAILED, "InternalServerException: No.")
    ]


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        ("ServiceQuotaExceededException", HealthImagingBusyError),
        ("AccessDeniedException", DataStoreGateClosedError),
    ],
)
def test_errors_are_told_by_who_is_to_blame(
    healthimaging: Stand, error: str, raised: type[Exception]
) -> None:
    wanted = order(healthimaging)
    healthimaging.faults.add(FailCall(operation="StartDICOMImportJob", error=error))
    with pytest.raises(raised):
        imports.start(healthimaging.client, wanted)
