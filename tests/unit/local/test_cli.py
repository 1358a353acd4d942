"""The command line's own answers, without a run."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from local.cli.program import COMMANDS, main
from local.demo.tables import draw


def test_sending_without_a_run_says_how_to_start_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["send", ".", "--runs", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "error: no local run is active: start one with `make up`\n"


def test_help_names_every_command_and_where_the_others_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(name in said for name in COMMANDS)
    assert "python -m ops" in said


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
