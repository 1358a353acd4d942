"""The certificate of the TLS port: when it expires, and whether its file has changed since it was read."""

from __future__ import annotations

import time
from pathlib import Path

from edge_component.dimse.tls import expires_at
from edge_component.running.clock import SYSTEM_CLOCK, Clock
from edge_component.running.problem import Problem, text_of, words_of
from edge_component.settings import Settings

SEE = "edge-certificate"
LOOK_SECONDS = 10.0


class Certificate:
    """Made when the edge begins to show it; `look` reads the file again."""

    def __init__(self, settings: Settings, clock: Clock = SYSTEM_CLOCK) -> None:
        self._path = settings.tls_certificate if settings.tls_port is not None else None
        self._clock = clock
        self._next_at = 0.0
        self._shown = _content(self._path)
        self._problem: Problem | None = None
        self.expires_at: float | None = None
        """Of the one that is shown; None: there is none, or it cannot be told."""
        if self._path is not None:
            try:
                self.expires_at = expires_at(self._path).timestamp()
            except (OSError, ValueError, IndexError) as error:
                self._problem = _unreadable(self._path, error)

    def problem(self) -> Problem | None:
        """Why a person should look at it."""
        if self._path is None:
            return None
        if self.expires_at is not None and self.expires_at < self._clock():
            reason = f"the certificate of the TLS port has expired at {text_of(self.expires_at)}"
            return Problem("certificate", reason, SEE, since=self.expires_at)
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + LOOK_SECONDS
            self._problem = self._look(self._path)
        return self._problem

    def _look(self, path: Path) -> Problem | None:
        try:
            now = path.read_bytes()
            expires_at(path)
        except (OSError, ValueError, IndexError) as error:
            return _unreadable(path, error)
        if now == self._shown:
            return None
        reason = f"{path} was replaced: the edge shows the certificate before it until it is restarted"
        return Problem("certificate", reason, SEE)


def _content(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path is not None else None
    except OSError:
        return None


def _unreadable(path: Path, error: Exception) -> Problem:
    words = words_of(error) if isinstance(error, OSError) else f"{path}: no certificate in it"
    return Problem("certificate", f"the expiry of the TLS certificate cannot be read: {words}", SEE)
