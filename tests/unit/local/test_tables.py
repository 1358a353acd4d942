"""The demo's tables show a header's value as it is: no mark-up, and nothing that steers a terminal."""

from __future__ import annotations

import pytest

from local.demo.tables import console, draw


def test_a_value_is_neither_mark_up_nor_what_steers_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output = console()
    draw(output, "Series", [{"series_description": "[/b] T2 [sag] :smile: \x1b[31mred"}])
    output.print("scan[1].txt")
    said = capsys.readouterr().out
    assert "[/b] T2 [sag] :smile: �[31mred" in said
    assert "\x1b" not in said
    assert "scan[1].txt" in said
