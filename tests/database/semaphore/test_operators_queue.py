"""What an operator changes in the queue, on real PostgreSQL: cancelled and told, moved, never half done."""

from __future__ import annotations

from typing import Any, cast

import pytest

from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.db.semaphore import granting, queueing
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.semaphore.queueing import Token
from dicom_ingest.db.server.connection import Database
from dicom_ingest.operators.read.series.search import where
from dicom_ingest.operators.read.series.timeline import timeline
from dicom_ingest.operators.read.state.slots import semaphores, tickets
from dicom_ingest.workflow.delivery import CANCELLED, tell_cancelled
from tests.database.conftest import DATASTORE
from tests.support.workflow.leftovers import World
from tests.support.workflow.workers import Execution

NEW = "e" * 32


@pytest.fixture
def world(database: Database) -> World:
    return World.around(database, DATASTORE)


def waiting(world: World) -> Execution:
    """An execution that waits: there is no slot."""
    with world.database.transaction() as connection:
        queue.set_capacity(connection, DATASTORE, 0)
    execution = world.begin()
    execution.acquire()
    return execution


def replace_data_store(world: World) -> None:
    """As a deploy does that makes another one; an operator's later change of the old one changes nothing."""
    with world.database.transaction() as connection:
        settings = SemaphoreSettings(datastore_id=NEW, capacity=1, start_rate=100, start_burst=100)
        queueing.configure(connection, settings)
    with world.database.transaction() as connection:
        queue.set_capacity(connection, DATASTORE, 3)


def tell(world: World) -> int:
    return tell_cancelled(world.database, cast("Any", world.executions))


def change(world: World, work: Any, *arguments: Any) -> Any:
    with world.database.transaction() as connection:
        return work(connection, *arguments)


def test_a_cancelled_ticket_is_told_once_and_only_after_the_commit(world: World) -> None:
    execution = waiting(world)
    ticket = world.ticket(execution)["pk"]
    with world.database.transaction() as connection:
        assert queue.cancel(connection, ticket, "wrong archive") == [ticket]
        other = Database(world.database.url)
        assert tell_cancelled(other, cast("Any", world.executions)) == 0, "nobody sees it before the commit"
        other.close()
    assert tell(world) == 1
    assert world.executions.answers[execution.token] == (CANCELLED, "wrong archive")
    assert tell(world) == 0
    assert world.ticket(execution)["task_token"] is None


def test_what_cannot_be_told_now_is_told_the_next_time(world: World) -> None:
    execution = waiting(world)
    change(world, queue.cancel, world.ticket(execution)["pk"], "wrong archive")
    world.executions.failure = "InternalServerException"
    assert tell(world) == 0
    world.executions.failure = None
    assert tell(world) == 1


def test_a_dead_executions_token_is_dropped(world: World) -> None:
    execution = waiting(world)
    change(world, queue.cancel, world.ticket(execution)["pk"], "wrong archive")
    world.stop(execution)
    assert tell(world) == 0
    assert world.ticket(execution)["task_token"] is None


def test_only_a_waiting_ticket_can_be_cancelled(world: World) -> None:
    execution = world.begin()
    execution.acquire()
    assert change(world, queue.cancel, world.ticket(execution)["pk"], "too late") == []
    assert change(world, queue.cancel, None, "none is stranded") == []
    assert world.ticket(execution)["state"] == "GRANTED"


def test_tickets_of_a_replaced_data_store_are_stranded_and_seen_everywhere(world: World) -> None:
    execution = waiting(world)
    assert change(world, queue.pressure, DATASTORE).stranded == 0
    replace_data_store(world)
    assert change(world, queue.pressure, NEW).stranded == 1
    with world.database.transaction() as connection:
        assert [(row["datastore_id"], row["replaced"]) for row in semaphores(connection)] == [
            (NEW, False),
            (DATASTORE, True),
        ]
        assert [row["stranded"] for row in tickets(connection)] == [True]
        (row,) = where(connection, execution.announced.series_instance_uid)
        found = timeline(connection, row["pk"])
    assert found
    assert found.waits_for
    assert "its data store was replaced (`slots move`" in found.waits_for.words


def test_a_moved_ticket_keeps_its_place_and_is_granted_by_the_configured_data_store(world: World) -> None:
    old = waiting(world)
    replace_data_store(world)
    later = Execution(world.database, NEW)
    with world.database.transaction() as connection:
        queueing.acquire(connection, later.ref, later.arn, NEW, Token(later.token))
    ticket = world.ticket(old)["pk"]
    assert change(world, queue.move, None) == [ticket]
    assert change(world, queue.move, None) == []
    assert [each.pk for each in change(world, granting.grant, NEW)] == [ticket]
    assert world.ticket(old)["task_token"] == old.token


def test_one_ticket_is_moved_and_only_to_another_data_store(world: World) -> None:
    first, second = waiting(world), waiting(world)
    numbers = [world.ticket(each)["pk"] for each in (first, second)]
    assert change(world, queue.move, numbers[0]) == [], "it waits for the configured one already"
    replace_data_store(world)
    assert change(world, queue.move, numbers[0]) == [numbers[0]]
    assert world.ticket(second)["datastore_id"] == DATASTORE
    assert change(world, queue.cancel, None, "the rest") == [numbers[1]]


def test_an_execution_that_queues_anew_brings_its_ticket_and_its_place_along(world: World) -> None:
    execution = waiting(world)
    old = world.ticket(execution)["pk"]
    replace_data_store(world)
    with world.database.transaction() as connection:  # the retry of its acquire, after the deploy
        anew = queueing.acquire(connection, execution.ref, execution.arn, NEW, Token("a new token"))
    assert anew.pk == old
    assert change(world, queue.move, None) == []
    with world.database.transaction() as connection:
        rows = connection.run("SELECT pk, state, datastore_id FROM ahlijob")
    assert rows == [{"pk": old, "state": "WAITING", "datastore_id": NEW}]


def test_an_old_data_store_that_is_configured_again_is_not_replaced(world: World) -> None:
    waiting(world)
    replace_data_store(world)
    with world.database.transaction() as connection:
        settings = SemaphoreSettings(datastore_id=DATASTORE, capacity=3, start_rate=100, start_burst=100)
        queueing.configure(connection, settings)
        assert not any(row["stranded"] for row in tickets(connection))
