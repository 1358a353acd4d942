"""How PostgreSQL means to run a statement, and whether that stays quick as the tables grow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dicom_ingest.db.server.connection import Connection

SMALL = frozenset({"semaphore", "migration"})
"""Tables that do not grow with the years; every other one does."""
_PARTIAL = """
SELECT relname AS name FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid WHERE indpred IS NOT NULL
"""
_COMPARED = re.compile(r"[=<>]| IS NULL")
"""An index condition that leaves something out."""
_EXPLAINED = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")


class Explaining(Connection):
    """A connection that looks at the plan of every statement before it runs it."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection._raw)
        self.faults: list[str] = []
        self.seen: set[str] = set()
        self._partial = {row["name"] for row in super().run(_PARTIAL)}

    def run(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Explain it, then run it."""
        if sql.lstrip(" (\n").startswith(_EXPLAINED):
            self.seen.add(sql)
            (row,) = super().run(f"EXPLAIN (FORMAT JSON) {sql}", **parameters)
            (plan,) = row["QUERY PLAN"]
            self.faults += [f"{fault}: {' '.join(sql.split())[:160]}" for fault in self._of(plan["Plan"])]
        return super().run(sql, **parameters)

    def _of(self, node: dict[str, Any], limited: bool = False) -> Iterator[str]:
        """What reads all of a table that grows."""
        table, kind = node.get("Relation Name"), node["Node Type"]
        if kind == "Seq Scan" and table not in SMALL:
            yield f"sequential scan of {table}"
        condition = node.get("Index Cond", "").replace("IS NOT NULL", "")
        if kind in ("Index Scan", "Index Only Scan", "Bitmap Index Scan") and not _COMPARED.search(condition):
            index = node["Index Name"]
            # A partial index is small by its predicate. In order and to a limit, the first rows are read.
            if index not in self._partial and table not in SMALL and (not limited or "Filter" in node):
                yield f"all of index {index}"
        # A limit reaches through what hands rows on in their order, one by one.
        through = kind in (
            "Limit",
            "Nested Loop",
            "LockRows",
            "Append",
            "Merge Append",
            "Result",
            "Subquery Scan",
        )
        for child in node.get("Plans", []):
            yield from self._of(child, limited=kind == "Limit" or (limited and through))
