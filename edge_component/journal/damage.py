"""A journal that SQLite cannot read is set aside: what was acknowledged is adopted again from the files."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from edge_component.journal.database import version_of
from edge_component.journal.schema import VERSION
from edge_component.running import logs

DAMAGED = ".damaged"
"""Beside the journal: a check found damage while the edge ran. The next start looks at all of it."""
NOT_A_JOURNAL = ("unsupported file format", "malformed")
"""What SQLite says of a damaged header, as an OperationalError."""


def set_broken_aside(path: Path) -> Path | None:
    """Rename a journal that cannot be used, so that a new one is made from the files. Returns its new path.

    A look at the header and the tables, whatever its size; all pages only where a check has found damage. The
    caller holds the spool's locks.

    Raises:
        sqlite3.OperationalError: the disk or the permissions, not the file.
    """
    mark = path.with_name(f"{path.name}{DAMAGED}")
    if not path.exists():
        mark.unlink(missing_ok=True)
        return None
    if damage_of(path, thorough=mark.exists()) is None:
        mark.unlink(missing_ok=True)
        return None
    aside = path.with_name(f"{path.name}.broken-{time.time_ns()}")
    path.rename(aside)
    for suffix in ("-wal", "-shm"):  # they belong to it, and would spoil the new one
        companion = path.with_name(f"{path.name}{suffix}")
        if companion.exists():
            companion.rename(aside.with_name(f"{aside.name}{suffix}"))
    mark.unlink(missing_ok=True)
    return aside


def damage_of(path: Path, *, thorough: bool = True) -> str | None:
    """What is wrong with a journal, in SQLite's words; None: nothing was found.

    Raises:
        sqlite3.OperationalError: the disk or the permissions, not the file.
    """
    try:
        with closing(sqlite3.connect(path)) as connection:
            if (found := version_of(connection)) > VERSION:
                return f"it was written by a newer release (version {found})"
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if not thorough:
                return None
            found_text = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if not any(words in str(error) for words in NOT_A_JOURNAL):
            raise
        return str(error)
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if found_text == "ok" else found_text


class DamageCheck:
    """Reads the whole journal once after a start, in a thread of its own: nothing waits for it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.problem: str | None = None
        """What a person must know; None: no damage was found (yet)."""
        self._thread = threading.Thread(target=self._run, name="journal-check", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def _run(self) -> None:
        try:
            damage = damage_of(self._path)
        except sqlite3.OperationalError as error:
            logs.warning("journal check failed", reason=str(error))
            return
        if damage is not None:
            self._path.with_name(f"{self._path.name}{DAMAGED}").touch()
            self.problem = "the journal is damaged: restart the edge, which makes it again from the files"
            logs.error("journal damaged", reason=damage)
