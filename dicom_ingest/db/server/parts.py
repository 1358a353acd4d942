"""Long answers in parts: the RDS Data API answers with 1 MiB at most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

PART = 500
"""Rows of one answer: of the widest statement about half a MiB."""


def in_parts(
    ask: Callable[[int, int], list[dict[str, Any]]],
    whole: int | None = None,
    part: int = PART,
    key: Sequence[str] = ("pk",),
) -> list[dict[str, Any]]:
    """All rows of a question, up to `whole`. `ask` gets how many are wanted, and how many are skipped.

    `key`: what tells rows apart. One that moves from one part into the next meanwhile is not in the answer
    twice.
    """
    found: dict[Any, dict[str, Any]] = {}
    skip = 0
    while whole is None or skip < whole:
        most = part if whole is None else min(part, whole - skip)
        rows = ask(most, skip)
        found |= {tuple(row[name] for name in key): row for row in rows}
        if len(rows) < most:
            break
        skip += most
    return [*found.values()]
