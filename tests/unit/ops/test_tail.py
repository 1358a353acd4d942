"""`tail` says what has moved on since the last look, once."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest

from ops.output import Output
from ops.targets.target import Target
from ops.verbs.looking import tail

ROW = {
    "pk": 1, "place": "waiting", "over_at": None, "running_at": None, "modality": "CT", "instances": 24,
    "series_instance_uid": "1.2.3", "calling_ae": "CT1", "detail": None,
}  # fmt: skip
IMPORTING = {**ROW, "place": "importing", "running_at": "08:00:01"}
DONE = {**IMPORTING, "place": "COMPLETED", "over_at": "08:00:05"}


class Looks:
    """An index that answers each look with the next rows; then somebody types Ctrl-C."""

    def __init__(self, *answers: list[dict[str, Any]]) -> None:
        self._answers = list(answers)

    def run(self, _: str, **__: Any) -> list[dict[str, Any]]:
        if not self._answers:
            raise KeyboardInterrupt
        return self._answers.pop(0)


def target(index: Any) -> Target:
    return Target(
        name="a stand-in", stack="s", bucket="b", state_machine_arn="", dead_letters_url="",
        poll_seconds=0.001, index=index, open_writer=lambda: index, client=lambda _: None, edges_say=list,
            log_errors=lambda _: [],
    )  # fmt: skip


def said(capsys: pytest.CaptureFixture[str], index: Looks, *, all_: bool = False) -> list[dict[str, Any]]:
    arguments = argparse.Namespace(interval=None, seconds=None, all=all_)
    with pytest.raises(KeyboardInterrupt):
        tail.run(arguments, target(index), Output(as_json=True))
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_move_is_one_line_and_what_stands_still_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    other = {**ROW, "pk": 2}
    index = Looks([ROW, other], [ROW, other], [IMPORTING, other], [IMPORTING, other], [DONE, other])
    assert [(row["pk"], row["place"]) for row in said(capsys, index)] == [(1, "importing"), (1, "COMPLETED")]


def test_with_all_it_begins_with_where_everything_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert [row["place"] for row in said(capsys, Looks([ROW]), all_=True)] == ["waiting"]


def test_a_second_run_of_the_same_series_is_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    again = {**DONE, "over_at": "09:00:00"}
    assert [row["over_at"] for row in said(capsys, Looks([DONE], [DONE], [again]))] == ["09:00:00"]
