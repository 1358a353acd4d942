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

PLAIN_WIDTH = 10_000
"""Where there is no terminal, so that a line stays a line."""

Rows = Sequence[Mapping[str, Any]]


class Output:
    """Standard output, for people or for programs."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)

    def data(self, content: Any) -> None:
        """The one JSON document."""
        sys.stdout.write(json.dumps(content, default=plain, indent=2, ensure_ascii=False) + "\n")

    def line(self, text: str, style: str | None = None) -> None:
        """A line; nothing in it is markup."""
        self._console.print(text, style=style, markup=False, highlight=False)

    def record(self, content: Mapping[str, Any]) -> None:
        """A JSON object in a line of its own, at once."""
        sys.stdout.write(json.dumps(content, default=plain, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def table(self, title: str, rows: Rows, columns: Sequence[str] | None = None) -> None:
        """A table of these columns, or of all; columns without any value are left out."""
        names = [
            name
            for name in columns or list(rows[0] if rows else ())
            if any(row.get(name) not in (None, "", []) for row in rows)
        ]
        drawn = Table(title=f"{title} ({len(rows)})", title_justify="left", box=box.SIMPLE_HEAD)
        for name in names:
            drawn.add_column(name.replace("_", " "), overflow="fold")
        for row in rows:
            drawn.add_row(*(text(row.get(name)) for name in names))
        self._console.print(drawn)


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
