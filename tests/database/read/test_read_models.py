"""Read models on real PostgreSQL: found by whatever is known, timed, and told what it waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.db.semaphore import gate
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.series import ending, imports
from dicom_ingest.db.server.connection import Database
from dicom_ingest.operators.read.ledger import differences, sums
from dicom_ingest.operators.read.series.choices import resolved
from dicom_ingest.operators.read.series.places import ORDERS, RECEIVED, Filter, places, total
from dicom_ingest.operators.read.series.search import kinds, matches, where
from dicom_ingest.operators.read.series.timeline import Timeline, timeline
from dicom_ingest.operators.read.state.edges import edges, senders
from dicom_ingest.operators.read.state.flow import flow, outcomes
from dicom_ingest.operators.read.state.slots import semaphores, tickets
from tests.support.workflow.series import Announced, element
from tests.support.workflow.workers import Execution, index_series

DATASTORE = "d" * 32


def timeline_of(database: Database, announced: Announced) -> Timeline:
    with database.transaction() as connection:
        (row,) = where(connection, announced.series_instance_uid)
        found = timeline(connection, row["pk"])
    assert found is not None
    return found


def waits_for(database: Database, announced: Announced) -> str:
    waits = timeline_of(database, announced).waits_for
    assert waits is not None
    return waits.words


def rows(database: Database, read: Any, *arguments: Any) -> Any:
    with database.transaction() as connection:
        return read(connection, *arguments)


def test_a_series_is_found_by_whatever_is_known_of_it(database: Database) -> None:
    announced = Announced(patient_id="P-7", attributes=lambda _: {"00080050": element("SH", "ACC-7")})
    index_series(database, announced)
    index_series(database, Announced(patient_id="P-8", edge="dicom-ingest-edge2"))
    for term, kind in {
        announced.study_instance_uid: "study",
        announced.series_instance_uid: "series",
        announced.sop_instance_uids[1]: "instance",
        announced.transfer_id: "transfer",
        "ACC-7": "accession number",
        "P-7": "patient",
        announced.edge: "edge",
    }.items():
        (row,) = rows(database, where, term)
        assert row["series_instance_uid"] == announced.series_instance_uid
        assert row["matched"] == kind
    assert {row["matched"] for row in rows(database, where, "CT1")} == {"AE"}
    assert len(rows(database, where, "ct1")) == 2
    assert [row["edge"] for row in rows(database, where, "EDGE2")] == ["dicom-ingest-edge2"]
    assert rows(database, where, "nobody") == []


def test_the_beginning_finds_a_patient_or_an_accession_whatever_the_case(database: Database) -> None:
    named = {
        "00080050": element("SH", "ACC-7"),
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
    }
    announced = Announced(patient_id="P-7", attributes=lambda _: named)
    index_series(database, announced)
    index_series(database, Announced(patient_id="Q-8"))
    for term in ("acc", "ACC-7", "p-", "doe", "Doe^J", "doe jane", "DOE, J"):
        (row,) = rows(database, where, term)
        assert row["series_instance_uid"] == announced.series_instance_uid, term
    assert rows(database, where, "cc-7") == []


def test_the_beginning_of_a_uid_finds_it_and_a_whole_uid_finds_no_longer_one(database: Database) -> None:
    for series in ("1.2.840.7.1", "1.2.840.7.10", "1.2.841.1"):
        index_series(database, Announced(study_instance_uid=series, series_instance_uid=f"{series}.9"))

    def found(term: str) -> list[str]:
        return sorted(row["series_instance_uid"] for row in rows(database, where, term))

    assert found("1.2.840.") == ["1.2.840.7.1.9", "1.2.840.7.10.9"]
    assert found("1.2.84") == ["1.2.840.7.1.9", "1.2.840.7.10.9", "1.2.841.1.9"]
    assert found("1.2.840.7.1") == ["1.2.840.7.1.9"], "a whole study UID, with which another begins"
    assert found("1.2.840.7.1.9") == ["1.2.840.7.1.9"]
    assert rows(database, matches, "1.2.840.") == 2


def test_a_whole_number_is_that_one_and_no_longer_one(database: Database) -> None:
    for number in ("A1", "A10"):
        index_series(database, Announced(patient_id=number))
    assert len(rows(database, where, "a")) == 2
    for term in ("A1", "a1"):
        assert [row["patient_id"] for row in rows(database, where, term)] == ["A1"]


def test_a_change_that_is_made_at_once_takes_whole_terms_only(database: Database) -> None:
    named = {
        "00080050": element("SH", "ACC-7"),
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
    }
    announced = Announced(patient_id="P-7", attributes=lambda _: named)
    index_series(database, announced)

    def found(term: str) -> int:
        with database.transaction() as connection:
            return len(where(connection, term, whole=True))

    whole = ("ACC-7", "P-7", announced.series_instance_uid, announced.sop_instance_uids[0], announced.edge)
    assert [found(term) for term in whole] == [1] * len(whole)
    parts = ("ACC", "P", "Doe", announced.series_instance_uid[:-1], announced.study_instance_uid[:20])
    assert [found(term) for term in parts] == [0] * len(parts)
    assert all(rows(database, where, term) for term in parts)


def test_lists_have_a_total_and_pages(database: Database) -> None:
    for _ in range(3):
        index_series(database, Announced())
    everything = rows(database, places)
    assert rows(database, total) == 3
    assert rows(database, places, None, 2) == everything[:2]
    assert rows(database, places, None, 2, 2) == everything[2:]
    assert rows(database, where, "CT1", 2, None, 2) == rows(database, where, "CT1")[2:]
    with database.transaction() as connection:
        assert places(connection, order=RECEIVED) == everything[::-1]
    assert rows(database, total, Filter(modality="XX")) == 0
    assert rows(database, matches, "CT1") == 3
    assert rows(database, matches, "CT1", Filter(modality="XX")) == 0


@pytest.mark.parametrize("by", ORDERS)
def test_a_list_is_sorted_by_every_column_both_ways_and_in_pages(database: Database, by: str) -> None:
    for number, modality in enumerate(("CT", "MR", "US")):
        uids = tuple(f"1.2.{number}.{each}" for each in range(number + 1))
        announced = Announced(modality=modality, patient_id=f"P-{number}", sop_instance_uids=uids)
        index_series(database, announced)
    up, down = (rows(database, places, None, 200, 0, order) for order in (by, f"-{by}"))
    assert up == down[::-1]
    assert rows(database, places, None, 1, 1, by) == up[1:2]
    assert rows(database, where, "CT1", 200, None, 0, by) == [row | {"matched": "AE"} for row in up]
    if by in ("series", "patient", "instances"):
        assert [row["modality"] for row in up] == ["CT", "MR", "US"]


def test_a_filter_knows_short_names_and_any_case_and_explains_other_values(database: Database) -> None:
    index_series(database, Announced(modality="CT"))
    meant = Filter(edge="edge1", modality="ct", ae="ct1")
    found, unknown = rows(database, resolved, meant)
    assert (found.edge, found.modality, found.ae, unknown) == ("dicom-ingest-edge1", "CT", "CT1", [])
    _, unknown = rows(database, resolved, Filter(edge="nope", modality="XX"))
    assert unknown == [
        "no series has edge nope; there is dicom-ingest-edge1",
        "no series has modality XX; there is CT",
    ]


def test_only_what_a_term_can_be_is_looked_for() -> None:
    assert kinds("2d9f0d3b-6b0f-4bd6-8d77-3b1b2c1c9a11") == ("transfer",)
    assert "series" in kinds("1.2.3")
    assert "import" not in kinds("1.2.3")
    assert "import" in kinds("0" * 32)
    assert kinds("A12345") == ("accession number", "patient", "AE", "edge")


def test_filters_narrow_the_list_down(database: Database) -> None:
    index_series(database, Announced(modality="CT"))
    index_series(database, Announced(modality="MR", edge="dicom-ingest-edge2"))
    for chosen, count in {
        Filter(): 2,
        Filter(modality="MR"): 1,
        Filter(edge="dicom-ingest-edge2", modality="CT"): 0,
        Filter(ae="EDGE", place="indexed", under_way=True): 2,
        Filter(needs_attention=True): 0,
        Filter(day=Announced().received_at.date()): 2,
    }.items():
        assert len(rows(database, places, chosen)) == count, chosen


def test_the_timeline_says_when_each_step_was_and_what_is_to_come(database: Database) -> None:
    execution = Execution(database, DATASTORE)
    index_series(database, execution.announced, execution.arn)
    execution.acquire()
    found = timeline_of(database, execution.announced)
    happened = [step.name for step in found.steps if step.at is not None]
    assert happened[:4] == ["first received", "last received", "sealed", "announced"]
    assert set(happened[4:]) == {"indexing began", "indexed", "ticket queued", "slot granted"}
    assert [step.name for step in found.steps if step.at is None] == [
        "import started",
        "import over",
        "image sets recorded",
        "over",
    ]
    assert found.verdicts == {"PENDING": 2}
    assert [row["instance_number"] for row in found.instances] == [1, 2]


def test_an_import_that_runs_names_its_job(database: Database) -> None:
    execution = Execution(database, DATASTORE)
    index_series(database, execution.announced, execution.arn)
    ticket, _ = execution.acquire()
    with database.transaction() as connection:
        imports.intend(connection, ticket.pk, "token", "name", "results/")
    assert "HealthImaging's answer" in waits_for(database, execution.announced)
    with database.transaction() as connection:
        imports.running(connection, ticket.pk, "token", "a" * 32, "IN_PROGRESS")
    assert f"job {'a' * 32}" in waits_for(database, execution.announced)
    (found,) = rows(database, where, "a" * 32)
    assert found["matched"] == "import"


def test_a_waiter_is_told_for_whom_or_what_it_waits(database: Database) -> None:
    with database.transaction() as connection:
        queue.set_capacity(connection, DATASTORE, 1)
    holder = Execution(database, DATASTORE)
    second_part = replace(Announced(), series_instance_uid=holder.announced.series_instance_uid)
    waiters = [Execution(database, DATASTORE), Execution(database, DATASTORE, second_part)]
    for execution in (holder, *waiters):
        index_series(database, execution.announced, execution.arn)
        execution.acquire()
    assert waits_for(database, waiters[0].announced) == "a slot: 0 tickets ahead, 1 of 1 slots in use"
    with database.transaction() as connection:
        found = [timeline(connection, row["pk"]) for row in where(connection, second_part.transfer_id)]
    assert "another import of the same series runs" in str(found[0] and found[0].waits_for)
    with database.transaction() as connection:
        gate.close(connection, DATASTORE, "access denied")
    assert "its gate is closed, access denied" in waits_for(database, waiters[0].announced)
    with database.transaction() as connection:
        queue.set_paused(connection, DATASTORE, paused=True)
    assert "granting is paused" in waits_for(database, waiters[0].announced)


def test_a_changed_instance_waits_for_the_transfer_before_it(database: Database) -> None:
    earlier = Announced()
    later = Execution(database, DATASTORE, Announced(sequence=2, after=(earlier.transfer_id,)))
    index_series(database, later.announced, later.arn)
    later.acquire()
    assert earlier.transfer_id in waits_for(database, later.announced)


def test_a_failure_waits_for_a_person(database: Database) -> None:
    execution = Execution(database, DATASTORE)
    with database.transaction() as connection:
        ending.finish(connection, execution.ref, execution.arn, Outcome.FAILED, detail="it broke")
    execution.release()
    found = timeline_of(database, execution.announced)
    assert found.steps[-1].words == "FAILED: it broke"
    assert "a person" in str(found.waits_for)
    assert len(rows(database, places, Filter(needs_attention=True))) == 1
    assert rows(database, outcomes) == {"FAILED": 1}


def test_slots_list_holders_first_and_then_the_queue_in_its_order(database: Database) -> None:
    executions = [Execution(database, DATASTORE) for _ in range(3)]
    bulk = Execution(database, DATASTORE, Announced(priority="bulk"))
    with database.transaction() as connection:
        queue.set_capacity(connection, DATASTORE, 1)
    for execution in (bulk, *executions):
        execution.acquire()
    listed = rows(database, tickets)
    assert [row["state"] for row in listed] == ["GRANTED", "WAITING", "WAITING", "WAITING"]
    (semaphore,) = rows(database, semaphores)
    assert (semaphore["held"], semaphore["waiting"], semaphore["capacity"]) == (1, 3, 1)
    assert semaphore["oldest_waiting_since"] is not None
    assert rows(database, tickets, 2, 1) == listed[1:3]
    counts = rows(database, flow)
    assert (counts["series_waiting"], counts["series_importing"]) == (3, 1)
    assert (counts["slots_held"], counts["capacity"]) == (1, 1)


def test_the_ledger_names_each_difference_and_its_reason(database: Database) -> None:
    index_series(database, Announced())
    (difference,) = rows(database, differences)
    assert (difference["announced"], difference["pending"], difference["reason"]) == (2, 2, "under way")
    (day,) = rows(database, sums)
    assert (day["announced"], day["in_s3"], day["indexed"], day["imported"], day["differences"]) == (
        2,
        2,
        2,
        0,
        1,
    )
    assert rows(database, sums, day["day"].replace(year=2100)) == []


def test_the_flow_counts_as_imported_what_the_ledger_does(database: Database) -> None:
    for verdict, imported in (("IMPORTED", 2), ("UNCHANGED", 4), ("WARNED", 6), ("FAILED", 6)):
        announced = Announced()
        index_series(database, announced)
        with database.transaction() as connection:
            connection.run(
                """UPDATE instance_transfer SET verdict = :verdict WHERE series_transfer_pk =
                    (SELECT pk FROM series_transfer WHERE transfer_id = CAST(:transfer AS uuid))""",
                verdict=verdict,
                transfer=announced.transfer_id,
            )
            connection.run(
                """UPDATE series_transfer SET state = 'OVER', over_at = now(), outcome = 'COMPLETED'
                    WHERE transfer_id = CAST(:transfer AS uuid)""",
                transfer=announced.transfer_id,
            )
        (day,) = rows(database, sums)
        assert rows(database, flow)["instances_imported"] == day["imported"] == imported, verdict


def test_edges_and_their_senders_are_counted(database: Database) -> None:
    now = datetime.now(timezone.utc)
    for ago in (timedelta(hours=6), timedelta(minutes=5), timedelta(days=30)):
        index_series(database, Announced(received_at=now - ago))
    (sender,) = rows(database, senders)
    assert (sender["calling_ae"], sender["series"]) == ("CT1", 2), "those of the last days"
    assert now - sender["last_received_at"] < timedelta(minutes=6)
    (edge,) = rows(database, edges)
    assert (edge["series"], edge["instances"]) == (2, 4), "those of the last days"


def test_an_edge_that_was_silent_for_months_is_still_listed(database: Database) -> None:
    long_ago = datetime.now(timezone.utc) - timedelta(days=200)
    index_series(database, Announced(received_at=long_ago, edge="dicom-ingest-closed"))
    index_series(database, Announced(received_at=datetime.now(timezone.utc)))
    closed, open_ = rows(database, edges)
    assert (closed["edge"], closed["series"], closed["last_received_at"]) == (
        "dicom-ingest-closed",
        0,
        long_ago,
    )
    assert open_["series"] == 1


def test_an_ae_title_is_found_as_caller_and_as_called(database: Database) -> None:
    index_series(database, Announced())
    assert {row["matched"] for ae in ("CT1", "EDGE") for row in rows(database, where, ae)} == {"AE"}
    for ae in ("CT1", "EDGE"):
        assert len(rows(database, places, Filter(ae=ae))) == 1
        assert len(rows(database, where, Announced().edge, 10, Filter(ae=ae))) == 1
    assert rows(database, places, Filter(ae="OTHER")) == []
