"""The emulator's state: a SQLite file for records and a folder of frames, kept or temporary."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = Path(__file__).with_name("schema.sql")
VERSION = 3
"""Of the schema. A state folder of another version is refused: it holds test data, and is not migrated."""

Row = sqlite3.Row


class Store:
    """One connection behind a lock.

    Raises:
        RuntimeError: another emulator uses the state folder, or one of another version has written it.
    """

    def __init__(self, folder: Path | None) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="healthimaging-") if folder is None else None
        self.folder = Path(self._temporary.name) if self._temporary else Path(str(folder))
        self.frames = self.folder / "frames"
        self.frames.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(
            self.folder / "state.sqlite", isolation_level=None, check_same_thread=False
        )
        self._db.row_factory = sqlite3.Row
        try:
            self._prepare("NORMAL" if self._temporary is None else "OFF")
        except sqlite3.OperationalError as error:
            self._db.close()
            raise RuntimeError(f"state folder {self.folder} is in use by another emulator") from error
        except RuntimeError:
            self._db.close()
            raise

    def _prepare(self, synchronous: str) -> None:
        self._db.execute("PRAGMA busy_timeout = 0")
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {synchronous}")
        written = self._db.execute("PRAGMA user_version").fetchone()[0]
        is_empty = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if not is_empty and written != VERSION:
            raise RuntimeError(
                f"state folder {self.folder} has version {written}, not {VERSION}: name another"
            )
        self._db.execute(f"PRAGMA user_version = {VERSION}")
        self._db.executescript(_SCHEMA.read_text(encoding="utf-8"))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, one at a time."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def execute(self, sql: str, *parameters: object) -> int:
        """One statement; the number of rows it changed."""
        with self._lock:
            return self._db.execute(sql, parameters).rowcount

    def one(self, sql: str, *parameters: object) -> Row | None:
        """The first row, if any."""
        with self._lock:
            row: Row | None = self._db.execute(sql, parameters).fetchone()
            return row

    def all(self, sql: str, *parameters: object) -> list[Row]:
        """All rows: only for results that are small by nature or by LIMIT."""
        with self._lock:
            return self._db.execute(sql, parameters).fetchall()

    def count(self, sql: str, *parameters: object) -> int:
        """The number in the first column of the first row."""
        row = self.one(sql, *parameters)
        return int(row[0]) if row is not None else 0

    def close(self) -> None:
        """Closes the database; a temporary folder is removed."""
        with self._lock:
            self._db.close()
        if self._temporary:
            self._temporary.cleanup()


def pack(document: Any) -> bytes:
    """A JSON document, compact and compressed."""
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 1)


def unpack(blob: bytes) -> Any:
    """The document of `pack`."""
    return json.loads(zlib.decompress(blob))


def unpack_text(blob: bytes) -> bytes:
    """The document of `pack`, still as JSON text."""
    return zlib.decompress(blob)
