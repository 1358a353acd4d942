"""Read model: how many series and instances of a study were received, and how many are imported."""

from __future__ import annotations

import json
from collections.abc import Sequence

from dicom_ingest.operators.read.index import Index, Row

PAGE = 500
"""The Data API answers 1 MiB at most."""

# An instance counts once, whatever its transfers; it is imported if any version of it is in the data store.
_ARRIVED = """
WITH instances AS (
    SELECT t.study_instance_uid, t.series_instance_uid, i.sop_instance_uid,
        bool_or(i.verdict <> 'MISSING') AS received,
        bool_or(i.verdict IN ('IMPORTED', 'WARNED', 'UNCHANGED')) AS imported
    FROM jsonb_array_elements_text(CAST(:studies AS jsonb)) AS asked(study)
    JOIN series_transfer t ON t.study_instance_uid = asked.study
    JOIN instance_transfer i ON i.series_transfer_pk = t.pk
    GROUP BY t.study_instance_uid, t.series_instance_uid, i.sop_instance_uid)
SELECT study_instance_uid,
    count(DISTINCT series_instance_uid) FILTER (WHERE received) AS series_received,
    count(DISTINCT series_instance_uid) FILTER (WHERE imported) AS series_imported,
    count(*) FILTER (WHERE received) AS received, count(*) FILTER (WHERE imported) AS imported
FROM instances GROUP BY study_instance_uid
"""


def arrived(index: Index, studies: Sequence[str], page: int = PAGE) -> dict[str, Row]:
    """By study; one of which nothing was received has no row. `page`: studies of one question."""
    found: dict[str, Row] = {}
    for first in range(0, len(studies), page):
        asked = json.dumps(studies[first : first + page])
        found |= {row["study_instance_uid"]: row for row in index.run(_ARRIVED, studies=asked)}
    return found
