"""What a series transfer waits for now, in one sentence, and when it is expected to end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from dicom_ingest.contracts.messages.outcomes import FAILURES
from dicom_ingest.contracts.platform.slots import kept_for_live
from dicom_ingest.operators.read.index import Index, Row, first
from dicom_ingest.operators.read.state.slots import LIVE_NEEDED

# The same rules as the grant step's (db.semaphore.granting.ELIGIBLE), said of one ticket.
_QUEUE = f"""
SELECT clock_timestamp() AS now, s.configured_at < (SELECT max(configured_at) FROM semaphore) AS replaced,
    s.capacity, s.paused, s.gate, s.gate_reason, j.priority > 0 AS bulk, {LIVE_NEEDED} AS live_needed,
    (SELECT count(*) FROM ahlijob h WHERE h.datastore_id = j.datastore_id
        AND h.own_slot) AS held,
    j.bundle, j.asleep, j.expects_bundle AND j.created_at
        > clock_timestamp() - make_interval(secs => s.bundle_patience) AS expects_bundle,
    (SELECT l.pk FROM ahlijob l WHERE l.bundle = j.bundle AND l.leads) AS leader,
    (SELECT count(*) FROM ahlijob m WHERE m.bundle = j.bundle) AS members,
    (SELECT count(*) FROM ahlijob w WHERE w.datastore_id = j.datastore_id AND w.state = 'WAITING'
        AND (w.priority, w.pk) < (j.priority, j.pk)) AS ahead,
    (SELECT min(h.pk) FROM ahlijob h WHERE h.datastore_id = j.datastore_id AND h.pk <> j.pk
        AND h.series_instance_uid = j.series_instance_uid
        AND h.holds_slot) AS same_series_ticket,
    (SELECT string_agg(CAST(earlier AS text), ', ') FROM unnest(t.after) earlier
        LEFT JOIN series_transfer p ON p.transfer_id = earlier
            AND p.series_instance_uid = t.series_instance_uid
        WHERE p.pk IS NULL OR p.state <> 'OVER') AS predecessors,
    (SELECT CAST(percentile_cont(0.5) WITHIN GROUP (ORDER BY done.seconds) AS float) FROM (
        SELECT EXTRACT(epoch FROM d.import_over_at - d.granted_at) AS seconds FROM ahlijob d
        WHERE d.datastore_id = j.datastore_id AND d.import_over_at IS NOT NULL AND d.granted_at IS NOT NULL
        ORDER BY d.import_over_at DESC LIMIT 50) done) AS usual_seconds
FROM ahlijob j JOIN semaphore s ON s.datastore_id = j.datastore_id
JOIN series_transfer t ON t.pk = j.series_transfer_pk
WHERE j.pk = :ticket
"""


@dataclass(frozen=True)
class Wait:
    """What for. `expected_over_at`: from the median of the last 50 imports; None where it cannot be told."""

    words: str
    expected_over_at: datetime | None = None
    stranded: bool = False
    """Its ticket waits for a data store that was replaced."""


def wait(index: Index, transfer: Row, ticket: Row | None) -> Wait | None:
    """None where the series transfer is over and nothing has to be done."""
    if transfer["state"] == "OVER":
        failed = transfer["outcome"] in {outcome.value for outcome in FAILURES}
        return Wait("a person: see why it failed, then reprocess it") if failed else None
    if transfer["indexed_at"] is None:
        return Wait("IndexSeries: manifest and objects are being read and written to the index")
    if ticket is None or ticket["over_at"] is not None:
        return Wait("its execution's next step")
    queue = first(index.run(_QUEUE, ticket=ticket["ticket_id"])) or {}
    if ticket["state"] == "WAITING":
        return _in_the_queue(queue)
    return _holding(ticket, queue)


def _in_the_queue(queue: Row) -> Wait:
    if queue["replaced"]:
        return Wait(
            "an operator: its data store was replaced (`slots move` or `slots cancel`)", stranded=True
        )
    if queue["paused"]:
        return Wait("an operator: granting is paused (`slots resume`)")
    if queue["gate"] == "CLOSED":
        return Wait(f"the data store: its gate is closed, {queue['gate_reason']}")
    if queue["capacity"] == 0:
        return Wait("an operator: no import may run (`slots capacity`)")
    if queue["same_series_ticket"] is not None:
        return Wait(f"ticket {queue['same_series_ticket']}: another import of the same series runs")
    if queue["predecessors"]:
        return Wait(f"transfer {queue['predecessors']}: it holds an earlier version of an instance")
    if queue["expects_bundle"]:
        return Wait(
            "the other series of its transfer: one import takes all of them, if they come within minutes"
        )
    ahead = f"{queue['ahead']} {'ticket' if queue['ahead'] == 1 else 'tickets'} ahead"
    words = f"a slot: {ahead}, {queue['held']} of {queue['capacity']} slots in use"
    if queue["bulk"] and (kept := kept_for_live(queue["capacity"], queue["live_needed"])):
        words += f", {kept} kept for live series"
    return Wait(words, _expected(queue, turns=2 + queue["ahead"] // max(1, queue["capacity"])))


def _holding(ticket: Row, queue: Row) -> Wait:
    orphaned = " (its execution is gone: reclaim_import_slots sees to it)" if ticket["orphaned_at"] else ""
    if queue["asleep"]:
        return Wait(
            f"the import that {queue['members']} series share, led by ticket {queue['leader']}{orphaned}",
            _expected(queue, turns=1, since=ticket["granted_at"]),
        )
    if ticket["import_over_at"] is not None:
        return Wait(f"RecordImageSets: the import is over, its results are being read{orphaned}")
    if ticket["state"] == "RUNNING":
        words = (
            f"HealthImaging: job {ticket['import_id']} since {ticket['running_at']:%H:%M:%S} UTC{orphaned}"
        )
        return Wait(words, _expected(queue, turns=1, since=ticket["granted_at"]))
    if ticket["state"] == "STARTING":
        return Wait(f"HealthImaging's answer to the start of the import{orphaned}")
    return Wait(
        f"its start at {ticket['start_at']:%H:%M:%S} UTC: starts are paced{orphaned}",
        _expected(queue, turns=1, since=ticket["start_at"]),
    )


def _expected(queue: Row, turns: int, since: datetime | None = None) -> datetime | None:
    """Unknown before one import is over, and of one that takes longer than usual."""
    if queue.get("usual_seconds") is None:
        return None
    expected: datetime = (since or queue["now"]) + timedelta(seconds=turns * queue["usual_seconds"])
    return expected if expected > queue["now"] else None
