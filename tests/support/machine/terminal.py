"""A person at a terminal: a program with a controlling terminal, which is answered when it asks."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

SECONDS = 60.0


class Terminal:
    """One program. What it shows is kept in `seen`."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.seen = ""
        self.ended: int | None = None
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], list(command), dict(environment))

    def answer(self, question: str, text: str) -> None:
        """Wait until the program has shown the question, and type."""
        before = len(self.seen)
        while question not in self.seen[before:]:
            if not self._read():
                raise AssertionError(f"it ended before it asked {question!r}:\n{self.seen}")
        for start in range(0, len(text), 1000):  # a terminal takes what its buffer holds
            os.write(self._terminal, text[start : start + 1000].encode())
            time.sleep(0.01)

    def wait(self) -> int:
        """Its exit code."""
        while self._read():
            pass
        if self.ended is None:
            self.ended = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
            os.close(self._terminal)
        return self.ended

    def close(self) -> None:
        """End it where it has not ended."""
        if self.ended is None:
            os.kill(self._pid, signal.SIGKILL)
            self.wait()

    def _read(self) -> bool:
        if not select.select([self._terminal], [], [], SECONDS)[0]:
            raise AssertionError(f"nothing for {SECONDS} s:\n{self.seen}")
        try:
            piece = os.read(self._terminal, 65536)
        except OSError:  # Linux says so when the program has ended
            piece = b""
        self.seen += piece.decode(errors="replace")
        return bool(piece)
