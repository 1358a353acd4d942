"""What the receiver knows of an association and of an instance: their columns in the journal."""

from __future__ import annotations

from typing import NamedTuple


class AssociationRow(NamedTuple):
    """Who sends. `association`: a name drawn by the receiver."""

    association: str
    calling_ae: str
    called_ae: str
    peer: str
    opened_at: float


class InstanceRow(NamedTuple):
    """An instance in the spool under `file`, `bytes` long; the CRC-32 is of all that was written to it.

    Its SHA-256 comes later, from the worker, which compares the CRC.
    """

    association: str
    file: str
    received_at: float
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str | None
    bytes: int
    file_crc32: int
    uid_findings: str = "[]"
    attributes: str = "{}"
    foretold: str = "[]"
    """JSON: a list of [code, tag, length], see `dicom_ingest.contracts.preflight`."""


Arrival = tuple[AssociationRow, InstanceRow]
"""An instance that has come, and who sent it."""
