"""A PACS's own list against the index: what arrived, what did not, and why."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dicom_ingest.db.server.connection import Database
from dicom_ingest.operators.read.index import Index, Row
from dicom_ingest.operators.read.series.arrived import arrived
from ops.output import Output
from ops.targets.target import Target
from ops.verbs.checking import reconcile
from tests.database.conftest import DATASTORE
from tests.support.workflow.leftovers import World
from tests.support.workflow.series import Announced, new_uid
from tests.support.workflow.steps import Steps, steps


@pytest.fixture
def flow(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    with steps(World.around(database, DATASTORE), monkeypatch) as wired:
        yield wired


def reconciled(
    flow: Steps, folder: Path, capsys: pytest.CaptureFixture[str], *lines: tuple[str, int, int]
) -> tuple[int, Any]:
    path = folder / "pacs.csv"
    capsys.readouterr()  # the log of the steps
    path.write_text("\n".join(",".join(map(str, line)) for line in lines))
    with flow.world.database.transaction() as connection:
        target = cast("Target", SimpleNamespace(name="a run", index=connection))
        code = reconcile.run(argparse.Namespace(file=path, limit=10), target, Output(as_json=True))
    return code, json.loads(capsys.readouterr().out)


def test_a_study_that_arrived_whole_is_no_difference(
    flow: Steps, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Announced(sop_instance_uids=(new_uid(), new_uid()))
    second = replace(first, series_instance_uid=new_uid(), sop_instance_uids=(new_uid(),))
    for announced in (first, second):
        flow.announce(announced).ingest()
    code, said = reconciled(flow, tmp_path, capsys, (first.study_instance_uid, 2, 3))
    assert (code, said["differences"]) == (0, [])
    assert (said["sums"]["studies_arrived"], said["sums"]["instances_imported"]) == (1, 3)


def test_each_difference_has_its_reason(
    flow: Steps, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported, waiting = (Announced(sop_instance_uids=(new_uid(), new_uid())) for _ in range(2))
    flow.announce(imported).ingest()
    flow.announce(waiting).index_series()
    never = new_uid()
    for listed, words in {
        (never, 1, 4): "nothing was received: send it",
        (imported.study_instance_uid, 1, 5): "3 instances not received: send it again",
        (imported.study_instance_uid, 1, 1): "1 instance more than listed",
        (imported.study_instance_uid, 2, 2): "1 series and not 2, with the same instances",
        (waiting.study_instance_uid, 1, 2): "2 instances received and not imported: see where",
    }.items():
        code, said = reconciled(flow, tmp_path, capsys, listed)
        assert (code, [row["difference"] for row in said["differences"]]) == (1, [words])


def test_an_instance_that_was_sent_twice_counts_once(
    flow: Steps, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Announced(sop_instance_uids=(new_uid(),))
    again = Announced(
        study_instance_uid=first.study_instance_uid,
        series_instance_uid=first.series_instance_uid,
        sop_instance_uids=first.sop_instance_uids,
    )
    for announced in (first, again):
        flow.announce(announced).ingest()
    code, _ = reconciled(flow, tmp_path, capsys, (first.study_instance_uid, 1, 1))
    assert code == 0


class Counting:
    """An index that counts what it is asked."""

    def __init__(self, index: Index) -> None:
        self.index, self.asked = index, 0

    def run(self, sql: str, **parameters: Any) -> list[Row]:
        self.asked += 1
        return self.index.run(sql, **parameters)


def test_a_long_list_is_asked_about_in_pages(flow: Steps) -> None:
    series = [Announced(sop_instance_uids=(new_uid(),)) for _ in range(5)]
    for announced in series:
        flow.announce(announced).ingest()
    studies = [announced.study_instance_uid for announced in series]
    with flow.world.database.transaction() as connection:
        index = Counting(connection)
        found = arrived(index, studies, page=2)
    assert index.asked == 3
    assert {study: row["imported"] for study, row in found.items()} == dict.fromkeys(studies, 1)
