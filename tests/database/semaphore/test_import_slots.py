"""The semaphore on real PostgreSQL: counted, fair, paced, one import per series."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from dicom_ingest.contracts.messages.outcomes import TicketState
from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.db.semaphore import gate, granting, leftovers, queueing, releasing
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.semaphore.queueing import Token
from dicom_ingest.db.server.connection import Database
from dicom_ingest.errors import ClaimLostError
from tests.database.conftest import DATASTORE
from tests.support.machine.waiting import wait_until
from tests.support.workflow.series import Announced, new_uid
from tests.support.workflow.workers import Execution, claim, new_execution

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)


def holders(database: Database) -> int:
    with database.transaction() as connection:
        row = connection.one("SELECT count(*) AS n FROM ahlijob WHERE status = 2")
    return int(row["n"]) if row else 0


def configure(database: Database, **changes: float) -> None:
    values: dict[str, float] = {"capacity": 3, "start_rate": 1000, "start_burst": 1000} | changes
    with database.transaction() as connection:
        queueing.configure(
            connection, SemaphoreSettings.model_validate({"datastore_id": DATASTORE, **values})
        )


def test_slots_are_given_up_to_the_capacity_and_then_in_order_of_arrival(database: Database) -> None:
    queue = [Execution(database, DATASTORE) for _ in range(6)]
    granted = [ticket for execution in queue for ticket in execution.acquire()[1]]
    assert [ticket.owner_execution for ticket in granted] == [execution.arn for execution in queue[:3]]
    assert [ticket.owner_execution for ticket in queue[1].release()] == [queue[3].arn]
    assert [ticket.owner_execution for ticket in queue[0].release()] == [queue[4].arn]
    assert holders(database) == 3


def test_live_goes_before_bulk(database: Database) -> None:
    configure(database, capacity=0)
    bulk = Execution(database, DATASTORE, Announced(priority="bulk"))
    live = Execution(database, DATASTORE, Announced(priority="live"))
    bulk.acquire()
    live.acquire()
    configure(database, capacity=1)
    with database.transaction() as connection:
        granted = granting.grant(connection, DATASTORE)
    assert [ticket.owner_execution for ticket in granted] == [live.arn]


def test_two_parts_of_one_series_never_import_at_the_same_time(database: Database) -> None:
    series = new_uid()
    first, second = (Execution(database, DATASTORE, Announced(series_instance_uid=series)) for _ in range(2))
    other = Execution(database, DATASTORE)
    assert len(first.acquire()[1]) == 1
    assert second.acquire()[1] == []
    assert len(other.acquire()[1]) == 1
    assert [ticket.owner_execution for ticket in first.release()] == [second.arn]


def test_two_parts_of_one_series_that_wait_side_by_side_go_one_after_the_other(database: Database) -> None:
    configure(database, capacity=0)
    series = new_uid()
    first, second = (Execution(database, DATASTORE, Announced(series_instance_uid=series)) for _ in range(2))
    third = Execution(database, DATASTORE)
    for execution in (first, second, third):
        execution.acquire()
    configure(database, capacity=3)
    with database.transaction() as connection:
        granted = granting.grant(connection, DATASTORE)
    assert [ticket.owner_execution for ticket in granted] == [first.arn, third.arn]


def test_a_changed_instance_waits_for_the_transfer_that_carried_the_earlier_one(database: Database) -> None:
    earlier = Announced(sequence=1)
    later = Announced(
        study_instance_uid=earlier.study_instance_uid,
        series_instance_uid=earlier.series_instance_uid,
        sequence=2,
        after=(earlier.transfer_id,),
    )
    second = Execution(database, DATASTORE, later)
    with database.transaction() as connection:
        connection.run(
            "UPDATE series_transfer SET after = CAST(:after AS uuid[]) WHERE transfer_id = :id",
            after=[earlier.transfer_id],
            id=later.transfer_id,
        )
    assert second.acquire()[1] == [], "its predecessor is unknown, for less than an hour"
    first = Execution(database, DATASTORE, earlier)
    assert [ticket.owner_execution for ticket in first.acquire()[1]] == [first.arn]
    assert [ticket.owner_execution for ticket in first.release()] == [second.arn]


def test_an_unknown_predecessor_holds_back_for_an_hour_only(database: Database) -> None:
    execution = Execution(database, DATASTORE)
    with database.transaction() as connection:
        connection.run("UPDATE series_transfer SET after = ARRAY[gen_random_uuid()]")
    assert execution.acquire()[1] == []
    with database.transaction() as connection:
        later = datetime.now(timezone.utc) + timedelta(hours=2)
        assert len(granting.grant(connection, DATASTORE, later)) == 1
        assert queue.pressure(connection, DATASTORE).out_of_order == 1, "which rings an alarm"


def test_starts_are_paced_by_rate_and_burst(database: Database) -> None:
    configure(database, capacity=10, start_rate=1, start_burst=2)
    queue = [Execution(database, DATASTORE) for _ in range(5)]
    starts = [ticket.start_at for execution in queue for ticket in execution.acquire(NOON)[1]]
    offsets = [round((start - NOON).total_seconds()) for start in starts if start]
    assert offsets == [0, 0, 1, 2, 3]


def test_acquiring_again_keeps_the_place_and_takes_the_new_token(database: Database) -> None:
    configure(database, capacity=0)
    first, second = Execution(database, DATASTORE), Execution(database, DATASTORE)
    ticket, _ = first.acquire()
    second.acquire()
    first.token = "another"
    again, _ = first.acquire()
    assert again.pk == ticket.pk
    configure(database, capacity=1)
    with database.transaction() as connection:
        granted = granting.grant(connection, DATASTORE)
    assert [(g.owner_execution, g.task_token) for g in granted] == [(first.arn, "another")]


def test_a_closed_gate_and_a_pause_stop_grants_and_nothing_else(database: Database) -> None:
    with database.transaction() as connection:
        gate.close(connection, DATASTORE, "AccessDeniedException")
    execution = Execution(database, DATASTORE)
    assert execution.acquire()[1] == []
    with database.transaction() as connection:
        gate.probed(connection, DATASTORE)
        connection.run("UPDATE semaphore SET paused = true")
        assert granting.grant(connection, DATASTORE) == []
        connection.run("UPDATE semaphore SET paused = false")
        assert len(granting.grant(connection, DATASTORE)) == 1


@pytest.mark.parametrize("state", ["GRANTED", "STARTING", "RUNNING"])
def test_every_state_that_may_have_an_import_holds_its_slot(database: Database, state: str) -> None:
    configure(database, capacity=1)
    Execution(database, DATASTORE).acquire()
    with database.transaction() as connection:
        connection.run("UPDATE ahlijob SET state = :state", state=state)
    assert Execution(database, DATASTORE).acquire()[1] == []


def test_a_refused_token_cancels_nothing_once_a_new_one_has_come(database: Database) -> None:
    execution = Execution(database, DATASTORE)
    execution.acquire()
    with database.transaction() as connection:
        (refused,) = leftovers.undelivered(connection, quiet_seconds=0)
    execution.token = "another"
    execution.acquire()
    with database.transaction() as connection:
        assert releasing.refused(connection, refused) == releasing.Refused()
        releasing.mark_delivered(connection, refused)
        (waiting,) = leftovers.undelivered(connection, quiet_seconds=0)
    assert (waiting.state, waiting.task_token) == (TicketState.GRANTED, "another")


def test_a_start_that_is_given_back_is_promised_to_nobody_twice(database: Database) -> None:
    configure(database, capacity=3)
    with database.transaction() as connection:
        connection.run("UPDATE semaphore SET start_rate = 0.7, start_burst = 1")
    first, middle, last = (Execution(database, DATASTORE) for _ in range(3))
    for execution in (first, middle, last):
        execution.acquire()
    middle.release()
    ((late,), promised) = Execution(database, DATASTORE).acquire()[1], _starts(database)
    assert [start_at == late.start_at for start_at in promised].count(True) == 1


def _starts(database: Database) -> list[datetime]:
    with database.transaction() as connection:
        rows = connection.run("SELECT start_at FROM ahlijob WHERE state = 'GRANTED'")
    return [row["start_at"] for row in rows]


def test_release_is_idempotent(database: Database) -> None:
    execution = Execution(database, DATASTORE)
    execution.acquire()
    execution.release()
    with database.transaction() as connection:
        released = releasing.release(connection, execution.ref, execution.arn)
    assert (released.released, released.orphaned) == (False, False)
    assert holders(database) == 0


def test_a_slot_whose_import_runs_is_not_freed_with_its_execution(database: Database) -> None:
    configure(database, capacity=1)
    execution, waiting = Execution(database, DATASTORE), Execution(database, DATASTORE)
    ticket, _ = execution.acquire()
    with database.transaction() as connection:
        connection.run("UPDATE ahlijob SET state = 'RUNNING', import_id = 'j' WHERE pk = :pk", pk=ticket.pk)
    waiting.acquire()
    with database.transaction() as connection:
        released = releasing.release(connection, execution.ref, execution.arn)
        assert released.orphaned
        assert granting.grant(connection, DATASTORE) == []
    assert holders(database) == 1


def test_an_execution_that_lost_its_claim_gets_no_ticket(database: Database) -> None:
    execution = Execution(database, DATASTORE)
    with database.transaction() as connection:
        assert claim(connection, execution.announced, new_execution(), owner_gone=execution.arn)
    with pytest.raises(ClaimLostError):
        execution.acquire()


def test_a_new_owner_inherits_the_ticket_and_its_place(database: Database) -> None:
    configure(database, capacity=0)
    execution = Execution(database, DATASTORE)
    ticket, _ = execution.acquire()
    with database.transaction() as connection:
        heir = new_execution()
        ref = claim(connection, execution.announced, heir, owner_gone=execution.arn)
        assert ref is not None
        inherited = queueing.acquire(connection, ref, heir, DATASTORE, Token("token"))
    assert (inherited.pk, inherited.fence) == (ticket.pk, ticket.fence + 1)


def test_an_operators_capacity_survives_a_deploy_that_changes_nothing(database: Database) -> None:
    with database.transaction() as connection:
        connection.run("UPDATE semaphore SET capacity = 7")
    configure(database)
    with database.transaction() as connection:
        kept = connection.one("SELECT capacity FROM semaphore")
    configure(database, capacity=5)
    with database.transaction() as connection:
        changed = connection.one("SELECT capacity FROM semaphore")
    assert (kept, changed) == ({"capacity": 7}, {"capacity": 5})


def test_the_lost_wake_up(database: Database, connect_database: Callable[[], Database]) -> None:
    """A waiter queues while the only holder releases: whoever commits second must see the other.

    With SKIP LOCKED on the semaphore row both grant steps see the other's work undone, and a waiter
    sleeps beside a free slot for ever.
    """
    configure(database, capacity=1)
    holder, waiter = Execution(database, DATASTORE), Execution(connect_database(), DATASTORE)
    holder.acquire()
    done: list[int] = []

    def acquire() -> None:
        done.append(len(waiter.acquire()[1]))

    with database.transaction() as connection:
        releasing.release(connection, holder.ref, holder.arn)
        assert granting.grant(connection, DATASTORE) == []
        # The semaphore row is locked by this open transaction; the waiter's grant step must wait for it.
        thread = threading.Thread(target=acquire)
        thread.start()
        wait_until_blocked(connect_database())
    thread.join(timeout=30)
    assert done == [1]


def wait_until_blocked(database: Database) -> None:
    """Until a session of this database waits for a lock."""
    waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

    def blocked() -> bool:
        with database.transaction() as connection:
            return bool(connection.run(waits))

    wait_until(blocked, "a session waits for the semaphore's lock")


def test_many_at_once_never_exceed_the_capacity(
    database: Database, connect_database: Callable[[], Database]
) -> None:
    per_thread, threads = 10, 6
    seen: list[int] = []
    errors: list[BaseException] = []

    def work(own: Database) -> None:
        try:
            for _ in range(per_thread):
                execution = Execution(own, DATASTORE)
                execution.acquire()
                seen.append(holders(own))
                execution.release()
        except BaseException as error:  # a thread's error must fail the test
            errors.append(error)
            raise

    crew = [threading.Thread(target=work, args=(connect_database(),)) for _ in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join(timeout=60)
    assert errors == []
    assert len(seen) == per_thread * threads
    assert max(seen) <= 3
    assert holders(database) == 0
    with database.transaction() as connection:
        states = {row["state"] for row in connection.run("SELECT DISTINCT state FROM ahlijob")}
    assert states == {TicketState.CANCELLED.value}
