"""One edge a spool: a lock that dies with its process."""

from __future__ import annotations

import os
import time
from pathlib import Path

EDGE_LOCK, WORKER_LOCK = "edge.lock", "worker.lock"
READER_LOCKS = "reader-*.lock"
WAIT_SECONDS = 0.05


def reader_lock(spool: Path, number: int) -> Path:
    """The lock of one reader process."""
    return spool / READER_LOCKS.replace("*", str(number))


class LockedError(RuntimeError):
    """Another process holds the lock."""


class ProcessLock:
    """An exclusive lock on a file, held until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def acquire(self, seconds: float = 0.0) -> None:
        """Take it; wait so long for a holder that is about to end.

        Raises:
            LockedError: somebody else has it.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._try()
            except LockedError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(WAIT_SECONDS)
            else:
                return

    def _try(self) -> None:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            _lock(fd)
        except OSError as error:
            os.close(fd)
            raise LockedError(f"another edge works on {self._path.parent}") from error
        self._fd = fd

    def release(self) -> None:
        """Give it back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


try:
    import fcntl
except ImportError:  # Windows

    def _lock(fd: int) -> None:
        import msvcrt

        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]

else:

    def _lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
