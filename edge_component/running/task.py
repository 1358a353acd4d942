"""A thread that does one thing repeatedly. A step that fails is tried again later, and is seen meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edge_component.running import logs
from edge_component.running.backoff import Backoff
from edge_component.running.clock import MONOTONIC, SYSTEM_CLOCK, Clock
from edge_component.running.problem import Problem, words_of

AGAIN = Backoff(0.5, 60.0, uniform=lambda _low, high: high)
HUNG_SECONDS = 300.0
"""A step may take as long, between two beats: longer than any exchange with AWS or read of the disk."""
SEE = "a-task-fails"

_CURRENT = threading.local()


def beat() -> None:
    """Say that the task of this thread is alive, from within a long step; outside a task: nothing."""
    task: Task | None = getattr(_CURRENT, "task", None)
    if task is not None:
        task.beat()


class Task:
    """Calls `step` until it is stopped; pauses `idle_seconds` when a step had nothing to do.

    An exception of a step is logged and is the task's problem until a step ends well. The next step follows
    after a growing pause: no other task notices.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], bool],
        idle_seconds: float,
        *,
        hung_seconds: float = HUNG_SECONDS,
        backoff: Backoff = AGAIN,
        clock: Clock = SYSTEM_CLOCK,
        monotonic: Clock = MONOTONIC,
    ) -> None:
        self.name = name
        self._step = step
        self._idle_seconds = idle_seconds
        self._hung_seconds = hung_seconds
        self._backoff = backoff
        self._clock = clock
        self._monotonic = monotonic
        self._beat_at = monotonic()
        self._pause = idle_seconds
        self._failures = 0
        self._problem: Problem | None = None
        self._stop, self._awake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        """No further step."""
        self._stop.set()
        self._awake.set()

    def wake(self) -> None:
        """There is something to do: end the pause after an idle step. After a failure the pause goes on."""
        if self._problem is None:
            self._awake.set()

    def join(self, seconds: float | None = None) -> None:
        """Wait for the last step to end."""
        self._thread.join(seconds)

    def beat(self) -> None:
        """It is alive."""
        self._beat_at = self._monotonic()

    @property
    def hung(self) -> bool:
        """No beat for too long: nothing but a new process helps."""
        return self._monotonic() - self._beat_at > self._hung_seconds + self._pause

    @property
    def problem(self) -> Problem | None:
        """Why it does not do its work."""
        if self.hung:
            seconds = round(self._monotonic() - self._beat_at)
            return Problem(f"task {self.name}", f"{self.name} has not answered for {seconds} s", SEE)
        return self._problem

    def _run(self) -> None:
        _CURRENT.task = self
        while not self._stop.is_set():
            try:
                idle = not self._step()
            except BaseException as error:  # noqa: BLE001 - whatever it is: a thread that ends is not seen
                self._failed(error)
                self._pause = self._backoff.delay(self._failures)
            else:
                self._worked()
                self._pause = self._idle_seconds if idle else 0.0
            self.beat()
            if self._pause:
                self._awake.wait(self._pause)
            self._awake.clear()

    def _failed(self, error: BaseException) -> None:
        words = words_of(error)
        since = self._problem.since if self._problem else self._clock()
        self._failures += 1
        self._problem = Problem(f"task {self.name}", f"{self.name} fails: {words}", SEE, since=since)
        logs.error("task failed", task=self.name, error=words, failures=self._failures)

    def _worked(self) -> None:
        if self._problem is not None:
            logs.info("task works again", task=self.name, failures=self._failures)
        self._failures, self._problem = 0, None
