"""The command line's own answers, without a run."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from local.__main__ import COMMANDS, main
from local.cli.replay import moment
from local.tables import draw


@pytest.mark.parametrize(
    "command", [["status"], ["send", "."], ["sql", "SELECT 1"], ["ledger"], ["replay"], ["show", "1.2"]]
)
def test_commands_without_a_run_say_how_to_start_one(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--runs", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "error: a local run is not under way: start one with `make up`\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(name in said for name in COMMANDS)


def test_a_time_may_be_absolute_or_ago() -> None:
    assert moment("2026-11-22T09:00:00Z") == datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert moment("2026-11-22") == datetime(2026, 11, 22, tzinfo=UTC)
    assert abs(moment("2h") - (datetime.now(UTC) - timedelta(hours=2))) < timedelta(minutes=1)


def test_another_way_to_write_a_time_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="RFC 3339, or 30m, 2h, 1d"):
        moment("yesterday")


def drawn(width: int, columns: int) -> str:
    console = Console(file=StringIO(), width=width)
    draw(console, "Rows", [{f"column_{n}": f"value {n} of some length" for n in range(columns)}])
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_rows_are_a_table_when_they_fit() -> None:
    assert "column_0" in drawn(120, 3).splitlines()[2]


def test_rows_that_are_far_too_wide_have_a_line_per_field() -> None:
    lines = drawn(80, 20).splitlines()
    assert lines[1] == "-- 1"
    assert lines[2].split(None, 1) == ["column_0", "value 0 of some length"]


def test_no_rows_are_said_too() -> None:
    console = Console(file=StringIO())
    draw(console, "Ahlijob", [])
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue().strip() == "Ahlijob (0)"
