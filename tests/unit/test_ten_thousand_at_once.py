"""Ten thousand series at once: the definition's own retriers against the few executions that Lambda allows.

A simulation by events: every task of every execution asks for a free Lambda execution, is throttled where
there is none, and waits as its retrier says. Slots are granted in order, one start a second.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Generator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from statemachines.describe import definition

STATES: dict[str, Any] = definition()["States"]
SERIES = 10_000
SLOTS = 50
IMPORT_SECONDS = 30.0
THROTTLED = "Lambda.TooManyRequestsException"
SECONDS = {
    "IndexSeries": 1.0,
    "AcquireImportSlot": 0.2,
    "StartImport": 0.4,
    "CheckImport": 0.2,
    "RecordImageSets": 0.5,
    "ReleaseImportSlot": 0.2,
}
"""What a call takes, warm."""

Wish = tuple[str, Any]
"""What an execution does next: `task` a state, `wait` seconds, or `slot`."""


OVER: Wish = ("over", None)


def series() -> Generator[Wish, None, None]:
    """The way of one series."""
    yield "task", "IndexSeries"
    yield "task", "AcquireImportSlot"
    yield "slot", None
    yield "task", "StartImport"
    yield "wait", IMPORT_SECONDS
    yield "task", "CheckImport"
    yield "task", "RecordImageSets"
    yield "task", "ReleaseImportSlot"


@dataclass
class Account:
    """Lambda's limits: of the account, and of single functions by reservation."""

    executions: int
    reserved: dict[str, int] = field(default_factory=dict)
    running: Counter[str] = field(default_factory=Counter)

    def takes(self, state: str) -> bool:
        """Whether one more may run."""
        if state in self.reserved:
            return self.running[state] < self.reserved[state]
        unreserved = sum(n for name, n in self.running.items() if name not in self.reserved)
        return unreserved < self.executions - sum(self.reserved.values())


@dataclass
class Simulation:
    """A clock, and what happens when."""

    account: Account
    random: Random = field(default_factory=lambda: Random(7))
    events: list[tuple[float, int, str, Any]] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    queue: deque[Generator[Wish, None, None]] = field(default_factory=deque)
    held: int = 0
    next_start: float = 0
    now: float = 0
    throttled: int = 0
    number: int = 0

    def run(self) -> Simulation:
        """Until nothing happens any more."""
        for _ in range(SERIES):
            self._at(0, "go", series())
        while self.events:
            self.now, _, what, execution = heapq.heappop(self.events)
            if what == "go":
                self._go(execution)
            elif what.startswith("again:"):
                _, state, tries = what.split(":")
                self._task(execution, state, int(tries))
            else:
                self._done(execution, what)
        return self

    def _at(self, when: float, what: str, execution: Any) -> None:
        self.number += 1
        heapq.heappush(self.events, (when, self.number, what, execution))

    def _go(self, execution: Generator[Wish, None, None]) -> None:
        kind, value = next(execution, OVER)
        if kind == "task":
            self._task(execution, value, 0)
        elif kind == "wait":
            self._at(self.now + value, "go", execution)
        elif kind == "slot":
            self.queue.append(execution)
            self._grant()
        else:
            self.ends["COMPLETED"] += 1

    def _task(self, execution: Any, state: str, tries: int) -> None:
        if self.account.takes(state):
            self.account.running[state] += 1
            self._at(self.now + SECONDS[state], state, execution)
            return
        self.throttled += 1
        (retry,) = (each for each in STATES[state]["Retry"] if THROTTLED in each["ErrorEquals"])
        if tries >= retry["MaxAttempts"]:
            self.ends["FAILED"] += 1
            return
        bound = min(retry["IntervalSeconds"] * retry["BackoffRate"] ** tries, retry["MaxDelaySeconds"])
        self._at(self.now + self.random.uniform(0, bound), f"again:{state}:{tries + 1}", execution)

    def _done(self, execution: Any, state: str) -> None:
        self.account.running[state] -= 1
        if state == "ReleaseImportSlot":
            self.held -= 1
            self._grant()
        self._go(execution)

    def _grant(self) -> None:
        while self.queue and self.held < SLOTS:
            self.held += 1
            self.next_start = max(self.next_start + 1, self.now)
            self._at(self.next_start, "go", self.queue.popleft())


@pytest.mark.parametrize(
    ("account", "hours"),
    [
        (Account(10), 12),
        (Account(1000, {"IndexSeries": 40}), 4),
        (Account(10, {"IndexSeries": 4}), 12),
    ],
    ids=["ten executions", "reserved concurrency", "a reservation of ten"],
)
def test_ten_thousand_series_at_once_are_all_completed(account: Account, hours: float) -> None:
    simulation = Simulation(account).run()
    assert simulation.ends == {"COMPLETED": SERIES}
    assert simulation.now / 3600 < hours
    print(f"{simulation.now / 3600:.1f} h, {simulation.throttled} throttled calls")  # noqa: T201 - with -s
