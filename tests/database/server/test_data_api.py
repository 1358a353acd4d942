"""The same questions through the RDS Data API's types and through a connection: the same answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from dicom_ingest.contracts.messages.steps import DatabaseUser
from dicom_ingest.db.semaphore import gate, granting
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.server import users
from dicom_ingest.db.server.connection import Connection, Database, connect
from dicom_ingest.errors import IndexRefusedError
from dicom_ingest.operators import reprocess
from dicom_ingest.operators.read.ledger import differences, sums
from dicom_ingest.operators.read.series.arrived import arrived
from dicom_ingest.operators.read.series.places import Filter, places
from dicom_ingest.operators.read.series.search import kinds, where
from dicom_ingest.operators.read.series.shared import members, shared, starts
from dicom_ingest.operators.read.series.timeline import timeline
from dicom_ingest.operators.read.state.attention import attention
from dicom_ingest.operators.read.state.edges import edges, senders
from dicom_ingest.operators.read.state.flow import flow, outcomes
from dicom_ingest.operators.read.state.slots import semaphores, tickets
from dicom_ingest.operators.reprocess import Selection
from ops.targets.data_api import DataApi
from tests.database.conftest import DATASTORE
from tests.support.cloud.data_api import CLUSTER, client_of, data_api
from tests.support.machine.postgres import unique_database_name
from tests.support.workflow.leftovers import World
from tests.support.workflow.series import Announced, element
from tests.support.workflow.workers import index_series


@dataclasses.dataclass(frozen=True)
class Ways:
    """The operator's Data API, the administrator's, and a connection."""

    operator: DataApi
    administrator: DataApi
    connection: Connection
    world: World


@pytest.fixture
def ways(database: Database, migrated_url: str) -> Iterator[Ways]:
    """One series imported, one waiting, one only indexed; the operator's user is the one of the stack."""
    world = World.around(database, DATASTORE)
    job = world.start(imported := world.begin(Announced(patient_id="P-7")))
    world.end(job)
    world.stop(imported)
    world.reclaim()
    waiting = world.begin(Announced(attributes=lambda _: {"00080050": element("SH", "ACC-7")}))
    with database.transaction() as connection:
        queue.set_capacity(connection, DATASTORE, 0)
        connection.run("UPDATE ahlijob SET bundle = pk, leads = true WHERE import_id IS NOT NULL")
    waiting.acquire()
    index_series(database, Announced(edge="dicom-ingest-edge2", patient_id=None))
    name = unique_database_name()
    with database.transaction() as connection:
        users.ensure(connection, DatabaseUser(name=name, role="operator"))
    parts = urlsplit(migrated_url)
    socket = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.{parts.port or 5432}"
    ways_in = {
        "arn:operator": {"user": name, "unix_sock": socket},
        "arn:administrator": {"user": parts.username or "postgres", "unix_sock": socket},
    }
    with data_api(ways_in) as url, database.transaction() as connection:
        operator, administrator = (
            DataApi(client_of(url), CLUSTER, secret, parts.path.removeprefix("/")) for secret in ways_in
        )
        yield Ways(operator, administrator, connection, world)
        operator.close()
        administrator.close()


READ: dict[str, Callable[[Any], Any]] = {
    "places": places,
    "places of a day": lambda index: places(index, Filter(day=date(2026, 11, 22), under_way=True)),
    "places filtered": lambda index: places(
        index, Filter(edge="dicom-ingest-edge2", ae="CT1", modality="CT")
    ),
    "places that need a person": lambda index: places(index, Filter(needs_attention=True)),
    "semaphores": semaphores,
    "tickets": tickets,
    "outcomes": outcomes,
    "flow": flow,
    "attention": lambda index: attention(index, []),
    "edges": edges,
    "senders": senders,
    "arrived": lambda index: arrived(index, [row["study_instance_uid"] for row in places(index)], page=2),
    "starts": starts,
    "shared": shared,
    "shared since": lambda index: shared(index, date(2026, 11, 22)),
    "members": lambda index: [members(index, row["bundle"], 5) for row in shared(index)],
    "sums": sums,
    "sums since": lambda index: sums(index, date(2026, 11, 22)),
    "differences": differences,
    "selected": lambda index: reprocess.select(index, Selection()),
    "selected by day and words": lambda index: reprocess.select(
        index, Selection(day=date(2026, 11, 22), detail="x", outcome="FAILED", edge="e")
    ),
}


def test_what_is_read_is_the_same(ways: Ways) -> None:
    assert [len(read(ways.operator)) for read in (shared, starts)] == [1, 1]
    for name, read in READ.items():
        assert read(ways.operator) == read(ways.connection), name


def test_whatever_is_known_of_a_series_finds_it_and_its_timeline_is_the_same(ways: Ways) -> None:
    rows = places(ways.connection)
    assert len(rows) == 3
    terms = {"P-7", "ACC-7", "CT1", "dicom-ingest-edge1", "0" * 32}
    for row in rows:
        terms |= {row["transfer_id"], row["series_instance_uid"], row["study_instance_uid"]}
    assert {kind for term in terms for kind in kinds(term)} > {"transfer", "series", "import", "AE"}
    for term in terms:
        assert where(ways.operator, term) == where(ways.connection, term), term
    for row in rows:
        found, direct = timeline(ways.operator, row["pk"]), timeline(ways.connection, row["pk"])
        assert found is not None
        assert direct is not None
        # What it waits for is told with a time that the clock moves on.
        assert (found.waits_for and found.waits_for.words) == (direct.waits_for and direct.waits_for.words)
        assert dataclasses.replace(found, waits_for=None) == dataclasses.replace(direct, waits_for=None)


def test_values_are_typed_as_a_connection_types_them(ways: Ways) -> None:
    statement = (
        "SELECT 1::smallint AS small, 2::bigint AS big, 0.5::float8 AS half, true AS yes, "
        "NULL::text AS none, '2026-11-22 08:00:00.25+01'::timestamptz AS at, '2026-11-22'::date AS day, "
        "'[{\"a\": 1}]'::jsonb AS extra, ARRAY['x', 'y'] AS names, '{}'::text[] AS nobody, "
        "ARRAY[1, 2] AS numbers"
    )
    (row,) = ways.operator.run(statement)
    assert [row] == ways.connection.run(statement)
    assert row["at"] == datetime(2026, 11, 22, 7, 0, 0, 250000, tzinfo=timezone.utc)


def test_parameters_arrive_as_what_they_are(ways: Ways) -> None:
    at = datetime(2026, 11, 22, 8, 30, 0, 500000, tzinfo=timezone.utc)
    statement = (
        "SELECT :number + 1 AS number, :half * 2 AS double, NOT :yes AS no, :word || '!' AS word, "
        "CAST(:none AS text) IS NULL AS nothing, :day + 1 AS tomorrow, "
        "CAST(:at AS timestamp) AT TIME ZONE 'UTC' AS at"
    )
    given: dict[str, Any] = {
        "number": 6, "half": 0.5, "yes": True, "word": "x", "none": None, "day": date(2026, 11, 22), "at": at,
    }  # fmt: skip
    assert ways.operator.run(statement, **given) == [
        {
            "number": 7,
            "double": 1.0,
            "no": False,
            "word": "x!",
            "nothing": True,
            "tomorrow": date(2026, 11, 23),
            "at": at,
        }
    ]


def test_a_text_is_no_uuid_there_so_statements_must_cast(ways: Ways) -> None:
    """What makes the comparisons above worth something: the stand-in is as strict as the service."""
    statement = "SELECT FROM series_transfer WHERE transfer_id = :id"
    with pytest.raises(IndexRefusedError) as caught:
        ways.operator.run(statement, id=str(UUID(int=0)))
    assert "operator does not exist: uuid = character varying" in caught.value.server_words


def test_an_operator_reads_and_sees_no_token(ways: Ways) -> None:
    assert "task_token" not in ways.operator.run("SELECT * FROM Ahlijob")[0]
    for statement in ("SELECT task_token FROM public.ahlijob", "UPDATE semaphore SET capacity = 1"):
        with pytest.raises(IndexRefusedError) as caught:
            ways.operator.run(statement)
        assert "permission denied" in caught.value.server_words


def test_an_answer_above_the_services_limit_is_refused_with_its_words(ways: Ways) -> None:
    with pytest.raises(IndexRefusedError) as caught:
        ways.operator.run("SELECT repeat('x', 2000) AS long FROM generate_series(1, 1000)")
    assert "larger than 1 MiB" in caught.value.server_words


def test_the_queue_is_changed_and_a_cancelled_ticket_is_seen_by_whoever_tells(ways: Ways) -> None:
    (ticket,) = [row for row in tickets(ways.operator) if row["state"] == "WAITING"]
    number = ticket["ticket_id"]
    writer = ways.administrator
    queue.set_capacity(writer, DATASTORE, 7)
    queue.set_paused(writer, DATASTORE, paused=True)
    assert queue.set_priority(writer, number, -1)
    (semaphore,) = semaphores(ways.operator)
    assert (semaphore["capacity"], semaphore["paused"], semaphore["replaced"]) == (7, True, False)
    assert queue.move(writer, number) == []
    assert queue.cancel(writer, number, "cancelled by an operator") == [number]
    assert queue.cancel(writer, None, "none is stranded") == []
    assert [each.pk for each in queue.untold(ways.connection)] == [number]
    gate.close(ways.connection, DATASTORE, "what PostgreSQL's own connection sees, too")
    assert granting.grant(ways.connection, DATASTORE) == []


def test_a_ticket_of_a_bundle_is_cancelled(ways: Ways) -> None:
    writer = ways.administrator
    writer.run(
        "UPDATE ahlijob SET state = 'GRANTED', granted_at = now(), start_at = now(), bundle = pk, "
        "leads = true WHERE state = 'WAITING'"
    )
    (ticket,) = [row for row in tickets(ways.operator) if row["state"] == "GRANTED"]
    assert queue.cancel(writer, ticket["ticket_id"], "not wanted") == [ticket["ticket_id"]]


_COLUMNS = """
SELECT string_agg(column_name, ', ') AS names FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = 'series_transfer' AND is_generated = 'NEVER'
"""
_MANY = """
INSERT INTO series_transfer ({0}) OVERRIDING SYSTEM VALUE
SELECT {0} FROM (
    SELECT (jsonb_populate_record(t, jsonb_build_object(
        'pk', t.pk + 100000 + n, 'transfer_id', gen_random_uuid(), 'sequence', t.sequence + n,
        'series_instance_uid', t.series_instance_uid || '.' || n, 'outcome_detail', repeat('x', 300),
        'manifest_key', t.manifest_key || n, 'chain_number', NULL))).*
    FROM series_transfer t, generate_series(1, 3000) n WHERE t.edge = 'dicom-ingest-edge2') many
"""


def test_lists_longer_than_one_answer_of_the_data_api_come_whole(ways: Ways, migrated_url: str) -> None:
    with closing(connect(migrated_url)) as connection:
        (columns,) = connection.run(_COLUMNS)
        connection.run(_MANY.format(columns["names"]))
    lists: tuple[Callable[[Any], list[Any]], ...] = (
        lambda index: places(index, most=10_000),
        lambda index: places(index, most=2_500, order="patient"),
        lambda index: where(index, "dicom-ingest-edge2", 10_000),
        lambda index: differences(index, most=10_000),
    )
    for ask in lists:
        rows = ask(ways.operator)
        assert len(rows) > 2_000
        assert rows == ask(ways.connection)
