"""Read models: what is where."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dicom_ingest.contracts.keys import ManifestKey
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.db.server.parts import in_parts


def unseen(connection: Connection, announced: Sequence[ManifestKey]) -> list[ManifestKey]:
    """Of these manifests: those whose series transfer has no row."""
    rows = connection.run(
        "SELECT a.place FROM jsonb_to_recordset(CAST(:rows AS jsonb)) "
        "AS a(place integer, transfer uuid, series text) "
        "WHERE NOT EXISTS (SELECT FROM series_transfer t "
        "WHERE t.transfer_id = a.transfer AND t.series_instance_uid = a.series) ORDER BY a.place",
        rows=json.dumps(
            [
                {"place": place, "transfer": key.transfer_id, "series": key.series_instance_uid}
                for place, key in enumerate(announced)
            ]
        ),
    )
    return [announced[row["place"]] for row in rows]


def unknown_transfers(connection: Connection, transfers: Iterable[str]) -> set[str]:
    """Of these transfers: those of which the index has no series."""
    rows = connection.run(
        "SELECT a.transfer FROM unnest(CAST(:transfers AS uuid[])) AS a(transfer) "
        "WHERE NOT EXISTS (SELECT FROM series_transfer t WHERE t.transfer_id = a.transfer)",
        transfers=list(transfers),
    )
    return {str(row["transfer"]) for row in rows}


_TRANSFERS = """
SELECT t.pk, t.manifest_key, t.study_instance_uid, t.series_instance_uid, t.modality,
    t.instance_count AS instances, pa.patient_id, st.accession_number, t.outcome, t.outcome_detail AS detail
FROM series_transfer t
LEFT JOIN series s ON s.pk = t.series_pk
LEFT JOIN study st ON st.pk = s.study_pk
LEFT JOIN patient pa ON pa.pk = st.patient_pk
WHERE {conditions} ORDER BY t.sealed_at, t.pk LIMIT :most OFFSET :skip
"""
_CONDITIONS = {
    "series": "t.series_instance_uid = CAST(:series AS text)",
    "study": "t.study_instance_uid = CAST(:study AS text)",
    "day": "(t.sealed_at AT TIME ZONE 'UTC')::date = CAST(:day AS date)",
    "edge": "t.edge = CAST(:edge AS text)",
    "ae": "CAST(:ae AS text) IN (t.calling_ae, t.called_ae)",
    "modality": "t.modality = CAST(:modality AS text)",
    "outcome": "t.state = 'OVER' AND t.outcome = CAST(:outcome AS text)",
    "detail": "position(lower(CAST(:detail AS text)) IN lower(t.outcome_detail)) > 0",
}


def transfers(connection: Connection, selection: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The series transfers of a selection: what is None does not matter."""
    wanted = {name: value for name, value in selection.items() if value is not None}
    conditions = " AND ".join(_CONDITIONS[name] for name in wanted) or "true"
    sql = _TRANSFERS.format(conditions=conditions)
    return in_parts(lambda most, skip: connection.run(sql, most=most, skip=skip, **wanted))


@dataclass(frozen=True)
class Accounted:
    """What the index says of one series transfer."""

    study_instance_uid: str
    series_instance_uid: str
    manifest_key: str
    announced: int
    over: bool


def accounted(connection: Connection, transfer_ids: Iterable[str]) -> dict[str, list[Accounted]]:
    """The series of these transfers, by transfer; a transfer without a series is absent."""
    rows = connection.run(
        "SELECT transfer_id::text AS transfer, study_instance_uid, series_instance_uid, manifest_key, "
        "instance_count AS announced, state = 'OVER' AS over FROM series_transfer "
        "WHERE transfer_id = ANY(CAST(:transfers AS uuid[])) ORDER BY pk",
        transfers=list(transfer_ids),
    )
    found: dict[str, list[Accounted]] = {}
    for row in rows:
        found.setdefault(row.pop("transfer"), []).append(Accounted(**row))
    return found


def seen_lately(connection: Connection, edge: str, days: int) -> set[str]:
    """The transfers of an edge that the index first heard of in the last days, whenever they were sealed.

    An edge that was cut off for a week announces what it sealed a week ago.
    """
    rows = connection.run(
        "SELECT DISTINCT transfer_id::text AS transfer FROM series_transfer "
        "WHERE edge = :edge AND created_at > now() - make_interval(days => :days)",
        edge=edge,
        days=days,
    )
    return {row["transfer"] for row in rows}
