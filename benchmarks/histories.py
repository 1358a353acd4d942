"""What executions did, read from their exported histories: what they cost, and which state took how long."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from dicom_ingest.healthimaging.polling import most_polls
from statemachines.history import ordinary

IMPORT_SECONDS = (600, 3600, 86400)
ENTERED, EXITED = "StateEntered", "StateExited"


class Histories:
    """All executions of a run."""

    def __init__(self, folder: Path) -> None:
        self._executions = [
            json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))
        ]

    def cost(self) -> dict[str, Any]:
        """Transitions and history events, as seen and for imports that take long."""
        kinds = [[event["type"] for event in execution["events"]] for execution in self._executions]
        # Each state that is entered is a transition; the start of the execution is one more.
        transitions = [1 + sum(kind.endswith(ENTERED) for kind in found) for found in kinds]
        polls = [found.count("WaitStateEntered") - 1 for found in kinds]
        return {
            "transitions": _spread(transitions),
            "history_events": _spread([len(found) for found in kinds]),
            "polls": round(median(polls)),
            "by_import_seconds": {str(seconds): _reckoned(seconds) for seconds in IMPORT_SECONDS},
        }

    def seconds_by_state(self) -> dict[str, float]:
        """Median seconds that an execution spends in each state, from entering to leaving it."""
        spent: dict[str, list[float]] = defaultdict(list)
        for execution in self._executions:
            own: dict[str, float] = defaultdict(float)
            for event in execution["events"]:
                name, sign = _state(event)
                if name:
                    own[name] += sign * _moment(event["timestamp"])
            for name, seconds in own.items():
                spent[name].append(seconds)
        return {name: round(median(seconds), 3) for name, seconds in spent.items()}

    def started(self) -> dict[str, datetime]:
        """When the execution of each series began, by SeriesInstanceUID."""
        return {
            json.loads(execution["output"])["series_transfer"]["series_instance_uid"]: datetime.fromisoformat(
                execution["startDate"]
            )
            for execution in self._executions
        }


def _state(event: dict[str, Any]) -> tuple[str | None, int]:
    if event["type"].endswith(ENTERED):
        return event["stateEnteredEventDetails"]["name"], -1
    if event["type"].endswith(EXITED):
        return event["stateExitedEventDetails"]["name"], 1
    return None, 0


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _spread(counts: list[int]) -> dict[str, float]:
    return {"median": median(counts), "most": max(counts)}


def _reckoned(import_seconds: int) -> dict[str, int]:
    """What an import that takes so long comes to, at most."""
    polls = most_polls(import_seconds)
    return {"polls": polls, **asdict(ordinary(polls))}
