"""The bytes that announce a series transfer, built once from the journal."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from dicom_ingest.contracts.keys import ManifestKey, SeriesPrefix
from dicom_ingest.contracts.messages.events import MAX_EVENT_BYTES, SeriesComplete
from dicom_ingest.contracts.messages.manifest import (
    VERSION,
    Foretold,
    Manifest,
    ManifestInstance,
    ManifestLink,
    ManifestTransfer,
    MissingInstance,
    StoredObject,
    check_record,
    encode_manifest,
)
from edge_component.assembling.transfers import correlation_id
from edge_component.running.clock import moment
from edge_component.settings import Settings

SEQUENCE = '"SQ"'
FLAT_SEQUENCES = 30
"""Up to so many sequences cannot be nested deeper than a reader goes."""


class UndescribableError(ValueError):
    """A series of which no manifest or event can be made."""


@dataclass(frozen=True)
class Announcement:
    """What is put and what is announced. `sha256`: of the manifest's lines.

    `dropped`: attributes that were left out, by instance.
    """

    manifest_key: str
    manifest: bytes
    sha256: str
    event: str
    dropped: tuple[str, ...] = ()


def build_announcement(
    journal: sqlite3.Connection,
    sequence: int,
    settings: Settings,
    link: ManifestLink | None = None,
    *,
    tolerant: bool = False,
) -> Announcement:
    """Manifest and event of a sealed series transfer.

    `link`: its place in the chain. `tolerant`: attributes that cannot be written are left out.

    Raises:
        UndescribableError: they cannot be made.
    """
    dropped: list[str] = []
    try:
        return _build(journal, sequence, settings, link, dropped if tolerant else None)
    except (ValueError, RecursionError) as error:  # of pydantic, of JSON, of a contract
        first = next(iter(str(error).splitlines()), "")
        raise UndescribableError(f"{type(error).__name__}: {first}") from error


def _build(
    journal: sqlite3.Connection,
    sequence: int,
    settings: Settings,
    link: ManifestLink | None,
    dropped: list[str] | None,
) -> Announcement:
    transfer = journal.execute("SELECT * FROM series_transfer WHERE sequence = ?", (sequence,)).fetchone()
    rows = journal.execute(
        """SELECT i.*, a.calling_ae, a.called_ae, a.peer
             FROM instance i JOIN association a USING (association)
            WHERE i.sequence = ? ORDER BY i.instance""",
        (sequence,),
    ).fetchall()
    prefix = SeriesPrefix(
        settings.edge,
        transfer["transfer_id"],
        transfer["study_instance_uid"],
        transfer["series_instance_uid"],
    )
    sent = [_instance(row, prefix, dropped) for row in rows if row["state"] == "uploaded"]
    missing = [_missing(row) for row in rows if row["state"] != "uploaded"]
    head = _head(transfer, rows, settings, len(sent), sum(instance.stored_bytes for instance in sent))
    encoded = encode_manifest(Manifest(head.model_copy(update={"chain": link}), sent, missing))
    key = ManifestKey(
        settings.edge, head.sealed_at.date(), transfer["transfer_id"], transfer["series_instance_uid"]
    )
    event = SeriesComplete(
        correlation_id=head.correlation_id,
        edge=head.edge,
        transfer_id=head.transfer_id,
        sequence=head.sequence,
        study_instance_uid=head.study_instance_uid,
        series_instance_uid=head.series_instance_uid,
        modality=head.modality,
        priority=head.priority,
        bucket=settings.bucket,
        prefix=str(prefix),
        manifest_key=str(key),
        manifest_sha256=encoded.sha256,
        instance_count=head.instance_count,
        total_bytes=head.total_bytes,
        first_received_at=head.first_received_at,
        last_received_at=head.last_received_at,
        sealed_at=head.sealed_at,
        seal_reason=head.seal_reason,
        aborted=head.aborted,
        calling_ae=rows[-1]["calling_ae"],
        called_ae=rows[-1]["called_ae"],
        transfer_series=head.transfer_series,
    )
    text = json.dumps(event.model_dump(mode="json"), sort_keys=True)
    if len(text.encode()) > MAX_EVENT_BYTES:
        raise ValueError(f"the event is longer than {MAX_EVENT_BYTES} bytes")
    return Announcement(str(key), encoded.body, encoded.sha256, text, tuple(dropped or ()))


def _head(
    transfer: sqlite3.Row, rows: list[sqlite3.Row], settings: Settings, instances: int, total: int
) -> ManifestTransfer:
    sender = settings.sender(rows[-1]["calling_ae"])
    received = [row["received_at"] for row in rows]
    return ManifestTransfer(
        schema_version=VERSION,
        stack=settings.stack,
        edge=settings.edge,
        transfer_id=transfer["transfer_id"],
        correlation_id=correlation_id(transfer),
        sequence=transfer["sequence"],
        after=json.loads(transfer["after"]),
        study_instance_uid=transfer["study_instance_uid"],
        series_instance_uid=transfer["series_instance_uid"],
        modality=next((row["modality"] for row in rows if row["modality"]), None),
        priority=sender.priority if sender else "live",
        issuer_of_patient_id=sender.issuer_of_patient_id if sender else None,
        instance_count=instances,
        total_bytes=total,
        first_received_at=moment(min(received)),
        last_received_at=moment(max(received)),
        sealed_at=moment(transfer["sealed_at"]),
        seal_reason=transfer["seal_reason"],
        aborted=bool(transfer["aborted"]),
        calling_aes=sorted({row["calling_ae"] for row in rows}),
        called_aes=sorted({row["called_ae"] for row in rows}),
        transfer_series=transfer["transfer_series"],
    )


def _instance(row: sqlite3.Row, prefix: SeriesPrefix, dropped: list[str] | None) -> ManifestInstance:
    """`dropped`: hears of the attributes that are left out; None: all must be written."""
    if dropped is None:
        found = _described(row, prefix, json.loads(row["attributes"]))
        if row["attributes"].count(SEQUENCE) > FLAT_SEQUENCES:
            check_record(found)
        return found
    kept: dict[str, Any] = {}
    for tag, value in _attributes(row).items():
        try:
            check_record(_described(row, prefix, {tag: value}))
            kept[tag] = value
        except (ValueError, RecursionError):
            dropped.append(f"{row['sop_instance_uid']} {tag}")
    return _described(row, prefix, kept)


def _attributes(row: sqlite3.Row) -> dict[str, Any]:
    try:
        return dict(json.loads(row["attributes"]))
    except (ValueError, RecursionError):
        return {"all": None}  # no attribute: it is dropped, and named


def _described(row: sqlite3.Row, prefix: SeriesPrefix, attributes: dict[str, Any]) -> ManifestInstance:
    return ManifestInstance(
        sop_instance_uid=row["sop_instance_uid"],
        sop_class_uid=row["sop_class_uid"],
        transfer_syntax_uid=row["transfer_syntax_uid"],
        key=prefix.instance(row["sop_instance_uid"]),
        bytes=row["bytes"],
        file_sha256=row["file_sha256"],
        dataset_sha256=row["dataset_sha256"],
        received_at=moment(row["received_at"]),
        calling_ae=row["calling_ae"],
        called_ae=row["called_ae"],
        peer=row["peer"],
        uid_findings=json.loads(row["uid_findings"]),
        attributes=attributes,
        stored=_stored(row),
        foretold=[
            Foretold(code=code, tag=tag, length=length) for code, tag, length in json.loads(row["foretold"])
        ],
    )


def _stored(row: sqlite3.Row) -> StoredObject | None:
    if row["stored_sha256"] is None:
        return None
    return StoredObject(
        transfer_syntax_uid=row["stored_transfer_syntax_uid"],
        bytes=row["stored_bytes"],
        sha256=row["stored_sha256"],
    )


def _missing(row: sqlite3.Row) -> MissingInstance:
    return MissingInstance(
        sop_instance_uid=row["sop_instance_uid"],
        reason=row["problem"] or "not uploaded",
        received_at=moment(row["received_at"]),
    )
