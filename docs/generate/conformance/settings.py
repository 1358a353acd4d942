"""Every parameter of the edge in a table, from the model that reads it."""

from __future__ import annotations

from pydantic import BaseModel

from dicom_ingest.contracts.configuration.senders import SenderConfig
from dicom_ingest.contracts.configuration.uplink import UplinkRule
from docs.generate.fields import describe
from docs.generate.markdown import table
from edge_component.settings import Settings

WORDS = {
    "name": "The name of this edge in the stack; on Greengrass it comes from the thing's name.",
    "ae_title": "Title in answers and in reports of storage commitment.",
    "tls_certificate": "The edge's certificate chain, PEM.",
    "tls_key": "Its private key, PEM.",
    "max_pdu_bytes": "The largest PDU that is received.",
    "senders": "Settings for individual senders, see below.",
    "series_hard_cap_seconds": "A series is complete this long after its first instance, even if more come.",
    "uploads_in_flight": "Uploads at the same time.",
    "backoff_base_seconds": "The first pause after a failed upload; each further one is longer.",
    "backoff_cap_seconds": "The longest such pause.",
    "aws_timeout": "Time limit for an answer of AWS.",
    "watermark_warn_percent": "Above it the log has a warning.",
    "watermark_slow_percent": "Above it answers are delayed, so that senders slow down.",
    "spool_max_bytes": "A limit for the spool that is smaller than its disk.",
    "quarantine_days": "How long refused instances are kept for a person to look at.",
    "receipt_days": "How long receipts of announced instances are kept (without names).",
    "heartbeat_seconds": "Interval between heartbeat events.",
    "log_format": "JSON lines, or text for a terminal.",
    "log_level": "The lowest level that is logged.",
    "calling_ae": "The sender's title.",
    "issuer_of_patient_id": "The issuer of its patient ids, if its objects do not name one.",
    "series_quiet_seconds": "How long its series must be quiet before they are complete.",
    "priority": "Its series are served before (live) or after (bulk) others.",
    "commitment": "Address of storage commitment reports: `ae`, `host`, `port`; `tls: true` for DICOM TLS.",
}
"""For fields without a docstring in the source."""


class UndescribedError(LookupError):
    """A parameter that neither the source nor WORDS explains."""


def edge_settings() -> str:
    """All parameters."""
    return _table(Settings)


def sender_settings() -> str:
    """The settings of a sender."""
    return _table(SenderConfig)


def uplink_rules() -> str:
    """The fields of one limit."""
    return _table(UplinkRule)


def _table(model: type[BaseModel]) -> str:
    rows = [
        (f"`{field.name}`", field.default, field.allowed, field.meaning or WORDS.get(field.name, ""))
        for field in describe(model)
    ]
    if silent := [row[0] for row in rows if not row[3]]:
        raise UndescribedError(f"{', '.join(silent)}: say what it means, in the source or in WORDS")
    return table(("parameter", "default", "allowed", "meaning"), rows)
