"""An index of years, made by the server itself: studies, series, instances, tickets, image sets.

All of it is over but the newest: some series hold a slot, thousands wait. One in a thousand needs a person.
"""

from __future__ import annotations

from dataclasses import dataclass

from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.db.semaphore import queueing
from dicom_ingest.db.server.connection import Connection

DATASTORE = "d" * 32


@dataclass(frozen=True)
class Size:
    """How much. `days`: over which it came."""

    studies: int
    series_of_study: int = 10
    instances_of_series: int = 10
    waiting: int = 20_000
    held: int = 100
    days: int = 200

    @property
    def series(self) -> int:
        """All of them."""
        return self.studies * self.series_of_study


_PATIENTS = """
INSERT INTO patient (issuer, identifier, identifier_is_study, patient_name, patient_id, received_at)
SELECT 'HOSPITAL', 'P' || n, false, 'Phantom^' || n, 'P' || n, now()
FROM generate_series(1, CAST(:studies AS integer)) n
"""
_STUDIES = """
INSERT INTO study (patient_pk, study_instance_uid, accession_number, study_date, study_description,
    received_at, modalities_in_study, number_of_study_related_series, number_of_study_related_instances)
SELECT pk, '2.25.1' || lpad(pk::text, 30, '0'), 'ACC' || pk, current_date, 'Chest', now(), '{CT}',
    CAST(:series AS integer), CAST(:series AS integer) * CAST(:instances AS integer)
FROM patient ORDER BY pk
"""
_SERIES = """
INSERT INTO series (study_pk, series_instance_uid, modality, series_number, series_description, received_at,
    number_of_series_related_instances)
SELECT pk, study_instance_uid || '.' || n, 'CT', n, 'Axial', now(), CAST(:instances AS integer)
FROM study, generate_series(1, CAST(:series AS integer)) n ORDER BY pk, n
"""
# Spread over the days, the newest last; the last ones are not over.
_TRANSFERS = """
INSERT INTO series_transfer (transfer_id, series_instance_uid, study_instance_uid, series_pk, correlation_id,
    edge, sequence, modality, priority, bucket, prefix, manifest_key, manifest_sha256, instance_count,
    total_bytes, calling_ae, called_ae, aborted, seal_reason, first_received_at, last_received_at, sealed_at,
    announced_at, owner_execution, fence, claimed_at, indexed_at, objects_found, state, datastore_id, outcome,
    scanned, imported, over_at, created_at, conflict_attributes)
SELECT u.transfer, se.series_instance_uid, st.study_instance_uid, se.pk,
    'c-' || se.pk, 'bench-edge' || 1 + se.study_pk % 5, se.study_pk,
    (ARRAY['CT', 'CT', 'MR', 'CR', 'US'])[1 + se.study_pk % 5], se.pk % 2, 'dicom',
    'bench-edge1/' || u.transfer || '/' || st.study_instance_uid || '/' || se.series_instance_uid || '/',
    'manifests/bench-edge1/' || u.transfer || '/' || se.series_instance_uid || '.jsonl.gz',
    repeat('0', 64), CAST(:instances AS integer), 5260000,
    'AE' || se.study_pk % 40, 'EDGE' || 1 + se.study_pk % 5, false, 'quiet', at.at,
    at.at + interval '1 minute',
    at.at + interval '2 minutes', at.at + interval '2 minutes',
    'arn:aws:states:us-east-1:123456789012:execution:bench:' || se.pk, 1, at.at + interval '3 minutes',
    at.at + interval '3 minutes', CAST(:instances AS integer),
    CASE WHEN live.live THEN 'INDEXED' ELSE 'OVER' END, CASE WHEN live.live THEN NULL ELSE :datastore END,
    CASE WHEN live.live THEN NULL WHEN se.pk % 1000 = 0 THEN 'FAILED' WHEN se.pk % 50 = 0 THEN 'DUPLICATE'
         ELSE 'COMPLETED' END,
    CASE WHEN live.live THEN 0 ELSE CAST(:instances AS integer) END,
    CASE WHEN live.live THEN 0 ELSE CAST(:instances AS integer) END,
    CASE WHEN live.live THEN NULL ELSE at.at + interval '10 minutes' END, at.at + interval '2 minutes',
    '{"PatientID": "4711"}'
FROM series se JOIN study st ON st.pk = se.study_pk
CROSS JOIN LATERAL (SELECT CAST(overlay(overlay(md5('transfer' || se.study_pk) PLACING '4' FROM 13)
    PLACING '8' FROM 17) AS uuid)) AS u(transfer)
CROSS JOIN LATERAL (SELECT now() - make_interval(
    secs => CAST(:days AS float) * 86400 * (CAST(:all AS float) - se.pk) / CAST(:all AS float))) AS at(at)
CROSS JOIN LATERAL (SELECT se.pk > CAST(:all AS bigint) - CAST(:live AS bigint)) AS live(live)
WHERE se.pk > :from AND se.pk <= :to
ORDER BY se.pk
"""
_INSTANCES = """
INSERT INTO instance (series_pk, sop_instance_uid, sop_class_uid, transfer_syntax_uid, instance_number,
    image_type, rows, columns, edge, transfer_id, sequence, key, bytes, file_sha256, dataset_sha256,
    received_at)
SELECT t.series_pk, t.series_instance_uid || '.' || n, '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.1.2.1', n,
    '{ORIGINAL,PRIMARY,AXIAL}', 512, 512, t.edge, t.transfer_id, t.sequence,
    t.prefix || t.series_instance_uid || '.' || n || '.dcm', 526000, x.hash, x.hash, t.last_received_at
FROM series_transfer t CROSS JOIN generate_series(1, CAST(:instances AS integer)) n
CROSS JOIN LATERAL (SELECT md5(t.pk || '.' || n) || md5(n || '.' || t.pk) AS hash) x
WHERE t.pk > :from AND t.pk <= :to ORDER BY t.pk, n
"""
_VERSIONS = """
INSERT INTO instance_transfer (series_transfer_pk, sop_instance_uid, key, bytes, file_sha256, dataset_sha256,
    received_at, verdict, datastore_id, image_set_id, image_set_version, is_primary, imported_at)
SELECT t.pk, i.sop_instance_uid, i.key, i.bytes, i.file_sha256, i.dataset_sha256, i.received_at,
    CASE WHEN t.state <> 'OVER' THEN 'PENDING' WHEN t.outcome = 'FAILED' THEN 'FAILED'
         WHEN t.outcome = 'DUPLICATE' THEN 'UNCHANGED' ELSE 'IMPORTED' END,
    t.datastore_id, CASE WHEN t.state = 'OVER' THEN md5('set' || t.pk) END,
    CASE WHEN t.state = 'OVER' THEN 1 END, CASE WHEN t.state = 'OVER' THEN true END, t.over_at
FROM series_transfer t JOIN instance i ON i.series_pk = t.series_pk
WHERE t.pk > :from AND t.pk <= :to ORDER BY t.pk
"""
_TICKETS = """
INSERT INTO ahlijob (datastore_id, series_transfer_pk, transfer_id, series_instance_uid, priority, state,
    outcome, owner_execution, fence, task_token, import_id, job_name, client_token, created_at,
    granted_at, start_at, delivered_at, starting_at, running_at, import_over_at, over_at)
SELECT :datastore, t.pk, t.transfer_id, t.series_instance_uid, t.priority, s.state, t.outcome,
    t.owner_execution, 1, CASE WHEN s.state = 'WAITING' THEN 'token-' || t.pk END,
    CASE WHEN s.state IN ('RUNNING', 'DONE') THEN md5('job' || t.pk) END, 'job-' || t.pk, 'token-' || t.pk,
    t.indexed_at, s.granted_at, s.granted_at, s.granted_at, s.granted_at, s.granted_at,
    CASE WHEN s.state = 'DONE' THEN t.over_at END, CASE WHEN s.state = 'DONE' THEN t.over_at END
FROM series_transfer t
CROSS JOIN LATERAL (SELECT
    CASE WHEN t.state = 'OVER' THEN 'DONE' WHEN granted THEN 'RUNNING' ELSE 'WAITING' END,
    CASE WHEN granted THEN t.indexed_at END
    FROM (VALUES (t.pk <= CAST(:all AS bigint) - CAST(:waiting AS bigint))) v(granted)
) AS s(state, granted_at)
WHERE t.outcome IS DISTINCT FROM 'DUPLICATE' AND t.pk > :from AND t.pk <= :to ORDER BY t.pk
"""
_IMAGE_SETS = """
INSERT INTO ahliimageset (datastore_id, image_set_id, version, is_primary, series_pk, series_instance_uid,
    series_transfer_pk, ahlijob_pk, matched_instances, created_at)
SELECT :datastore, md5('set' || t.pk), 1, true, t.series_pk, t.series_instance_uid, t.pk, j.pk,
    t.instance_count, t.over_at
FROM series_transfer t JOIN ahlijob j ON j.series_transfer_pk = t.pk
WHERE t.state = 'OVER' AND t.outcome = 'COMPLETED' AND t.pk > :from AND t.pk <= :to ORDER BY t.pk
"""
_FORCED = """
INSERT INTO forced_import (series_transfer_pk, replay_name, execution)
SELECT pk, 'force-' || pk, owner_execution FROM series_transfer
WHERE pk % 100 = 0 AND pk > :from AND pk <= :to
"""
CHUNK = 20_000


def fill(connection: Connection, size: Size) -> None:
    """Make it; the caller's transaction, statistics at the end."""
    settings = SemaphoreSettings(datastore_id=DATASTORE, capacity=size.held, start_rate=1, start_burst=1)
    queueing.configure(connection, settings)
    connection.run(_PATIENTS, studies=size.studies)
    numbers = {"series": size.series_of_study, "instances": size.instances_of_series}
    connection.run(_STUDIES, **numbers)
    connection.run(_SERIES, **numbers)
    for table in ("patient", "study", "series"):
        connection.run(f"ANALYZE {table}")
    for start in range(0, size.series, CHUNK):
        _chunk(connection, size, {"from": start, "to": min(start + CHUNK, size.series)})


def _chunk(connection: Connection, size: Size, part: dict[str, int]) -> None:
    """A part of the series with all that hangs on them."""
    instances = {"instances": size.instances_of_series}
    waiting = {"all": size.series, "waiting": size.waiting, "datastore": DATASTORE}
    live = {"all": size.series, "live": size.waiting + size.held, "datastore": DATASTORE}
    connection.run(_TRANSFERS, days=size.days, **instances, **live, **part)
    connection.run(_INSTANCES, **instances, **part)
    connection.run(_VERSIONS, **part)
    connection.run(_TICKETS, **waiting, **part)
    connection.run(_IMAGE_SETS, datastore=DATASTORE, **part)
    connection.run(_FORCED, **part)
