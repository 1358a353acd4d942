"""Which instances the edge has done with, and which segments of the spool may therefore go.

A segment goes when it is sealed and each of its records has been released, one by one: one that is not
accounted for keeps it (see `edge_component.spool.segments`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from edge_component.records.receipt import of_place


def seal(journal: sqlite3.Connection, segment: str, records: int) -> None:
    """Nothing is written to it any more, and it holds this many instances."""
    journal.execute(
        """INSERT INTO segment (segment, records) VALUES (?, ?)
           ON CONFLICT (segment) DO UPDATE SET records = excluded.records""",
        (segment, records),
    )


def let_go(journal: sqlite3.Connection, files: Iterable[str]) -> None:
    """The instances at these places are needed no more: announced and in S3, put aside, or sent before."""
    places = [of_place(file) for file in files]
    journal.executemany("INSERT INTO released (segment, at) VALUES (?, ?) ON CONFLICT DO NOTHING", places)
    journal.executemany(
        """INSERT INTO segment (segment, released)
           VALUES (?1, (SELECT count(*) FROM released WHERE segment = ?1))
           ON CONFLICT (segment) DO UPDATE SET released = excluded.released""",
        [(segment,) for segment in {segment for segment, _ in places}],
    )


def emptied(journal: sqlite3.Connection) -> list[str]:
    """Segments that may be removed."""
    rows = journal.execute("SELECT segment FROM segment WHERE released >= records").fetchall()
    return [row[0] for row in rows]


def forget(journal: sqlite3.Connection, segments: Iterable[str]) -> None:
    """Their files are gone."""
    names = [(segment,) for segment in segments]
    journal.executemany("DELETE FROM released WHERE segment = ?", names)
    journal.executemany("DELETE FROM segment WHERE segment = ?", names)


def complete(journal: sqlite3.Connection, run: str = "") -> set[str]:
    """Sealed segments of which the journal knows every record. `run`: how their names begin."""
    return {row[0] for row in journal.execute(COMPLETE, (run, f"{run}\x7f"))}


def accounted_for(journal: sqlite3.Connection, segment: str) -> set[str]:
    """The places in a segment that the journal knows."""
    between = (f"{segment}/", f"{segment}0")  # the character behind the slash
    rows = journal.execute(
        """SELECT file FROM instance WHERE file >= ?1 AND file < ?2
           UNION SELECT file FROM receipt WHERE file NOT NULL AND file >= ?1 AND file < ?2
           UNION SELECT segment || '/' || at FROM released WHERE segment = ?3""",
        (*between, segment),
    )
    return {row[0] for row in rows}


# Counted by the indexes, in one statement: a start does not wait for a backlog to be read.
COMPLETE = """
SELECT segment FROM segment s WHERE segment >= ?1 AND segment < ?2 AND records =
    (SELECT count(*) FROM instance WHERE file > s.segment || '/' AND file < s.segment || '0')
  + (SELECT count(*) FROM receipt WHERE file NOT NULL AND file > s.segment || '/' AND file < s.segment || '0')
  + (SELECT count(*) FROM released r WHERE r.segment = s.segment)
"""
