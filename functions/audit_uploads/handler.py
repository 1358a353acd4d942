"""AuditUploads: compare S3 with the index; every difference comes with the command that fixes it."""

from __future__ import annotations

from dicom_ingest.contracts.messages.steps import AuditUploadsReply, AuditUploadsRequest
from dicom_ingest.contracts.platform.wiring import AUDIT_FINDINGS
from dicom_ingest.db.server.connection import database
from dicom_ingest.runtime import clients
from dicom_ingest.runtime.settings import settings
from dicom_ingest.runtime.step import step
from dicom_ingest.upkeep import audit
from dicom_ingest.workflow.metrics import count


def audit_uploads(request: AuditUploadsRequest) -> AuditUploadsReply:
    """Manifests without a row, uneven shared imports, objects older than a day without a manifest.

    Raises:
        DatabaseAwayError, DatabaseConflictError, AwsAwayError
    """
    reply = audit.compare(database(), clients.s3(), settings().bucket, settings().stack, request.days)
    count(AUDIT_FINDINGS, reply.found)
    return reply


handler = step(audit_uploads)
