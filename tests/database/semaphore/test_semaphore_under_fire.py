"""The semaphore while backends are killed, deliveries lost, and 20,000 series wait."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest

from dicom_ingest.db.semaphore import granting, releasing
from dicom_ingest.db.server.connection import Database
from dicom_ingest.errors import DatabaseAwayError
from dicom_ingest.workflow.delivery import deliver
from tests.database.conftest import DATASTORE
from tests.support.workflow.stand_ins import StepFunctions
from tests.support.workflow.workers import Execution

WAITERS = 20_000

_MANY = """
WITH t AS (
    INSERT INTO series_transfer (transfer_id, series_instance_uid, study_instance_uid, correlation_id, edge,
        sequence, bucket, prefix, manifest_key, manifest_sha256, instance_count, total_bytes, calling_ae,
        called_ae, aborted, seal_reason, first_received_at, last_received_at, sealed_at, announced_at,
        owner_execution, fence, claimed_at)
    SELECT gen_random_uuid(), '2.25.' || n, '2.25.1', 'c', 'e', n, 'b', 'p', 'm', '', 1, 1, 'A', 'B', false,
        'quiet', now(), now(), now(), now(), 'arn:' || n, 1, now()
    FROM generate_series(1, :waiters) n
    RETURNING pk, transfer_id, series_instance_uid, owner_execution)
INSERT INTO ahlijob (datastore_id, series_transfer_pk, transfer_id, series_instance_uid, priority,
    owner_execution, fence, task_token)
SELECT :datastore, pk, transfer_id, series_instance_uid, pk % 2, owner_execution, 1, 'token' FROM t
"""


def count(database: Database, states: str) -> int:
    with database.transaction() as connection:
        row = connection.one(f"SELECT count(*) AS n FROM ahlijob WHERE state IN ({states})")
    return int(row["n"]) if row else 0


def kill_one(killer: Database, *states: str) -> None:
    """End a session of this database that is in one of these states."""
    with killer.transaction() as connection:
        connection.run(
            "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = ANY(:states) "
            "ORDER BY random() LIMIT 1) victim",
            states=list(states),
        )


def again(work: Callable[[], Any]) -> Any:
    """As the state machine does: the same step until it is through."""
    for _ in range(100):
        try:
            return work()
        except DatabaseAwayError:
            continue
    raise AssertionError("a hundred tries")


def test_a_backend_killed_in_the_middle_frees_its_locks_and_changes_nothing(
    database: Database, connect_database: Callable[[], Database]
) -> None:
    victim, other = connect_database(), connect_database()
    holder = Execution(database, DATASTORE)
    holder.acquire()

    def release_and_die() -> None:
        with victim.transaction() as connection:
            releasing.release(connection, holder.ref, holder.arn)
            granting.grant(connection, DATASTORE)
            kill_one(other, "idle in transaction")
            connection.run("SELECT 1")

    with pytest.raises(DatabaseAwayError):
        release_and_die()
    assert count(database, "'GRANTED'") == 1, "the release was rolled back"
    assert len(Execution(other, DATASTORE).acquire()[1]) == 1, "nobody holds the semaphore's lock"


def test_backends_are_killed_all_the_time_and_no_slot_is_lost(
    database: Database, connect_database: Callable[[], Database]
) -> None:
    stop, errors, finished = threading.Event(), [], []
    crew_size, per_thread = 3, 8

    def work(own: Database) -> None:
        try:
            for _ in range(per_thread):
                execution = again(lambda: Execution(own, DATASTORE))
                again(execution.acquire)
                again(execution.release)
                finished.append(execution.arn)
        except BaseException as error:  # a thread's error must fail the test
            errors.append(error)
            raise

    def kill() -> None:
        killer = connect_database()
        while not stop.is_set():
            kill_one(killer, "active", "idle in transaction")
            stop.wait(0.1)

    crew = [threading.Thread(target=work, args=(connect_database(),)) for _ in range(crew_size)]
    killer = threading.Thread(target=kill)
    for thread in (*crew, killer):
        thread.start()
    for thread in crew:
        thread.join(timeout=90)
    stop.set()
    killer.join(timeout=30)
    assert errors == []
    assert len(finished) == crew_size * per_thread
    assert count(database, "'WAITING', 'GRANTED', 'STARTING', 'RUNNING'") == 0


def test_an_answer_whose_record_is_lost_is_sent_again_and_harms_nobody(database: Database) -> None:
    executions = StepFunctions()
    client = cast("Any", executions)
    execution = Execution(database, DATASTORE)
    executions.running.add(execution.arn)
    execution.token = executions.issue(execution.arn)
    _, granted = execution.acquire()
    assert [ticket.pk for ticket in deliver(database, client, DATASTORE, granted)] == [granted[0].pk]
    with database.transaction() as connection:
        connection.run("UPDATE ahlijob SET delivered_at = NULL")
    assert deliver(database, client, DATASTORE, granted) == [], "refused: it was used"
    assert count(database, "'GRANTED'") == 1, "a refused token of a running execution proves nothing"


def test_a_refused_token_of_an_execution_that_is_over_gives_the_slot_to_the_next(database: Database) -> None:
    with database.transaction() as connection:
        connection.run("UPDATE semaphore SET capacity = 1")
    executions = StepFunctions()
    dead, waiting = Execution(database, DATASTORE), Execution(database, DATASTORE)
    for execution in (dead, waiting):
        executions.running.add(execution.arn)
        execution.token = executions.issue(execution.arn)
    _, granted = dead.acquire()
    waiting.acquire()
    executions.running.discard(dead.arn)
    delivered = deliver(database, cast("Any", executions), DATASTORE, granted)
    assert [ticket.owner_execution for ticket in delivered] == [waiting.arn]
    assert count(database, "'CANCELLED'") == 1


def test_twenty_thousand_wait_and_grants_stay_fast(database: Database) -> None:
    with database.transaction() as connection:
        connection.run("UPDATE semaphore SET capacity = 100")
        connection.run(_MANY, datastore=DATASTORE, waiters=WAITERS)
        connection.run("ANALYZE")
    began = time.monotonic()
    with database.transaction() as connection:
        assert len(granting.grant(connection, DATASTORE)) == 100
    first = time.monotonic() - began
    pauses = []
    for _ in range(50):
        began = time.monotonic()
        with database.transaction() as connection:
            connection.run(
                "UPDATE ahlijob SET state = 'DONE', over_at = clock_timestamp() WHERE pk = "
                "(SELECT min(pk) FROM ahlijob WHERE state = 'GRANTED')"
            )
            (ticket,) = granting.grant(connection, DATASTORE)
        pauses.append(time.monotonic() - began)
    assert sorted(pauses)[25] < 0.1, "an import a second is all that is needed"
    assert first < 5
    with database.transaction() as connection:
        priority = connection.one("SELECT priority FROM ahlijob WHERE pk = :pk", pk=ticket.pk)
        plan = json.dumps(
            connection.run(
                f"EXPLAIN (FORMAT JSON) {granting.ELIGIBLE}",
                datastore_id=DATASTORE,
                now=None,
                free=1,
                patience=600,
                share_after=granting.SHARE_AFTER_SECONDS,
                left=[],
            )
        )
    assert priority == {"priority": 0}
    assert "ahlijob_queue" in plan
    assert '"Sort"' not in plan, "the queue's own order is used"


def test_a_hundred_dead_waiters_do_not_delay_the_living(database: Database) -> None:
    with database.transaction() as connection:
        connection.run("UPDATE semaphore SET capacity = 0, start_rate = 1, start_burst = 1")
    executions = StepFunctions()
    queue = [Execution(database, DATASTORE) for _ in range(101)]
    for execution in queue:
        execution.token = executions.issue(execution.arn)
        execution.acquire()
    living = queue[-1]
    executions.running.add(living.arn)
    with database.transaction() as connection:
        connection.run("UPDATE semaphore SET capacity = 10")
        granted = granting.grant(connection, DATASTORE)
    (delivered,) = deliver(database, cast("Any", executions), DATASTORE, granted)
    assert delivered.owner_execution == living.arn
    assert delivered.start_at is not None
    assert delivered.start_at - datetime.now(timezone.utc) < timedelta(seconds=15)
