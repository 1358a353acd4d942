"""What `demo` reads from the index: its progress, its report and the tables at its end."""

from __future__ import annotations

from typing import Any

from dicom_ingest.db.server.connection import Connection

TABLES = {
    "Patient": "SELECT pk, patient_id, patient_name, patient_birth_date, patient_sex, issuer "
    "FROM patient ORDER BY pk",
    "Study": "SELECT pk, patient_pk, study_instance_uid, study_date, study_description, modalities_in_study, "
    "number_of_study_related_series AS series, number_of_study_related_instances AS instances "
    "FROM study ORDER BY pk",
    "Series": "SELECT pk, study_pk, series_instance_uid, modality, series_description, "
    "number_of_series_related_instances AS instances FROM series ORDER BY pk",
    "Ahlijob": "SELECT pk, status, state, outcome, import_id, series_instance_uid, granted_at, over_at "
    "FROM ahlijob ORDER BY pk",
    "Ahliimageset": "SELECT pk, image_set_id, version, is_primary, series_pk, matched_instances, ahlijob_pk "
    "FROM ahliimageset ORDER BY pk",
}
"""The five tables that operators know, without their long tails."""

_SERIES = """
SELECT t.transfer_id::text AS transfer_id, t.study_instance_uid, t.series_instance_uid, t.modality,
    t.instance_count AS instances, t.state, coalesce(t.outcome, '') AS outcome, t.outcome_detail,
    t.owner_execution AS execution_arn, t.correlation_id, t.prefix, t.manifest_key, t.sealed_at,
    extract(epoch FROM t.over_at - t.first_received_at)::float8 AS seconds,
    (SELECT coalesce(array_agg(DISTINCT s.image_set_id), '{}') FROM ahliimageset s
        WHERE s.series_transfer_pk = t.pk) AS image_sets,
    (SELECT coalesce(array_agg(i.sop_instance_uid), '{}') FROM instance_transfer i
        WHERE i.series_transfer_pk = t.pk AND i.verdict IN ('IMPORTED', 'WARNED', 'UNCHANGED')) AS imported
FROM series_transfer t ORDER BY t.pk
"""

_STAGES = """
SELECT count(*) FILTER (WHERE p.indexed_at IS NOT NULL) AS indexed,
    count(*) FILTER (WHERE p.place IN ('waiting', 'starting')) AS waiting,
    count(*) FILTER (WHERE p.place = 'importing') AS importing,
    count(*) FILTER (WHERE p.over_at IS NOT NULL) AS over
FROM progress p
"""


def stages(connection: Connection) -> dict[str, int]:
    """How many series transfers are indexed, waiting, importing, over."""
    return connection.one(_STAGES) or {}


def series_transfers(connection: Connection) -> list[dict[str, Any]]:
    """Every series transfer with its image sets and the instances that were imported."""
    return connection.run(_SERIES)
