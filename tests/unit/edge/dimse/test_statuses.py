"""What a C-STORE is answered with."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import edge_component
from edge_component.dimse import statuses
from edge_component.dimse.statuses import COMMENT_LENGTH, Status

MAKERS = [
    name
    for name, function in inspect.getmembers(statuses, inspect.isfunction)
    if function.__module__ == statuses.__name__
]
SOURCES = [path for path in Path(edge_component.__file__).parent.rglob("*.py") if path.stem != "statuses"]


@pytest.mark.parametrize("name", MAKERS)
def test_every_status_is_answered_somewhere(name: str) -> None:
    assert any(f"{name}(" in path.read_text(encoding="utf-8") for path in SOURCES)


def test_only_success_says_stored_and_no_failure_is_a_warning() -> None:
    codes = {getattr(statuses, name)("why").code for name in MAKERS}
    assert codes == {0x0110, 0x0122, 0xA700, 0xA900, 0xC000}
    assert [code for code in codes if Status(code).stored or code >> 12 == 0xB or code == 0x0001] == []


def test_a_comment_is_one_value_of_an_lo() -> None:
    status = statuses.cannot_understand("a\\b" * 40)
    assert len(status.short_comment) == COMMENT_LENGTH
    assert "\\" not in status.short_comment
