"""What a verb answers: tables and lines on a terminal, one JSON document with ``--json``."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timezone
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dicom_ingest.operators.printable import printable

PLAIN_WIDTH = 10_000
"""Where there is no terminal, so that a line stays a line."""

FOLDED = 1.6
"""A table so much wider than the terminal is folded; a wider one becomes a line per field."""

Rows = Sequence[Mapping[str, Any]]


class Output:
    """Standard output, for people or for programs."""

    def __init__(self, as_json: bool, width: int | None = None) -> None:
        self.as_json = as_json
        self._console = Console(width=width or (None if sys.stdout.isatty() else PLAIN_WIDTH))

    def data(self, content: Any) -> None:
        """The one JSON document."""
        sys.stdout.write(json.dumps(content, default=plain, indent=2, ensure_ascii=False) + "\n")

    def line(self, text: str, style: str | None = None) -> None:
        """A line; nothing in it is markup."""
        self._console.print(Text(printable(text)), style=style)

    def record(self, content: Mapping[str, Any]) -> None:
        """A JSON object in a line of its own, at once."""
        sys.stdout.write(json.dumps(content, default=plain, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def table(
        self, title: str, rows: Rows, columns: Sequence[str] | None = None, *, narrow: bool = False
    ) -> None:
        """A table of these columns, or of all; columns without any value are left out.

        `narrow`: the last columns are left out until the table fits the terminal.
        """
        if not rows:
            self.line(f"{title} (0)")
            return
        names = [
            name
            for name in columns or list(rows[0])
            if any(row.get(name) not in (None, "", []) for row in rows)
        ]
        drawn = self._drawn(title, rows, names)
        left_out: list[str] = []
        while narrow and len(names) > 1 and self._measured(drawn) > self._console.width:
            left_out.insert(0, names.pop())
            drawn = self._drawn(title, rows, names)
        if self._measured(drawn) <= FOLDED * self._console.width:
            self._console.print(drawn)
            if left_out:
                self.line(f"left out: {', '.join(left_out)}; --json or a wider terminal shows them")
        else:
            self._records(title, rows, names)

    def _measured(self, drawn: Table) -> int:
        """How wide it is if nothing is folded."""
        wide = self._console.options.update(width=PLAIN_WIDTH)
        return self._console.measure(drawn, options=wide).maximum

    def _records(self, title: str, rows: Rows, names: Sequence[str]) -> None:
        """A line per field, where a table would be folded beyond reading (as psql's ``\\x auto``)."""
        self.line(f"{title} ({len(rows)})")
        for number, row in enumerate(rows, start=1):
            self.line(f"-- {number}")
            for name in names:
                if shown := cell(name, row.get(name)):
                    self.line(f"{name.replace('_', ' '):>24}  {shown}")

    def _drawn(self, title: str, rows: Rows, names: Sequence[str]) -> Table:
        drawn = Table(title=Text(f"{title} ({len(rows)})"), title_justify="left", box=box.SIMPLE_HEAD)
        for name in names:
            drawn.add_column(Text(name.replace("_", " ")), overflow="fold")
        for row in rows:
            # As text: a value in brackets is no mark-up, and an escape sequence does not reach the terminal.
            drawn.add_row(*(Text(printable(cell(name, row.get(name)))) for name in names))
        return drawn


def cell(name: str, value: Any) -> str:
    """A value as its name says that it is to be read: bytes with a fitting unit, times as all others."""
    if name.endswith("bytes") and isinstance(value, int):
        return size(value)
    if name.endswith("_at") and isinstance(value, str):
        return text(datetime.fromisoformat(value))
    return text(value)


def size(count: int) -> str:
    """Bytes with a fitting unit."""
    for power, unit in ((3, "GB"), (2, "MB"), (1, "kB")):
        if count >= 1024**power:
            return f"{count / 1024**power:.1f} {unit}"
    return f"{count} bytes"


def text(value: Any) -> str:
    """A cell: times in UTC without fractions, lists without brackets, yes and no."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        case list() | tuple():
            return ", ".join(text(each) for each in value)
        case float():
            return f"{value:.1f}"
    return str(value)


def plain(value: Any) -> Any:
    """What JSON has no word for: RFC 3339 times in UTC, data classes as objects, the rest as text."""
    match value:
        case datetime():
            return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return str(value)
