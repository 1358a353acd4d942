"""Something that is wrong for longer than a moment: what, since when, and where the runbook has it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from edge_component.running.clock import moment

Level = Literal["degraded", "failed"]
"""`degraded`: instances are received, something else fails. `failed`: instances are not received, or a
process that the edge needs does not run."""
State = Literal["ok", "degraded", "failed"]
RUNBOOK = "docs/operations.md"
LONGEST_REASON = 400


@dataclass(frozen=True)
class Problem:
    """`name`: the same for the same kind. `see`: a heading of the runbook. `since`: seconds since 1970."""

    name: str
    reason: str
    see: str
    level: Level = "degraded"
    since: float | None = None

    def fields(self) -> dict[str, Any]:
        """For JSON: times as text, the runbook's page with its heading."""
        return {
            "name": self.name,
            "level": self.level,
            "reason": self.reason,
            "since": None if self.since is None else text_of(self.since),
            "see": f"{RUNBOOK}#{self.see}",
        }

    @property
    def line(self) -> str:
        """All of it in one line, for a person."""
        since = f", since {text_of(self.since)}" if self.since is not None else ""
        return f"{self.reason}{since} (see {RUNBOOK}#{self.see})"


def encode_problems(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """As they pass between the edge's own processes."""
    return [asdict(problem) for problem in problems]


def decode_problems(encoded: Iterable[dict[str, Any]]) -> list[Problem]:
    """What `encode_problems` made."""
    return [Problem(**fields) for fields in encoded]


def state_of(problems: Iterable[Problem]) -> State:
    """The worst of them."""
    levels = {problem.level for problem in problems}
    return "failed" if "failed" in levels else "degraded" if levels else "ok"


def text_of(seconds: float) -> str:
    """RFC 3339 in UTC, whole seconds."""
    return moment(seconds).isoformat(timespec="seconds").replace("+00:00", "Z")


def words_of(error: BaseException) -> str:
    """What went wrong: the system's words or SQLite's. Other exceptions may quote a data set: their place."""
    kind = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename is not None else ""
        return f"{kind}: {name}{error.strerror}"[:LONGEST_REASON]
    if type(error).__module__ == "sqlite3":
        return f"{kind}: {error}"[:LONGEST_REASON]
    return f"{kind} at {_place(error)}"


def _place(error: BaseException) -> str:
    at, trace = "?", error.__traceback__
    while trace is not None:
        at = f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
        trace = trace.tb_next
    return at
