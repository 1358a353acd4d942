"""Every parameter of the edge in a table, from the model that reads it."""

from __future__ import annotations

from pydantic import BaseModel

from dicom_ingest.contracts.config import SenderConfig
from docs.generate.fields import describe
from docs.generate.markdown import table
from edge_component.settings import Settings

WORDS = {
    "name": "This edge among those of the stack; on Greengrass the thing's name says it.",
    "ae_title": "Title in answers and in reports of storage commitment.",
    "tls_certificate": "The edge's certificate chain, PEM.",
    "tls_key": "Its private key, PEM.",
    "max_pdu_bytes": "The largest PDU that is received.",
    "senders": "What is known of senders, see below.",
    "series_hard_cap_seconds": "So long after its first instance a series is complete whatever still comes.",
    "uploads_in_flight": "Uploads at the same time.",
    "backoff_base_seconds": "The first pause after a failed upload; each further one is longer.",
    "backoff_cap_seconds": "The longest such pause.",
    "aws_timeout": "For an answer of AWS.",
    "watermark_warn_percent": "Above it the log warns.",
    "watermark_slow_percent": "Above it answers wait a little, so that senders slow down.",
    "spool_max_bytes": "An allowance for the spool below the size of its disk.",
    "quarantine_days": "How long refused instances are kept for a person to look at.",
    "receipt_days": "How long it is known what was announced (without names).",
    "heartbeat_seconds": "Between two heartbeat events.",
    "log_format": "JSON lines, or lines for a terminal.",
    "log_level": "The least that is logged.",
    "calling_ae": "The sender's title.",
    "issuer_of_patient_id": "Whose patient ids it sends, where its objects do not say.",
    "series_quiet_seconds": "How long its series are quiet before they are complete.",
    "priority": "Its series wait for a slot before (live) or behind (bulk) others.",
    "commitment": "Where reports of storage commitment go: `ae`, `host`, `port`; `tls: true` for DICOM TLS.",
}
"""For fields of which the source says nothing more than their name."""


class UndescribedError(LookupError):
    """A parameter that neither the source nor WORDS explains."""


def edge_settings() -> str:
    """All parameters."""
    return _table(Settings)


def sender_settings() -> str:
    """What may be said of a sender."""
    return _table(SenderConfig)


def _table(model: type[BaseModel]) -> str:
    rows = [
        (f"`{field.name}`", field.default, field.allowed, field.meaning or WORDS.get(field.name, ""))
        for field in describe(model)
    ]
    if silent := [row[0] for row in rows if not row[3]]:
        raise UndescribedError(f"{', '.join(silent)}: say what it means, in the source or in WORDS")
    return table(("parameter", "default", "allowed", "meaning"), rows)
