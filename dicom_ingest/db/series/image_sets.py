"""Which image sets hold a series, and what became of each instance."""

from __future__ import annotations

import json
from typing import Any

from dicom_ingest.db.server.connection import Connection
from dicom_ingest.healthimaging.results import ImageSet, ImportResults

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
    warning_code = r.warning_code, message = r.message, updated_at = clock_timestamp(), ahlijob_pk = :ticket,
    imported_at = CASE WHEN r.verdict IN ('IMPORTED', 'WARNED') THEN clock_timestamp() END
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
    sop_instance_uid text, verdict text, image_set_id text, version integer, is_primary boolean,
    warning_code integer, message text)
WHERE i.series_transfer_pk = :pk AND i.sop_instance_uid = r.sop_instance_uid
"""

_UNNAMED = """
UPDATE instance_transfer SET verdict = 'IMPORTED', datastore_id = :datastore_id, image_set_id = :image_set_id,
    image_set_version = :version, is_primary = :is_primary, warning_code = NULL, message = NULL,
    imported_at = clock_timestamp(), updated_at = clock_timestamp(), ahlijob_pk = :ticket
WHERE series_transfer_pk = :pk AND verdict <> 'MISSING' AND ahlijob_pk IS DISTINCT FROM :ticket
"""

# The newest earlier import of the study (for SeriesNumber: of the series) that is primary and differs.
_CONFLICT = """
SELECT s.image_set_id, e.series_instance_uid, d.names
FROM series_transfer t
JOIN series_transfer e ON e.study_instance_uid = t.study_instance_uid AND e.pk <> t.pk
JOIN ahliimageset s ON s.series_transfer_pk = e.pk AND s.datastore_id = :datastore_id AND s.is_primary
CROSS JOIN LATERAL (
    SELECT array_agg(a.key ORDER BY a.key) AS names FROM jsonb_each_text(t.conflict_attributes) a
    WHERE a.value IS DISTINCT FROM e.conflict_attributes ->> a.key
      AND (a.key <> 'SeriesNumber' OR e.series_instance_uid = t.series_instance_uid)) d
WHERE t.pk = :pk AND d.names IS NOT NULL
ORDER BY (e.series_instance_uid = t.series_instance_uid) DESC, s.pk DESC LIMIT 1
"""

# Of one ticket's import: what an earlier import of the same transfer left is not its doing.
_COUNTS = """
SELECT count(*) AS instances,
    count(*) FILTER (WHERE verdict IN ('IMPORTED', 'WARNED') AND ahlijob_pk = :ticket) AS imported,
    count(*) FILTER (WHERE verdict = 'WARNED' AND ahlijob_pk = :ticket) AS warned,
    count(*) FILTER (WHERE verdict = 'FAILED' AND ahlijob_pk = :ticket) AS failed,
    count(*) FILTER (WHERE verdict = 'MISSING') AS missing,
    count(*) FILTER (WHERE is_primary = false AND ahlijob_pk = :ticket) AS non_primary
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
    if rows:
        connection.run(
            _IMAGE_SETS,
            pk=series_transfer_pk,
            ticket=ticket,
            datastore_id=datastore_id,
            rows=json.dumps(rows),
        )


def record_verdicts(
    connection: Connection, series_transfer_pk: int, ticket: int, datastore_id: str, results: ImportResults
) -> dict[str, Any]:
    """A verdict per instance; the counts of this import's verdicts."""
    rows = [vars(result) | {"verdict": result.verdict.value} for result in results.instances]
    of = {"pk": series_transfer_pk, "ticket": ticket}
    connection.run(_VERDICTS, **of, datastore_id=datastore_id, rows=json.dumps(rows))
    counted = connection.one(_COUNTS, **of) or {}
    if not results.unnamed or results.scanned != counted["instances"] - counted["missing"]:
        return counted
    # All was imported, but not every object has its line.
    only = results.image_sets[0] if len(results.image_sets) == 1 else None
    connection.run(
        _UNNAMED,
        **of,
        datastore_id=datastore_id,
        image_set_id=only and only.image_set_id,
        version=only and only.version,
        is_primary=only and only.is_primary,
    )
    return connection.one(_COUNTS, **of) or {}


def expected(connection: Connection, series_transfer_pk: int) -> int:
    """How many instances its manifest has."""
    row = connection.one("SELECT instance_count FROM series_transfer WHERE pk = :pk", pk=series_transfer_pk)
    return int(row["instance_count"]) if row else 0


def conflict(connection: Connection, series_transfer_pk: int, datastore_id: str) -> str:
    """Why it is non-primary: the attributes that differ, and from which image set; no values."""
    row = connection.one(_CONFLICT, pk=series_transfer_pk, datastore_id=datastore_id)
    if row is None:
        return "the index knows no earlier import that differs: compare it with the study in HealthImaging"
    verb = "differs" if len(row["names"]) == 1 else "differ"
    return (
        f"{', '.join(row['names'])} {verb} from primary image set {row['image_set_id']} "
        f"of series {row['series_instance_uid']}"
    )
