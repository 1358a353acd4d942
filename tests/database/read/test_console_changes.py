"""Changes in the console, asked once: a form that is no longer true, or says nothing, changes nothing."""

from __future__ import annotations

import gzip
import io
from types import SimpleNamespace
from typing import Any, cast

import pytest
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, Conflict

from console.run import bulk
from console.run.query import found
from console.run.questions import Question, answer, question
from console.run.sources import Sources
from dicom_ingest.contracts.messages.manifest import ManifestFormatError
from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.server.connection import Database
from dicom_ingest.operators.bulk import MOST
from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.series.places import Filter, places
from dicom_ingest.operators.read.series.timeline import timeline
from dicom_ingest.operators.reprocess import UNUSABLE, Reprocessor
from tests.database.conftest import DATASTORE
from tests.database.read.test_attention import failed
from tests.support.workflow.series import Announced
from tests.support.workflow.workers import index_series


class Desk:
    """The console's sources, of a database alone. The operator is ana."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.source = SimpleNamespace(grant=lambda: None)
        self.index = database.transaction
        self.reprocess: Any = None

    def write(self, work: Any) -> Any:
        """Do it as ana."""
        with self._database.transaction() as connection:
            return work(connection, "ana")

    def ask(self, **query: str) -> Question:
        """The page that asks."""
        with self._database.transaction() as connection:
            return question(connection, query)

    def answer(self, asked: Question, **form: str) -> None:
        """Press its button; the question is made again, as the page's form makes it."""
        again = self.ask(**asked.fields)
        answer(cast("Sources", self), again, {"token": asked.token, **form})


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def the_series(database: Database) -> dict[str, str]:
    with database.transaction() as connection:
        (row,) = places(connection)
    return {"transfer": row["transfer_id"], "series": row["series_instance_uid"]}


def listed(database: Database) -> int:
    with database.transaction() as connection:
        return len(places(connection, Filter(needs_attention=True)))


def test_an_acknowledgement_needs_a_reason_and_is_undone(database: Database, desk: Desk) -> None:
    pk = failed(database)
    asked = desk.ask(change="acknowledge", **the_series(database))
    with pytest.raises(BadRequest, match="A reason is needed"):
        desk.answer(asked, reason="  ")
    assert listed(database) == 1
    desk.answer(asked, reason="known: a phantom")
    assert listed(database) == 0
    desk.answer(desk.ask(change="unacknowledge", **the_series(database)))
    assert listed(database) == 1
    with database.transaction() as connection:
        told = timeline(connection, pk)
    assert told is not None
    steps = [(step.name, step.words) for step in told.steps if " by ana" in step.name]
    assert steps == [("acknowledged by ana", "known: a phantom"), ("acknowledgement undone by ana", "")]


def test_an_answer_to_what_has_changed_since_is_refused(database: Database, desk: Desk) -> None:
    pk = failed(database)
    asked = desk.ask(change="acknowledge", **the_series(database))
    with database.transaction() as connection:
        connection.run("UPDATE series_transfer SET outcome = 'PARTIAL' WHERE pk = :pk", pk=pk)
    with pytest.raises(Conflict, match="has changed since you were asked"):
        desk.answer(asked, reason="known")
    with pytest.raises(Conflict):
        answer(cast("Sources", desk), asked, {"reason": "without a token"})
    assert listed(database) == 1


def test_only_what_needs_attention_can_be_acknowledged(database: Database, desk: Desk) -> None:
    index_series(database, Announced())
    with pytest.raises(Conflict, match="FAILED, UNKNOWN, PARTIAL, NON_PRIMARY can be acknowledged"):
        desk.ask(change="acknowledge", **the_series(database))


def test_slots_that_another_operator_has_changed_since_are_not_changed(
    database: Database, desk: Desk
) -> None:
    asked = desk.ask(change="capacity", datastore=DATASTORE, capacity="120")
    assert "120 is more: HealthImaging rejects what exceeds the quota." in asked.consequence
    with database.transaction() as connection:
        queue.set_capacity(connection, DATASTORE, 7, "ben")
    with pytest.raises(Conflict):
        desk.answer(asked)
    desk.answer(desk.ask(change="capacity", datastore=DATASTORE, capacity="3"))
    with database.transaction() as connection:
        (row,) = connection.run("SELECT capacity FROM semaphore WHERE datastore_id = :d", d=DATASTORE)
    assert row["capacity"] == 3


@pytest.mark.parametrize("capacity", ["-1", "x", "1" * 12, ""])
def test_a_number_of_slots_that_cannot_be_is_refused(desk: Desk, capacity: str) -> None:
    with pytest.raises(BadRequest, match="0 or more"):
        desk.ask(change="capacity", datastore=DATASTORE, capacity=capacity)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"change": "reprocess", "mark": ["1@FAILED@1"]}, "A reason is needed"),
        ({"change": "reprocess", "mark": [], "reason": "x"}, "not 0"),
        ({"change": "reprocess", "mark": ["1@FAILED@1"] * (MOST + 1), "reason": "x"}, f"not {MOST + 1}"),
        ({"change": "drop", "mark": ["1@FAILED@1"], "reason": "x"}, "are allowed"),
    ],
)
def test_a_bulk_form_that_says_too_little_or_too_much_is_refused(
    desk: Desk, form: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadRequest, match=words):
        bulk.change(cast("Sources", desk), MultiDict(form))


def test_a_bulk_change_is_of_what_was_shown_and_not_of_what_has_moved_on(
    database: Database, desk: Desk
) -> None:
    pk = failed(database)
    with database.transaction() as connection:
        asked = bulk.wanted(connection, {"change": "reprocess"})
        assert [row["pk"] for row in asked.rows] == [pk]
        connection.run("UPDATE series_transfer SET over_at = clock_timestamp() WHERE pk = :pk", pk=pk)
    done = bulk.change(
        cast("Sources", desk), MultiDict({"change": "reprocess", "mark": asked.marks, "reason": "x"})
    )
    assert (done.rows, done.moved) == ([], 1)


def test_one_series_that_cannot_be_processed_again_does_not_stop_the_others(
    database: Database, desk: Desk
) -> None:
    pks = {failed(database) for _ in range(3)}
    started: list[int] = []

    def reprocess(row: Row, *, force: bool, reason: str) -> None:
        assert (force, reason) == (False, "repaired")
        if row["pk"] == min(pks):
            raise ManifestFormatError("the manifest is not gzip")
        started.append(row["pk"])

    desk.reprocess = reprocess
    with database.transaction() as connection:
        asked = bulk.wanted(connection, {"change": "reprocess"})
    form: MultiDict[str, Any] = MultiDict({"change": "reprocess", "mark": asked.marks, "reason": "repaired"})
    done = bulk.change(cast("Sources", desk), form)
    assert {*started} == {row["pk"] for row in done.rows} == pks - {min(pks)}
    assert [(row["pk"], words) for row, words in done.failed] == [(min(pks), "the manifest is not gzip")]


@pytest.mark.parametrize(
    "body",
    [b"not gzip", gzip.compress(b"no line", mtime=0)[:-4], gzip.compress(b"x", mtime=0)],
    ids=["not gzip", "cut off", "no manifest"],
)
def test_a_manifest_that_is_damaged_is_said_in_one_line(body: bytes) -> None:
    s3 = SimpleNamespace(get_object=lambda **_: {"Body": io.BytesIO(body)})
    worker = Reprocessor(cast("Any", s3), cast("Any", None), "bucket", "s", "arn")
    with pytest.raises(UNUSABLE):
        worker.manifest(str(Announced().manifest_key))


def test_a_filter_that_is_misread_chooses_nothing(database: Database) -> None:
    failed(database, Outcome.FAILED)
    with database.transaction() as connection:
        assert len(bulk.wanted(connection, {"change": "reprocess"}).rows) == 1
        lost = bulk.wanted(connection, {"change": "reprocess", "place": "lost"})
    assert lost.rows == []
    assert lost.unknown[0].startswith("there is no place lost")


def test_a_page_holds_its_part_and_one_too_far_holds_nothing(database: Database) -> None:
    for _ in range(3):
        index_series(database, Announced())
    with database.transaction() as connection:
        for query in ({}, {"q": "CT1"}):
            shown = [found(connection, query | {"page": str(page)}, 2) for page in (1, 2, 3, 99999)]
            assert [len(each.rows) for each in shown] == [2, 1, 0, 0]
            assert len({row["pk"] for each in shown for row in each.rows}) == 3
            assert {each.total for each in shown} == {3}
            assert [each.unknown for each in shown[:2]] == [[], []]
            assert shown[3].unknown == ["there is no page 99999; the last is 2"]
