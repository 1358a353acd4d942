"""What one ordinary execution costs: state transitions (billed) and history events (25,000 are allowed).

https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from statemachines.describe import definition

ORDINARY = (
    *("IndexSeries", "ImportNeeded?", "AcquireImportSlot", "WaitForStart", "StartImport", "ImportStarted?"),
    *("RecordImageSets", "ReleaseImportSlot", "Ingested?", "SeriesIngested"),
)
"""Entered once where nothing goes wrong."""
POLL = ("WaitForImport", "CheckImport", "ImportFinished?")
"""Entered once for each look at the import."""
EVENTS = {"Task": 5, "Wait": 2, "Choice": 2, "Succeed": 2}
"""Entered and exited; a Task is scheduled, started and succeeds, too."""


@dataclass(frozen=True)
class Cost:
    """Of one execution."""

    transitions: int
    history_events: int


def ordinary(polls: int) -> Cost:
    """An execution that imports a series, looks at the import so often, and fails nowhere."""
    entered = [*ORDINARY, *POLL * polls]
    # The start of an execution is a transition; start and end of it are an event each.
    return Cost(1 + len(entered), 2 + sum(map(_events, entered)))


def _events(name: str) -> int:
    state: dict[str, Any] = definition()["States"][name]
    submitted = str(state.get("Resource", "")).endswith(".waitForTaskToken")
    return EVENTS[state["Type"]] + submitted
