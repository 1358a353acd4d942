"""Which image sets hold a series, and what became of each instance."""

from __future__ import annotations

import json
from typing import Any

from dicom_ingest.db.connection import Connection
from dicom_ingest.results import ImageSet, InstanceResult

_IMAGE_SETS = """
INSERT INTO ahliimageset AS old (datastore_id, image_set_id, version, is_primary, series_pk,
    series_instance_uid, series_transfer_pk, ahlijob_pk, matched_instances)
SELECT :datastore_id, r.image_set_id, r.version, r.is_primary, t.series_pk, t.series_instance_uid, t.pk,
    :ticket, r.matched_instances
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
    image_set_id text, version integer, is_primary boolean, matched_instances integer)
CROSS JOIN series_transfer t
WHERE t.pk = :pk
ON CONFLICT (datastore_id, image_set_id, version, series_transfer_pk) DO UPDATE SET
    is_primary = excluded.is_primary, matched_instances = excluded.matched_instances
"""

_VERDICTS = """
UPDATE instance_transfer i SET verdict = r.verdict, datastore_id = :datastore_id,
    image_set_id = r.image_set_id, image_set_version = r.version, is_primary = r.is_primary,
    warning_code = r.warning_code, message = r.message, updated_at = clock_timestamp(),
    imported_at = CASE WHEN r.verdict IN ('IMPORTED', 'WARNED') THEN clock_timestamp() END
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
    key text, verdict text, image_set_id text, version integer, is_primary boolean, warning_code integer,
    message text)
WHERE i.series_transfer_pk = :pk AND i.key = r.key
"""

_COUNTS = """
SELECT count(*) AS instances,
    count(*) FILTER (WHERE verdict IN ('IMPORTED', 'WARNED')) AS imported,
    count(*) FILTER (WHERE verdict = 'WARNED') AS warned,
    count(*) FILTER (WHERE verdict = 'FAILED') AS failed,
    count(*) FILTER (WHERE verdict = 'MISSING') AS missing,
    count(*) FILTER (WHERE is_primary = false) AS non_primary
FROM instance_transfer WHERE series_transfer_pk = :pk
"""


def record_image_sets(
    connection: Connection,
    series_transfer_pk: int,
    ticket: int,
    datastore_id: str,
    image_sets: list[ImageSet],
) -> None:
    """The mapping from series to image sets; several per series are legal."""
    rows = [vars(image_set) for image_set in image_sets]
    connection.run(
        _IMAGE_SETS, pk=series_transfer_pk, ticket=ticket, datastore_id=datastore_id, rows=json.dumps(rows)
    )


def record_verdicts(
    connection: Connection, series_transfer_pk: int, datastore_id: str, results: list[InstanceResult]
) -> dict[str, Any]:
    """A verdict per instance; the counts of all verdicts afterwards."""
    rows = [vars(result) | {"verdict": result.verdict.value} for result in results]
    connection.run(_VERDICTS, pk=series_transfer_pk, datastore_id=datastore_id, rows=json.dumps(rows))
    return counts(connection, series_transfer_pk)


def record_unchanged(connection: Connection, series_transfer_pk: int, datastore_id: str) -> None:
    """The data store held all of it already."""
    connection.run(
        "UPDATE instance_transfer SET verdict = 'UNCHANGED', datastore_id = :datastore_id, "
        "updated_at = clock_timestamp() WHERE series_transfer_pk = :pk AND verdict = 'PENDING'",
        pk=series_transfer_pk,
        datastore_id=datastore_id,
    )


def counts(connection: Connection, series_transfer_pk: int) -> dict[str, Any]:
    """How many instances there are of each verdict."""
    return connection.one(_COUNTS, pk=series_transfer_pk) or {}
