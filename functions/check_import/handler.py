"""CheckImport: ask HealthImaging once for the state of the import, and when to ask again."""

from __future__ import annotations

from dicom_ingest.contracts.messages.steps import CheckImportRequest, ImportState
from dicom_ingest.healthimaging.imports import examine
from dicom_ingest.runtime import clients
from dicom_ingest.runtime.settings import datastore_of
from dicom_ingest.runtime.step import step


def check_import(request: CheckImportRequest) -> ImportState:
    """The state of the import.

    Raises:
        HealthImagingBusyError, DataStoreGateClosedError, AwsAwayError
    """
    known = request.import_
    if known.status in ("NOT_NEEDED", "COMPLETED", "FAILED", "GONE"):  # only an older definition asks
        return known
    if known.status == "QUEUE_AGAIN":
        return known.model_copy(update={"retry": True})
    return examine(clients.medical_imaging(), clients.s3(), datastore_of(known), known)


handler = step(check_import)
