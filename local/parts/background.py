"""A thread that repeats one thing until it is stopped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from local.clients.invoke import FunctionFailedError

LOG = logging.getLogger(__name__)
RETRY_SECONDS = 0.5
TRANSIENT = (BotoCoreError, ClientError, FunctionFailedError)


class Background:
    """Calls `work` repeatedly, `pause_seconds` apart.

    An AWS call or a function that fails is logged and tried again at the next turn; any other error ends
    the thread and stays in `error`, where the runtime's watch finds it.
    """

    def __init__(self, name: str, work: Callable[[], None], pause_seconds: float = 0) -> None:
        self.name = name
        self.error: BaseException | None = None
        self._work = work
        self._pause = pause_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def tell(self) -> None:
        """Let the current turn be the last."""
        self._stopped.set()

    def stop(self) -> None:
        """Finish the current turn and end."""
        self.tell()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._pause):
            try:
                self._work()
            except TRANSIENT as error:
                if not self._stopped.is_set():
                    LOG.warning("%s: trying again: %s", self.name, error)
                self._stopped.wait(RETRY_SECONDS)
            except BaseException as error:
                self.error = error
                raise
