"""What ``config.yaml`` says of the senders."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dicom_ingest.contracts.configuration.values import AeTitle
from dicom_ingest.contracts.messages.events import Priority
from dicom_ingest.contracts.messages.model import StrictModel


class CommitmentPeer(StrictModel):
    """Where storage commitment reports go."""

    ae: AeTitle
    host: str
    port: int = Field(ge=1, le=65535)
    tls: bool = False
    """Over DICOM TLS; its certificate must be for `host`."""


TransferSyntaxPreference = Literal["as_proposed", "lossless"]
"""Which of the proposed transfer syntaxes an edge accepts: the sender's first, or its first lossless one."""


class SenderConfig(StrictModel):
    """What is known of one sending application entity."""

    calling_ae: AeTitle
    issuer_of_patient_id: str | None = None
    priority: Priority = "live"
    series_quiet_seconds: float | None = Field(default=None, gt=0, le=86400)
    prefer: TransferSyntaxPreference = "as_proposed"
    """`lossless`: for senders that propose lossy compression first although they hold the original."""
    commitment: CommitmentPeer | None = None
    compress: Literal["off", "htj2k"] = "off"
    """`htj2k`: uncompressed images go to S3 as HTJ2K Lossless RPCL (1.2.840.10008.1.2.4.202). The edge
    compares every pixel and every element first. What it cannot compress exactly goes as it was received."""
