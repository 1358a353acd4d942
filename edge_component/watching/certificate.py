"""The certificate of the TLS port: when it expires, and whether it can be read."""

from __future__ import annotations

from edge_component.dimse.tls import expires_at, server_context
from edge_component.running.clock import MONOTONIC, SYSTEM_CLOCK, Clock
from edge_component.running.problem import Problem, text_of, words_of
from edge_component.settings import Settings

SEE = "edge-certificate"
LOOK_SECONDS = 10.0


class Certificate:
    """Looks at the file from time to time. A new one is shown as soon as it can be used, with its key."""

    def __init__(self, settings: Settings, clock: Clock = SYSTEM_CLOCK, monotonic: Clock = MONOTONIC) -> None:
        self._settings = settings
        self._path = settings.tls_certificate if settings.tls_port is not None else None
        self._clock = clock
        self._monotonic = monotonic
        self._next_at = monotonic()
        self._problem: Problem | None = None
        self._expires_at: float | None = None

    @property
    def expires_at(self) -> float | None:
        """Of the one that is shown, in seconds since 1970; None: there is none, or it cannot be told."""
        self._look()
        return self._expires_at

    def problem(self) -> Problem | None:
        """Why a person should look at it."""
        self._look()
        if self._expires_at is not None and self._expires_at < self._clock():
            reason = f"the certificate of the TLS port has expired at {text_of(self._expires_at)}"
            return Problem("certificate", reason, SEE, since=self._expires_at)
        return self._problem

    def _look(self) -> None:
        if self._path is None or self._monotonic() < self._next_at:
            return
        self._next_at = self._monotonic() + LOOK_SECONDS
        try:
            server_context(self._settings)
            self._expires_at = expires_at(self._path).timestamp()
            self._problem = None
        except (OSError, ValueError, IndexError) as error:  # ssl.SSLError is an OSError
            reason = f"the TLS certificate {self._path} or its key cannot be read: {_words(error)}"
            self._problem = Problem("certificate", f"{reason}; the one before is shown", SEE)


def _words(error: Exception) -> str:
    return words_of(error) if isinstance(error, OSError) else "no certificate in it"
