"""Threads for asynchronous work, all of which end when the emulator closes."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..service.clock import Clock


class Closing(Exception):  # noqa: N818 - not an error: it unwinds a thread when the emulator closes
    """Raised inside background work when the emulator closes."""


class Background:
    """Starts background work and waits for it at the end."""

    def __init__(self, clock: Clock) -> None:
        self.stop = threading.Event()
        self._clock = clock
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Runs `work` in a thread of its own."""
        thread = threading.Thread(target=self._run, args=(work,), name=f"healthimaging-{name}", daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Closing:
            pass  # what was begun is taken up again at the next start
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def wait(self, seconds: float) -> None:
        """Lets modelled time pass; raises Closing."""
        if seconds > 0:
            self._clock.wait(seconds, self.stop)
        self.check()

    def wait_until(self, moment: float) -> None:
        """Lets modelled time pass up to a moment; raises Closing."""
        self.wait(moment - self._clock.now())

    def check(self) -> None:
        """Raises Closing when the emulator closes."""
        if self.stop.is_set():
            raise Closing

    def after(self, seconds: float, name: str, work: Callable[[], None]) -> None:
        """Runs `work` when the time has passed; at once, in this thread, for no time at all."""
        if seconds <= 0:
            work()
            return

        def later() -> None:
            self.wait(seconds)
            work()

        self.start(name, later)

    def close(self) -> None:
        """Stops and joins all threads."""
        self.stop.set()
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()
