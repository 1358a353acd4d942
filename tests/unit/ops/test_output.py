"""Rows on a terminal: a table where it can be read, else a line per field."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ops.output import Output, cell, text

ROWS = [{"ticket_id": 7, "empty": None, **{f"column_{n}": f"value {n} of some length" for n in range(6)}}]


def test_a_table_that_fits_has_no_column_without_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False, width=200).table("Tickets", ROWS)
    said = capsys.readouterr().out
    assert said.startswith("Tickets (1)")
    assert "ticket id" in said
    assert "empty" not in said


def test_a_table_far_too_wide_is_a_line_per_field(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False, width=80).table("Tickets", ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Tickets (1)", "-- 1"]
    assert [line.split(None, 2)[2] for line in lines[2:4]] == ["7", "value 0 of some length"]


def test_nothing_is_said_too(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False, width=80).table("Tickets", [])
    assert capsys.readouterr().out == "Tickets (0)\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "yes"),
        (["a", None, 1], "a, , 1"),
        (0.25, "0.2"),
        (datetime(2026, 11, 22, 8, 0, 0, 5, tzinfo=timezone.utc), "2026-11-22 08:00:00"),
    ],
)
def test_cells_are_short(value: object, shown: str) -> None:
    assert text(value) == shown


def test_a_cell_is_read_as_its_name_says() -> None:
    assert cell("disk_free_bytes", 76_861_956_096) == "71.6 GB"
    assert cell("bytes", 12) == "12 bytes"
    assert cell("started_at", "2026-11-22T20:41:50.887860Z") == "2026-11-22 20:41:50"
    assert cell("instances", 4096) == "4096"


HOSTILE = "[/b] T2 [sag] :smile: \x1b[31mred\x9b\N{RIGHT-TO-LEFT OVERRIDE}"
SHOWN = "[/b] T2 [sag] :smile: �[31mred��"


@pytest.mark.parametrize("width", [200, 20], ids=["table", "a line per field"])
def test_a_value_is_neither_mark_up_nor_what_steers_a_terminal(
    width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    output = Output(as_json=False, width=width)
    output.table("Series", [{"description": HOSTILE, "patient_name": "Ås^Ünal 山田"} for _ in range(2)])
    output.line(HOSTILE)
    said = capsys.readouterr().out
    assert not {"\x1b", "\x9b", "\N{RIGHT-TO-LEFT OVERRIDE}"} & set(said)
    assert said.count("[sag]") == 3
    if width > len(HOSTILE):
        assert said.count(SHOWN) == 3
        assert "Ås^Ünal 山田" in said


def test_a_narrow_table_leaves_out_its_last_columns(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"place": "FAILED", "patient_id": "PHANTOM-0001", "detail": "x" * 60, "edge": "e" * 40}]
    Output(as_json=False, width=100).table("Series", rows, narrow=True)
    out = capsys.readouterr().out
    assert "PHANTOM-0001" in out
    assert "x" * 60 in out
    assert "eee" not in out
    assert max(map(len, out.splitlines())) <= 100
