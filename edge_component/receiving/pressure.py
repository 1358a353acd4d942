"""What a sender meets while the spool fills. `bulk` senders give way first; live ones are refused last."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pressure:
    """Why nothing more is taken, or how long things take.

    `before`: seconds before an instance is read. `answer`: seconds before a stored one is answered.
    """

    refusal: str | None = None
    before: float = 0.0
    answer: float = 0.0


@dataclass(frozen=True)
class Pressures:
    """On `bulk` senders, and on all others."""

    live: Pressure = Pressure()
    bulk: Pressure = Pressure()

    def of(self, *, bulk: bool) -> Pressure:
        """On one sender."""
        return self.bulk if bulk else self.live
