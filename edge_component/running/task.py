"""A thread that does one thing again and again, and ends the process rather than stop unseen."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edge_component.running import logs


class Loop:
    """Calls `step` until told to stop; waits `idle_seconds` when a step had nothing to do."""

    def __init__(
        self, name: str, step: Callable[[], bool], idle_seconds: float, failed: threading.Event
    ) -> None:
        self._step = step
        self._idle_seconds = idle_seconds
        self._failed = failed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """No further step."""
        self._stop.set()

    def join(self, seconds: float | None = None) -> None:
        """Wait for the last step to end."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if not self._step():
                    self._stop.wait(self._idle_seconds)
        except BaseException:
            logs.LOGGER.exception("loop failed", extra={"facts": {"loop": self._thread.name}})
            self._failed.set()
            raise
