"""What read models ask: anything that runs a statement, a connection or the RDS Data API."""

from __future__ import annotations

from typing import Any, Protocol

Row = dict[str, Any]


class Index(Protocol):
    """Runs one statement with :named parameters; `db.connection.Connection` is one.

    Read models keep to what the Data API takes, too: no array parameters, uuids read as text.
    """

    def run(self, sql: str, **parameters: Any) -> list[Row]:
        """Its rows, as mappings by column name."""


def first(rows: list[Row]) -> Row | None:
    """The first row, or None."""
    return rows[0] if rows else None
