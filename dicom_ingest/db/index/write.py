"""Indexing one series transfer: a fixed number of statements whatever its size."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dicom_ingest.contracts.attributes import INSTANCE, PATIENT, SERIES, STUDY, Attribute
from dicom_ingest.contracts.times import rfc3339
from dicom_ingest.db.index import findings
from dicom_ingest.db.index.columns import Dataset, columns, text_value
from dicom_ingest.db.index.rows import SeriesRows, conflict_attributes
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.errors import ClaimLostError

TYPES = {
    "text": "text",
    "texts": "text[]",
    "date": "date",
    "time": "time",
    "integer": "integer",
    "number": "double precision",
    "numbers": "double precision[]",
    "sequence": "jsonb",
    "present": "boolean",
}


@dataclass(frozen=True)
class Indexed:
    """What was written."""

    series_pk: int
    instances: int
    present: int
    extra: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def index(
    connection: Connection, series_transfer_pk: int, rows: SeriesRows, owner: tuple[str, int] | None
) -> Indexed:
    """Write patient, study, series, instances and this transfer's versions of them.

    `owner`: execution and fence; None re-indexes without a claim and leaves the state alone.

    Raises:
        ClaimLostError: another execution owns the series transfer by now; nothing was written.
    """
    series_pk = _levels(connection, rows)
    transfer = rows.transfer
    connection.run(
        _UPSERT_INSTANCES,
        series_pk=series_pk,
        edge=transfer.edge,
        transfer_id=transfer.transfer_id,
        sequence=transfer.sequence,
        rows=rows.instances,
    )
    connection.run(_UPSERT_VERSIONS, pk=series_transfer_pk, rows=rows.versions)
    connection.run(_COUNT, series_pk=series_pk)
    odd = findings.findings(connection, rows)
    execution, fence = owner or (None, None)
    updated = connection.one(
        _INDEXED,
        pk=series_transfer_pk,
        series_pk=series_pk,
        after=[str(earlier) for earlier in transfer.after],
        found=rows.found,
        extra=json.dumps(rows.extra[:100]),
        conflict_attributes=json.dumps(conflict_attributes(rows.dataset)),
        findings=odd,
        execution=execution,
        fence=fence,
    )
    if updated is None:
        raise ClaimLostError(f"series transfer {transfer.transfer_id}")
    return Indexed(series_pk, rows.count, rows.present, rows.extra, odd)


def _levels(connection: Connection, rows: SeriesRows) -> int:
    """Patient, study and series of the series transfer; the series' pk."""
    transfer, dataset = rows.transfer, rows.dataset
    identity = patient_identity(
        dataset, transfer.issuer_of_patient_id, transfer.edge, transfer.study_instance_uid
    )
    received_at = rfc3339(transfer.last_received_at)
    patient = connection.one(_UPSERT_PATIENT, **identity, **_level(dataset, PATIENT), received_at=received_at)
    study = connection.one(
        _UPSERT_STUDY,
        parent=patient and patient["pk"],
        uid=transfer.study_instance_uid,
        **_level(dataset, STUDY),
        received_at=received_at,
    )
    series = connection.one(
        _UPSERT_SERIES,
        parent=study and study["pk"],
        uid=transfer.series_instance_uid,
        **_level(dataset, SERIES),
        received_at=received_at,
    )
    if series is None:
        raise AssertionError("an upsert returned no row")
    return int(series["pk"])


def patient_identity(
    dataset: Dataset, sender_issuer: str | None, edge: str, study_instance_uid: str
) -> dict[str, Any]:
    """The key of a patient: issuer (the object's, the sender's, the edge) and id, or the study's UID."""
    issuer = text_value(dataset, "00100021") or sender_issuer or edge
    patient_id = (text_value(dataset, "00100020") or "").strip()
    return {
        "issuer": issuer.strip(),
        "identifier": patient_id or study_instance_uid,
        "identifier_is_study": not patient_id,
    }


def _level(dataset: Dataset, attributes: Iterable[Attribute]) -> dict[str, str]:
    level = columns(dataset, attributes)
    return {"row": json.dumps(level.values), "unparsed": json.dumps(level.unparsed)}


def _record(attributes: Iterable[Attribute]) -> str:
    return ", ".join(f"{a.column} {TYPES[a.kind]}" for a in attributes)


def _names(attributes: Iterable[Attribute], prefix: str = "") -> str:
    return ", ".join(f"{prefix}{a.column}" for a in attributes)


def _newer(attributes: Iterable[Attribute]) -> str:
    """Every column from the newer of the two: a replayed old transfer must not undo a correction."""
    names = [a.column for a in attributes] + ["unparsed"]
    return ", ".join(
        f"{n} = CASE WHEN excluded.received_at >= old.received_at THEN excluded.{n} ELSE old.{n} END"
        for n in names
    )


_UPSERT_PATIENT = f"""
INSERT INTO patient AS old (issuer, identifier, identifier_is_study, {_names(PATIENT)}, unparsed, received_at)
SELECT :issuer, :identifier, :identifier_is_study, {_names(PATIENT, "r.")}, CAST(:unparsed AS jsonb),
    :received_at
FROM jsonb_to_record(CAST(:row AS jsonb)) AS r({_record(PATIENT)})
ON CONFLICT (issuer, identifier, identifier_is_study) DO UPDATE SET {_newer(PATIENT)},
    received_at = GREATEST(old.received_at, excluded.received_at), updated_at = clock_timestamp()
RETURNING pk
"""


def _upsert_child(table: str, parent: str, uid: str, attributes: tuple[Attribute, ...]) -> str:
    return f"""
INSERT INTO {table} AS old ({parent}, {uid}, {_names(attributes)}, unparsed, received_at)
SELECT :parent, :uid, {_names(attributes, "r.")}, CAST(:unparsed AS jsonb), :received_at
FROM jsonb_to_record(CAST(:row AS jsonb)) AS r({_record(attributes)})
ON CONFLICT ({parent}, {uid}) DO UPDATE SET {_newer(attributes)},
    received_at = GREATEST(old.received_at, excluded.received_at), updated_at = clock_timestamp()
RETURNING pk
"""


_UPSERT_STUDY = _upsert_child("study", "patient_pk", "study_instance_uid", STUDY)
_UPSERT_SERIES = _upsert_child("series", "study_pk", "series_instance_uid", SERIES)

_VERSION_COLUMNS = "key text, bytes bigint, file_sha256 text, dataset_sha256 text, received_at timestamptz"
_INSTANCE_OWN = (
    "sop_class_uid, transfer_syntax_uid, unparsed, key, bytes, file_sha256, dataset_sha256, received_at"
)
_KEPT = f"edge, transfer_id, sequence, {_INSTANCE_OWN}, {_names(INSTANCE)}"

# Within an edge the sequence says which version is newer; between edges only the time of receipt can.
_UPSERT_INSTANCES = f"""
INSERT INTO instance AS old (series_pk, sop_instance_uid, {_KEPT})
SELECT :series_pk, r.sop_instance_uid, :edge, CAST(:transfer_id AS uuid), CAST(:sequence AS bigint),
    {", ".join(f"r.{n}" for n in _INSTANCE_OWN.split(", "))}, {_names(INSTANCE, "r.")}
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(sop_instance_uid text, sop_class_uid text,
    transfer_syntax_uid text, unparsed jsonb, {_VERSION_COLUMNS}, {_record(INSTANCE)})
ORDER BY r.sop_instance_uid
ON CONFLICT (series_pk, sop_instance_uid) DO UPDATE SET
    {", ".join(f"{n} = excluded.{n}" for n in _KEPT.split(", "))},
    updated_at = clock_timestamp()
WHERE CASE WHEN old.edge = excluded.edge THEN excluded.sequence >= old.sequence
           ELSE excluded.received_at >= old.received_at END
"""

_UPSERT_VERSIONS = f"""
INSERT INTO instance_transfer AS old (series_transfer_pk, sop_instance_uid, key, bytes, file_sha256,
    dataset_sha256, received_at, uid_findings, verdict, message)
SELECT :pk, r.sop_instance_uid, r.key, r.bytes, r.file_sha256, r.dataset_sha256, r.received_at,
    r.uid_findings, r.verdict, r.message
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
    sop_instance_uid text, {_VERSION_COLUMNS}, uid_findings text[], verdict text, message text)
ORDER BY r.sop_instance_uid
ON CONFLICT (series_transfer_pk, sop_instance_uid) DO UPDATE SET
    verdict = CASE WHEN excluded.verdict = 'MISSING' OR old.verdict = 'MISSING'
                   THEN excluded.verdict ELSE old.verdict END,
    message = CASE WHEN excluded.verdict = 'MISSING' OR old.verdict = 'MISSING'
                   THEN excluded.message ELSE old.message END,
    updated_at = clock_timestamp()
"""

# Counted, never incremented. The study's row is locked since its upsert, so what is counted is what commits.
_COUNT = """
WITH counted AS (
    UPDATE series SET number_of_series_related_instances =
        (SELECT count(*) FROM instance WHERE series_pk = :series_pk)
    WHERE pk = :series_pk
    RETURNING pk, study_pk, modality, number_of_series_related_instances AS instances),
all_series AS (
    SELECT study_pk, modality, instances FROM counted
    UNION ALL
    SELECT s.study_pk, s.modality, s.number_of_series_related_instances
    FROM series s JOIN counted c ON s.study_pk = c.study_pk AND s.pk <> c.pk)
UPDATE study SET
    number_of_study_related_series = (SELECT count(*) FROM all_series),
    number_of_study_related_instances = (SELECT sum(instances) FROM all_series),
    modalities_in_study = ARRAY(
        SELECT DISTINCT modality FROM all_series WHERE modality IS NOT NULL ORDER BY modality)
WHERE pk = (SELECT study_pk FROM counted)
"""

_INDEXED = """
UPDATE series_transfer SET series_pk = :series_pk, indexed_at = clock_timestamp(),
    after = CAST(:after AS uuid[]), objects_found = :found, objects_extra = CAST(:extra AS jsonb),
    conflict_attributes = CAST(:conflict_attributes AS jsonb), findings = CAST(:findings AS text[]),
    state = CASE WHEN CAST(:execution AS text) IS NULL THEN state ELSE 'INDEXED' END
WHERE pk = :pk AND (CAST(:execution AS text) IS NULL
    OR (owner_execution = :execution AND fence = CAST(:fence AS bigint)))
RETURNING pk
"""
