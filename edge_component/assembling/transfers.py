"""What the assembler asks of the journal: what is there of a series, and what is under way."""

from __future__ import annotations

import sqlite3

from edge_component.assembling.rules import OpenSeries, Sitting, Version


def correlation_id(transfer: sqlite3.Row) -> str:
    """What ties log lines, manifest, event and everything behind them to one series transfer."""
    return f"{transfer['transfer_id']}/{transfer['series_instance_uid']}"


def versions(journal: sqlite3.Connection, series: str, sop: str) -> list[Version]:
    """Earlier instances of the series with this SOP Instance UID, announced or not."""
    rows = journal.execute(
        """SELECT i.sequence, t.transfer_id, i.dataset_sha256, NULL AS announced_at,
                  i.problem IS NULL AND i.state != 'missing',
                  CASE WHEN i.state != 'uploaded' THEN i.instance END
             FROM instance i JOIN series_transfer t USING (sequence)
            WHERE i.sop_instance_uid = ?1 AND t.series_instance_uid = ?2
           UNION ALL
           SELECT r.sequence, t.transfer_id, r.dataset_sha256, r.announced_at, r.uploaded, NULL
             FROM receipt r JOIN series_transfer t USING (sequence)
            WHERE r.sop_instance_uid = ?1 AND t.series_instance_uid = ?2""",
        (sop, series),
    )
    return [Version(r[0], r[1], r[2], r[3], bool(r[4]), r[5]) for r in rows]


def arriving(journal: sqlite3.Connection, sequence: int) -> bool:
    """An instance of its series was received since the last batch, and can be read."""
    found = journal.execute(
        """SELECT 1 FROM instance i JOIN series_transfer t USING (study_instance_uid, series_instance_uid)
            WHERE i.state = 'received' AND i.problem IS NULL AND t.sequence = ? LIMIT 1""",
        (sequence,),
    ).fetchone()
    return found is not None


def open_series_of(journal: sqlite3.Connection, study: str, series: str) -> list[OpenSeries]:
    """The transfers of a series that may still grow. A bulk transfer has one limit for all of its series."""
    rows = journal.execute(
        """SELECT t.sequence, t.transfer_id, count(i.instance), coalesce(sum(i.bytes), 0)
             FROM series_transfer t
             JOIN series_transfer s ON s.sequence = t.sequence
                  OR t.bulk_ae IS NOT NULL AND s.transfer_id = t.transfer_id
             JOIN instance i ON i.sequence = s.sequence
            WHERE t.series_instance_uid = ? AND t.study_instance_uid = ? AND t.sealed_at IS NULL
            GROUP BY t.sequence""",
        (series, study),
    )
    return [OpenSeries(*row) for row in rows]


def sittings(journal: sqlite3.Connection, study: str, series: str) -> list[str]:
    """Ids of open transfers of the study that hold nothing of this series yet, newest last."""
    rows = journal.execute(
        """SELECT transfer_id, max(sequence) FROM series_transfer
            WHERE announced_at IS NULL AND sealed_at IS NULL AND study_instance_uid = ?1 AND bulk_ae IS NULL
              AND transfer_id NOT IN (SELECT transfer_id FROM series_transfer WHERE series_instance_uid = ?2)
            GROUP BY transfer_id ORDER BY 2""",
        (study, series),
    )
    return [row[0] for row in rows]


def transfers_of(journal: sqlite3.Connection, series: str) -> set[str]:
    """Ids of the transfers that hold something of a series."""
    rows = journal.execute("SELECT transfer_id FROM series_transfer WHERE series_instance_uid = ?", (series,))
    return {row[0] for row in rows}


def bulk_sittings(journal: sqlite3.Connection, calling_ae: str) -> list[Sitting]:
    """Open transfers of a bulk sender, newest last. All instances of them are read: ask once a batch."""
    rows = journal.execute(
        """SELECT t.transfer_id, t.sequence, t.opened_at, count(i.instance), coalesce(sum(i.bytes), 0)
             FROM series_transfer t LEFT JOIN instance i USING (sequence)
            WHERE t.transfer_id IN (SELECT transfer_id FROM series_transfer
                                     WHERE announced_at IS NULL AND sealed_at IS NULL AND bulk_ae = ?)
            GROUP BY t.sequence ORDER BY t.sequence""",
        (calling_ae,),
    )
    found: dict[str, Sitting] = {}
    for transfer_id, sequence, opened_at, count, size in rows:
        sitting = found.pop(transfer_id, None) or Sitting(transfer_id, opened_at)
        found[transfer_id] = sitting  # at the end: it has the newest series so far
        sitting.opened_at = min(sitting.opened_at, opened_at)
        sitting.add(sequence, count, size)
    return list(found.values())


def close(journal: sqlite3.Connection, sequence: int) -> None:
    """Where all series of the transfer are sealed none can join it: this one says how many it has."""
    journal.execute(
        """UPDATE series_transfer SET transfer_series =
               (SELECT count(*) FROM series_transfer s WHERE s.transfer_id = series_transfer.transfer_id)
            WHERE sequence = ?1 AND NOT EXISTS (
                SELECT 1 FROM series_transfer s WHERE s.transfer_id = series_transfer.transfer_id
                   AND (s.sealed_at IS NULL OR NOT s.closable))""",
        (sequence,),
    )


# An association of an ended epoch that never said how it ended counts as aborted when the epoch ended.
# The last instance is the one with the highest number: a clock that was set back does not hide it.
OPEN_PROGRESS = """
WITH progress AS (
SELECT t.sequence, t.opened_at, count(i.instance) AS instances, sum(i.bytes) AS bytes,
       max(i.instance) AS last_instance, max(i.modality) AS modality,
       max(a.closed_at IS NULL AND e.ended_at IS NULL) AS associations_open,
       max(CASE WHEN a.closed_at IS NULL THEN e.ended_at
                WHEN a.aborted THEN a.closed_at END) AS last_aborted_at,
       sum(a.aborted OR a.closed_at IS NULL AND e.ended_at IS NOT NULL) AS aborts
  FROM series_transfer t
  JOIN instance i USING (sequence)
  JOIN association a USING (association)
  JOIN epoch e USING (epoch)
 WHERE t.sealed_at IS NULL AND t.announced_at IS NULL
 GROUP BY t.sequence)
SELECT progress.*, i.received_at AS last_received_at, a.calling_ae
  FROM progress JOIN instance i ON i.instance = progress.last_instance JOIN association a USING (association)
"""
