"""What needs attention, as lines with since when, why, how many and what to type; and what operators did."""

from __future__ import annotations

from typing import Any

import pytest

from console.pages.flow import picture
from console.pages.runbook import runbook, slug
from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.db.semaphore import gate
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.series import actions, ending
from dicom_ingest.db.server.connection import Database
from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.series.places import Filter, places
from dicom_ingest.operators.read.series.study import study
from dicom_ingest.operators.read.series.timeline import timeline
from dicom_ingest.operators.read.state.attention import Call, attention
from dicom_ingest.operators.read.state.flow import flow
from tests.database.conftest import DATASTORE
from tests.support.workflow.series import Announced
from tests.support.workflow.workers import Execution, index_series

WELL: Row = {"edge": "dicom-ingest-edge1", "problems": [], "silent_aes": []}
SEE = "docs/operations.md#nothing-gets-out"


def calls(database: Database, *said: Row) -> list[Call]:
    with database.transaction() as connection:
        return attention(connection, list(said or [WELL]))


def failed(database: Database, outcome: Outcome = Outcome.FAILED) -> int:
    """A series transfer that ended so; its pk."""
    execution = Execution(database, DATASTORE, Announced())
    with database.transaction() as connection:
        ending.finish(connection, execution.ref, execution.arn, outcome, detail="it broke")
    execution.release()
    with database.transaction() as connection:
        (row,) = [row for row in places(connection) if row["transfer_id"] == execution.announced.transfer_id]
    pk: int = row["pk"]
    return pk


def test_no_action_is_needed_only_when_there_is_nothing(database: Database) -> None:
    with database.transaction() as connection:
        counts = flow(connection)
    assert calls(database) == []
    assert "No action needed" in picture(counts, WELL, [])
    assert "No action needed" not in picture(
        counts, WELL, calls(database, {"edge": "e", "trouble": "is away"})
    )


def test_a_pause_says_who_and_how_many_wait_since_when(database: Database) -> None:
    waiting = Execution(database, DATASTORE)
    with database.transaction() as connection:
        queue.set_paused(connection, DATASTORE, paused=True, who="ana")
    waiting.acquire()
    (call,) = calls(database)
    assert call.words.startswith("Granting is paused by ana: 1 series waiting, the oldest since 20")
    assert call.since is not None
    assert (call.do, call.page) == ("ops slots resume", "/slots")


def test_a_closed_gate_says_healthimagings_reason(database: Database) -> None:
    with database.transaction() as connection:
        gate.close(connection, DATASTORE, "access denied")
    (call,) = calls(database)
    assert "is closed: access denied; 0 series waiting" in call.words
    assert call.since is not None
    assert call.see.endswith("#gate-closed")


def test_what_an_edge_says_is_wrong_is_a_line_of_its_own(database: Database) -> None:
    said = WELL | {
        "problems": [
            {
                "name": "upload",
                "reason": "no upload has succeeded",
                "since": "2026-11-22T07:45:00Z",
                "see": SEE,
            }
        ],
        "silent_aes": ["CT1"],
        "quarantined": 12,
    }
    found = calls(database, said)
    assert [call.words for call in found] == [
        "Edge dicom-ingest-edge1: no upload has succeeded",
        "Sender CT1 has been silent at dicom-ingest-edge1 for longer than in the weeks before",
        "Edge dicom-ingest-edge1: 12 rejected instances in quarantine",
    ]
    assert str(found[0].since) == "2026-11-22 07:45:00+00:00"
    assert found[0].see == SEE


def test_every_line_leads_to_a_heading_of_the_runbook(database: Database) -> None:
    for outcome in (Outcome.FAILED, Outcome.UNKNOWN, Outcome.PARTIAL, Outcome.NON_PRIMARY):
        failed(database, outcome)
    with database.transaction() as connection:
        gate.close(connection, DATASTORE, "access denied")
        queue.set_paused(connection, DATASTORE, paused=True)
        queue.set_capacity(connection, DATASTORE, 0)
    found = calls(
        database, {"edge": "e", "trouble": "is away"}, WELL | {"quarantined": 1, "silent_aes": ["A"]}
    )
    assert len(found) == 10
    page = "".join(runbook())
    for call in found:
        assert f'id="{call.see.partition("#")[2]}"' in page, call.see
    assert slug("`{edge}-nothing-gets-out`") == "edge-nothing-gets-out"


def test_acknowledging_takes_a_series_off_the_list_until_it_fails_again(database: Database) -> None:
    pk = failed(database)

    def acknowledge(**how: Any) -> bool:
        with database.transaction() as connection:
            return actions.acknowledge(connection, pk, "ana", "known: a phantom", **how)

    def listed() -> int:
        with database.transaction() as connection:
            counted = flow(connection)["series_needing_attention"]
            assert len(places(connection, Filter(needs_attention=True))) == counted
        assert len(calls(database)) == counted
        return int(counted)

    assert (listed(), acknowledge(), listed()) == (1, True, 0)
    assert not acknowledge(), "it is acknowledged already"
    assert (acknowledge(undo=True), listed()) == (True, 1)
    assert acknowledge()
    with database.transaction() as connection:
        connection.run("UPDATE series_transfer SET over_at = clock_timestamp() WHERE pk = :pk", pk=pk)
    assert listed() == 1


def test_the_timeline_shows_who_did_what_and_why(database: Database) -> None:
    pk = failed(database)
    with database.transaction() as connection:
        actions.acknowledge(connection, pk, "ana", "known: a phantom")
        actions.note(connection, "ben", "import again", pk=pk)
        found = timeline(connection, pk)
    assert found is not None
    told = [(step.name, step.words) for step in found.steps if " by " in step.name]
    assert told == [("acknowledged by ana", "known: a phantom"), ("import again by ben", "")]


def test_what_was_done_before_the_index_knew_the_series_is_in_its_timeline_and_its_studys(
    database: Database,
) -> None:
    announced, another = Announced(), Announced()
    with database.transaction() as connection:
        actions.note(
            connection, "ana", "dead letter reprocessed", reason="the rule was gone",
            transfer=announced.transfer_id, series=announced.series_instance_uid,
        )  # fmt: skip
    index_series(database, announced)
    index_series(database, another)
    with database.transaction() as connection:
        rows = connection.run("SELECT pk, transfer_id FROM series_transfer ORDER BY pk")
        found, other = (timeline(connection, row["pk"]) for row in rows)
        steps = study(connection, announced.study_instance_uid).steps
    assert found is not None
    assert other is not None
    for told in (found.steps, steps):
        (step,) = [step for step in told if "dead letter reprocessed by ana" in step.name]
        assert step.words == "the rule was gone"
    assert not [step for step in other.steps if " by " in step.name]


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_change_of_a_ticket_is_written_down_with_its_series(database: Database, cancelled: bool) -> None:
    with database.transaction() as connection:
        queue.set_capacity(connection, DATASTORE, 0, who="ana")
    execution = Execution(database, DATASTORE)
    execution.acquire()
    with database.transaction() as connection:
        (ticket,) = connection.run("SELECT pk, series_transfer_pk FROM ahlijob")
        if cancelled:
            assert queue.cancel(connection, ticket["pk"], "wrong archive", "ben") == [ticket["pk"]]
            assert queue.cancel(connection, ticket["pk"], "wrong archive", "ben") == []
        else:
            assert queue.set_priority(connection, ticket["pk"], -1, "ben")
        rows = connection.run("SELECT who, action, series_transfer_pk AS pk, reason FROM operator_action")
    assert [row["who"] for row in rows] == ["ana", "ben"]
    assert rows[0]["action"] == "capacity 0"
    assert rows[1]["action"] == ("cancelled" if cancelled else "ticket raised")
    assert rows[1]["pk"] == ticket["series_transfer_pk"]
    assert rows[1]["reason"] == ("wrong archive" if cancelled else "")


def test_a_cancellations_reason_is_in_the_list(database: Database) -> None:
    with database.transaction() as connection:
        queue.set_capacity(connection, DATASTORE, 0)
    execution = Execution(database, DATASTORE)
    execution.acquire()
    with database.transaction() as connection:
        queue.cancel(connection, connection.run("SELECT pk FROM ahlijob")[0]["pk"], "wrong archive")
        ending.finish(connection, execution.ref, execution.arn, Outcome.FAILED, detail="TicketCancelled")
    execution.release()
    with database.transaction() as connection:
        (row,) = places(connection)
    assert row["detail"] == "TicketCancelled: wrong archive"
