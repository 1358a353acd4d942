"""Rows as tables, on a terminal and in a file."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from dicom_ingest.operators.printable import printable

PLAIN_WIDTH = 10_000
"""Where there is no terminal, so that a line stays a line."""


def console() -> Console:
    """Standard output; lines are not folded unless it is a terminal. Nothing that is printed is mark-up."""
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(width=width, soft_wrap=False, markup=False, emoji=False)


def draw(output: Console, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """A table; where it would be folded beyond reading, a line per field instead (as psql's ``\\x auto``)."""
    if not rows:
        output.print(f"{title} (0)\n", style="italic")
        return
    drawn = table(title, rows)
    if output.measure(drawn, options=output.options.update(width=PLAIN_WIDTH)).maximum <= 2 * output.width:
        output.print(drawn)
        return
    output.print(f"{title} ({len(rows)})", style="italic")
    for number, row in enumerate(rows, start=1):
        output.print(f"-- {number}", highlight=False)
        for name, value in row.items():
            output.print(f"{name:>32}  {printable(_text(value))}", highlight=False)


def table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """One column per key of the rows."""
    names = list(rows[0] if rows else ())
    drawn = Table(title=f"{title} ({len(rows)})", title_justify="left", box=box.SIMPLE_HEAD)
    for name in names:
        drawn.add_column(name, overflow="fold", no_wrap=False)
    for row in rows:
        drawn.add_row(*(printable(_text(row[name])) for name in names))
    return drawn


def _text(value: Any) -> str:
    """A cell: times without their fractions, lists without brackets."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value)
    return str(value)
