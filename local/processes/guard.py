"""Ends what a process started once that process is gone, however it went: even by SIGKILL.

The parent (:class:`Guard`) keeps the writing end of a pipe; this file, run as a process of its own, reads
the other end. Its end of file means that the parent is gone. Standard library only: it starts in 20 ms.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

GRACE_SECONDS = 5.0


class Guard:
    """Told by a process what to end after it: one guard a process, started at its first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def watch_group(self, process_group: int, first_signal: int = signal.SIGTERM) -> None:
        """End this process group after us: first by this signal, then by SIGKILL."""
        self._tell(f"group {process_group} {int(first_signal)}")

    def forget_group(self, process_group: int) -> None:
        """The group is gone; its number may be given to another one."""
        self._tell(f"forget {process_group} 0")

    def watch_folder(self, folder: Path) -> None:
        """Remove this folder after us, unless it is gone by then."""
        self._tell(f"folder {folder}")

    def _tell(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and file
                    [sys.executable, "-I", "-S", __file__],
                    stdin=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )
            if self._process.stdin is None:
                raise RuntimeError("the guard has no pipe")
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """End what is still watched, now, and wait for it."""
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
                self._process.wait()
            self._process = None


GUARD = Guard()
"""The guard of this process."""
atexit.register(GUARD.close)


def _alive(process_group: int) -> bool:
    try:
        os.killpg(process_group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a zombie of another user counts as gone on some systems
        return False
    return True


def _signal(process_group: int, number: int) -> None:
    if _alive(process_group):
        os.killpg(process_group, number)


def end_groups(groups: dict[int, int], grace_seconds: float = GRACE_SECONDS) -> None:
    """Send each group its signal, wait, and kill what is left."""
    for group, number in groups.items():
        _signal(group, number)
    deadline = time.monotonic() + grace_seconds
    while any(_alive(group) for group in groups) and time.monotonic() < deadline:
        time.sleep(0.02)
    for group in groups:
        _signal(group, signal.SIGKILL)


def main() -> None:
    """Read what to watch until the parent is gone; then end it."""
    groups: dict[int, int] = {}
    folders: set[str] = set()
    for line in sys.stdin:
        verb, _, rest = line.rstrip("\n").partition(" ")
        if verb == "folder":
            folders.add(rest)
            continue
        number, first_signal = (int(part) for part in rest.split())
        if verb == "group":
            groups[number] = first_signal
        else:
            groups.pop(number, None)
    end_groups(groups)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
