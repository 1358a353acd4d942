"""Which series the edge still holds, and where each is: read from the journal, by one or by all."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edge_component.running.problem import Problem, text_of

UID = re.compile(r"[0-9]+(\.[0-9]+)+\.?")
"""A UID or how it begins: two numbers at least, as `ops where` has it."""
MOST = 200
"""Series in one answer to a person."""
TIMES = ("first_received_at", "last_received_at", "sealed_at", "announced_at")


@dataclass(frozen=True)
class Held:
    """A series transfer, or what of a series is not assigned to one yet. Times in seconds since 1970.

    `state`: *received* (not assigned yet), *open* (instances may still come), *sealed* (complete, not all in
    S3), *announcing* (all in S3, its event not accepted yet), *announced*.
    """

    study_instance_uid: str
    series_instance_uid: str
    transfer_id: str | None
    modality: str | None
    calling_ae: str
    called_ae: str
    patient_id: str | None
    accession_number: str | None
    state: str
    instances: int
    instances_uploaded: int
    total_bytes: int
    first_received_at: float
    last_received_at: float
    sealed_at: float | None
    announced_at: float | None
    problem: str | None
    """Of one of its instances, or why its manifest cannot be built."""

    def fields(self, problems: Iterable[Problem] = ()) -> dict[str, Any]:
        """For JSON, with what it waits for. `problems`: the edge's own."""
        found = asdict(self) | {"waits_for": self.waits_for(problems)}
        return found | {name: text_of(found[name]) for name in TIMES if found[name] is not None}

    def waits_for(self, problems: Iterable[Problem]) -> str | None:
        """Why it is not further."""
        if self.state == "announced":
            return None
        if self.problem:
            return self.problem
        if self.state == "received":
            return "a moment: it was just received"
        if self.state == "open":
            return "more instances: its association is open, or it was quiet for too short a time"
        what = "upload" if self.state == "sealed" else "announcement"
        known = next((problem.reason for problem in problems if problem.name == what), None)
        return known or f"its {what}"


def held(journal: sqlite3.Connection, limit: int) -> tuple[list[Held], int]:
    """Series that are not announced, oldest first, at most so many; and how many more there are."""
    groups = [tuple(row) for row in journal.execute(_HELD, (limit,)).fetchall()]
    total = journal.execute(_HOW_MANY).fetchone()[0]
    return _read(journal, groups), max(0, total - len(groups))


def find(journal: sqlite3.Connection, term: str, limit: int = MOST) -> list[Held]:
    """What the journal knows by an accession number, patient id, UID, AE title or transfer id.

    Of a study's or series' UID the beginning is enough; if the journal knows the whole one, it means that
    one only. Series that were announced are known by their UIDs, as long as their receipts are kept.
    """
    # SQLite compares bytes: all that begins with the term is before the term and a colon, next to the digits.
    ways = [(_BY_UID, f"{term}\0"), (_BY_UID, f"{term}:")] if UID.fullmatch(term) else []
    ways.append((_BY_NAME, term))
    found = (_found(journal, by, {"term": term, "until": until, "limit": limit}) for by, until in ways)
    return next(filter(None, found), [])


def _found(journal: sqlite3.Connection, by: str, wanted: dict[str, Any]) -> list[Held]:
    groups = [tuple(row) for row in journal.execute(by, wanted).fetchall()]
    rows = journal.execute(_ANNOUNCED, wanted).fetchall()
    return _read(journal, groups) + [_announced(row) for row in rows]


def _read(journal: sqlite3.Connection, groups: Sequence[tuple[Any, ...]]) -> list[Held]:
    found = [journal.execute(_ASSIGNED, group[:1]).fetchone() for group in groups if group[0] is not None]
    if received := [group[1:] for group in groups if group[0] is None]:
        found += journal.execute(_UNASSIGNED, (json.dumps(received),)).fetchall()
    return [Held(**dict(row)) for row in found if row["instances"]]  # else it has just been announced


def _announced(row: sqlite3.Row) -> Held:
    facts = dict(row)
    lost = facts.pop("missing")
    problem = f"{lost} announced as missing: see aside/" if lost else None
    return Held(
        **facts,
        modality=None,
        calling_ae="",
        called_ae="",
        patient_id=None,
        accession_number=None,
        state="announced",
        problem=problem,
    )


_HOW_MANY = """
SELECT (SELECT sum(number) FROM tally WHERE name IN ('series_open', 'series_sealed', 'series_built'))
     + (SELECT count(*) FROM (SELECT DISTINCT study_instance_uid, series_instance_uid FROM instance
                               WHERE state = 'received'))
"""
_HELD = """
SELECT * FROM (
    SELECT sequence, study_instance_uid, series_instance_uid FROM series_transfer
     WHERE announced_at IS NULL ORDER BY sequence LIMIT ?1)
UNION ALL
SELECT DISTINCT NULL, study_instance_uid, series_instance_uid FROM instance WHERE state = 'received'
LIMIT ?1
"""
# A plus keeps SQLite from another index than those of the UIDs.
_BY_UID = """
SELECT sequence, study_instance_uid, series_instance_uid FROM instance WHERE sop_instance_uid = :term
UNION
SELECT * FROM (
    SELECT sequence, study_instance_uid, series_instance_uid FROM series_transfer
     WHERE +announced_at IS NULL
       AND (series_instance_uid >= :term AND series_instance_uid < :until
            OR study_instance_uid >= :term AND study_instance_uid < :until)
     LIMIT :limit)
UNION
SELECT NULL, study_instance_uid, series_instance_uid FROM instance
 WHERE state = 'received'
   AND (series_instance_uid >= :term AND series_instance_uid < :until
        OR study_instance_uid >= :term AND study_instance_uid < :until)
 LIMIT :limit
"""
# The first instance of a series speaks for all of it: the cost is that of the series, not of the instances.
_BY_NAME = """
WITH looked AS (
    SELECT i.sequence, t.transfer_id, i.study_instance_uid, i.series_instance_uid, i.association, i.attributes
      FROM series_transfer t
      JOIN instance i ON i.instance = (SELECT min(instance) FROM instance WHERE sequence = t.sequence)
     WHERE t.announced_at IS NULL
    UNION ALL
    SELECT NULL, NULL, study_instance_uid, series_instance_uid, association, attributes
      FROM instance WHERE state = 'received')
SELECT DISTINCT l.sequence, l.study_instance_uid, l.series_instance_uid
  FROM looked l JOIN association a USING (association)
 WHERE l.transfer_id = :term OR a.calling_ae = :term OR a.called_ae = :term
    OR trim(json_extract(l.attributes, '$.00080050.Value[0]')) = :term
    OR trim(json_extract(l.attributes, '$.00100020.Value[0]')) = :term
 LIMIT :limit
"""
_COLUMNS = """
       max(i.modality) AS modality, max(a.calling_ae) AS calling_ae, max(a.called_ae) AS called_ae,
       max(json_extract(i.attributes, '$.00100020.Value[0]')) AS patient_id,
       max(json_extract(i.attributes, '$.00080050.Value[0]')) AS accession_number,
       count(*) AS instances, coalesce(sum(i.state = 'uploaded'), 0) AS instances_uploaded,
       coalesce(sum(i.bytes), 0) AS total_bytes,
       min(i.received_at) AS first_received_at, max(i.received_at) AS last_received_at
"""
_ASSIGNED = f"""
SELECT t.study_instance_uid, t.series_instance_uid, t.transfer_id, {_COLUMNS}, t.sealed_at, t.announced_at,
       CASE WHEN t.sealed_at IS NULL THEN 'open'
            WHEN coalesce(sum(i.state IN ('received', 'assigned', 'sending')), 0) THEN 'sealed'
            ELSE 'announcing' END AS state, coalesce(max(i.problem), t.problem) AS problem
  FROM series_transfer t JOIN instance i USING (sequence) JOIN association a USING (association)
 WHERE t.sequence = ?
"""  # noqa: S608 - our own text
# All in one go: what has no place yet has no index but that of its state.
_UNASSIGNED = f"""
SELECT i.study_instance_uid, i.series_instance_uid, NULL AS transfer_id, {_COLUMNS},
       NULL AS sealed_at, NULL AS announced_at, 'received' AS state, max(i.problem) AS problem
  FROM instance i JOIN association a USING (association)
 WHERE i.state = 'received' AND (i.study_instance_uid, i.series_instance_uid) IN
       (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))
 GROUP BY 1, 2 ORDER BY min(i.instance)
"""  # noqa: S608 - our own text
# Only of the series that are listed are receipts read: a million of them make no difference.
_ANNOUNCED = """
SELECT t.study_instance_uid, t.series_instance_uid, t.transfer_id, count(*) AS instances,
       sum(r.uploaded) AS instances_uploaded, sum(r.bytes) AS total_bytes, sum(NOT r.uploaded) AS missing,
       t.opened_at AS first_received_at, t.opened_at AS last_received_at, t.sealed_at, t.announced_at
  FROM series_transfer t JOIN receipt r USING (sequence)
 WHERE t.sequence IN (
    SELECT sequence FROM series_transfer WHERE +announced_at IS NOT NULL
       AND (series_instance_uid >= :term AND series_instance_uid < :until
            OR study_instance_uid >= :term AND study_instance_uid < :until
            OR transfer_id = :term
            OR sequence IN (SELECT sequence FROM receipt WHERE sop_instance_uid = :term))
     ORDER BY +sequence DESC LIMIT :limit)
 GROUP BY t.sequence ORDER BY t.sequence DESC
"""
