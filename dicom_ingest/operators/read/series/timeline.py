"""Read model: everything that is known of one series transfer, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_ingest.operators.read.index import Index, Row, first
from dicom_ingest.operators.read.series import shared
from dicom_ingest.operators.read.series.steps import Step, steps
from dicom_ingest.operators.read.series.waits import Wait, wait

_TRANSFER = """
SELECT t.pk, CAST(t.transfer_id AS text) AS transfer_id, t.series_instance_uid, t.study_instance_uid,
    t.correlation_id, t.edge, t.sequence, t.modality, t.priority, t.bucket, t.prefix, t.manifest_key,
    t.manifest_sha256, t.instance_count, t.total_bytes, t.calling_ae, t.called_ae, t.aborted, t.seal_reason,
    t.first_received_at, t.last_received_at, t.sealed_at, t.announced_at, t.fence,
    CASE WHEN t.state = 'OVER' THEN coalesce(t.told_execution, t.owner_execution) ELSE t.owner_execution
    END AS owner_execution, coalesce(t.begun_at, t.claimed_at) AS claimed_at,
    t.indexed_at, t.objects_found, t.state, t.datastore_id, t.outcome, t.outcome_detail,
    t.acknowledged_at >= t.over_at AS acknowledged,
    t.scanned, t.imported, t.failed, t.warned, t.over_at, t.findings, pa.patient_id, st.accession_number,
    st.study_date, st.study_description, s.series_number, s.series_description
FROM series_transfer t
LEFT JOIN series s ON s.pk = t.series_pk
LEFT JOIN study st ON st.pk = s.study_pk
LEFT JOIN patient pa ON pa.pk = st.patient_pk
WHERE t.pk = :pk
"""
_TICKETS = """
SELECT pk AS ticket_id, state, status, outcome, priority, attempt, import_id, import_status, job_name,
    message, owner_execution, created_at, granted_at, start_at, delivered_at, starting_at, running_at,
    import_over_at, orphaned_at, over_at, earlier_imports, datastore_id, bundle,
    (SELECT count(*) FROM ahlijob m WHERE m.bundle = ahlijob.bundle) AS shared_by,
    (SELECT l.pk FROM ahlijob l WHERE l.bundle = ahlijob.bundle AND l.leads) AS leader
FROM ahlijob WHERE series_transfer_pk = :pk ORDER BY pk
"""
# Replays and repeated events: they are told beside the history, which is the first execution's.
_LATER = """
SELECT execution, replay_name, started_at, over_at, outcome, outcome_detail FROM later_execution
WHERE series_transfer_pk = :pk ORDER BY started_at DESC LIMIT 100
"""
_ACTIONS = """
SELECT at, who, action, reason FROM series_action WHERE series_transfer_pk = :pk ORDER BY pk
"""
_IMAGE_SETS = """
SELECT image_set_id, version, is_primary, matched_instances, datastore_id, ahlijob_pk AS ticket_id, created_at
FROM ahliimageset WHERE series_transfer_pk = :pk ORDER BY pk
"""
_HELD = """
SELECT s.image_set_id, max(s.version) AS version FROM ahliimageset s
JOIN series_transfer t ON t.pk = s.series_transfer_pk
WHERE t.transfer_id = CAST(:transfer AS uuid) AND t.series_instance_uid = CAST(:series AS text)
GROUP BY s.image_set_id
"""
_VERDICTS = """
SELECT verdict, count(*) AS instances FROM instance_transfer WHERE series_transfer_pk = :pk
GROUP BY verdict ORDER BY verdict
"""
_INSTANCES = """
SELECT i.sop_instance_uid, n.instance_number, i.verdict, i.message, i.warning_code, i.image_set_id,
    i.image_set_version, i.is_primary, i.bytes, i.received_at, i.imported_at, i.uid_findings
FROM instance_transfer i
JOIN series_transfer t ON t.pk = i.series_transfer_pk
LEFT JOIN instance n ON n.series_pk = t.series_pk AND n.sop_instance_uid = i.sop_instance_uid
WHERE i.series_transfer_pk = :pk
ORDER BY i.verdict IN ('IMPORTED', 'UNCHANGED', 'PENDING'), n.instance_number, i.sop_instance_uid LIMIT :most
"""


@dataclass(frozen=True)
class Timeline:
    """One series transfer. `waits_for`: None where it is over and nothing has to be done."""

    series_transfer: Row
    steps: list[Step]
    waits_for: Wait | None
    tickets: list[Row]
    image_sets: list[Row]
    verdicts: dict[str, int]
    instances: list[Row]
    """Those with a word to say first."""
    later_executions: list[Row]
    """Replays and repeated events that came when it was over, the newest first."""
    shares: list[Row]
    """The first series that share its import, the leader first; none where it is alone."""


def timeline(index: Index, pk: int, most: int = 500) -> Timeline | None:
    """Of the series transfer with this pk; None where there is none. `most`: instances."""
    transfer = first(index.run(_TRANSFER, pk=pk))
    if transfer is None:
        return None
    tickets = index.run(_TICKETS, pk=pk)
    image_sets = index.run(_IMAGE_SETS, pk=pk)
    verdicts = {row["verdict"]: row["instances"] for row in index.run(_VERDICTS, pk=pk)}
    return Timeline(
        series_transfer=transfer,
        steps=steps(transfer, tickets, image_sets, verdicts, index.run(_ACTIONS, pk=pk)),
        waits_for=wait(index, transfer, tickets[-1] if tickets else None),
        tickets=tickets,
        image_sets=image_sets,
        verdicts=verdicts,
        instances=index.run(_INSTANCES, pk=pk, most=most),
        later_executions=index.run(_LATER, pk=pk),
        shares=_shares(index, tickets),
    )


def _shares(index: Index, tickets: list[Row]) -> list[Row]:
    bundle = tickets[-1]["bundle"] if tickets else None
    return [] if bundle is None else shared.members(index, bundle, shared.LISTED)


_KEY = """
SELECT i.key FROM instance_transfer i JOIN series_transfer t ON t.pk = i.series_transfer_pk
WHERE t.transfer_id = CAST(:transfer AS uuid) AND t.series_instance_uid = CAST(:series AS text)
    AND i.sop_instance_uid = CAST(:instance AS text)
"""


def object_key(index: Index, transfer: str, series: str, sop_instance_uid: str) -> str | None:
    """Where the file of one instance of a series transfer is in the bucket; None where it is unknown."""
    row = first(index.run(_KEY, transfer=transfer, series=series, instance=sop_instance_uid))
    return row["key"] if row else None


def held(index: Index, transfer: str, series: str) -> dict[str, int]:
    """The image sets of one series transfer, each with its newest version."""
    rows = index.run(_HELD, transfer=transfer, series=series)
    return {row["image_set_id"]: row["version"] for row in rows}
