"""A stack on AWS as the source of the console: the same data as the verbs, for the same credentials."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dicom_ingest.db.server.connection import Connection
from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.state.slots import semaphores
from ops.targets.target import Target

KEPT_SECONDS = 15.0
"""An edge says something every five minutes, and the pages ask every two seconds."""


class TargetSource:
    """See `console.run.source.Source`. Threads may use it at once."""

    def __init__(self, target: Target, viewer_url: str | None = None) -> None:
        self.viewer_url = viewer_url.rstrip("/") if viewer_url else None
        self.send_to = None
        self.name = target.name
        self.note = f"{target.name[:1].upper()}{target.name[1:]}, with your own credentials. Times are UTC."
        self.who = target.who()
        self.stack, self.bucket = target.stack, target.bucket
        self.state_machine_arn = target.state_machine_arn
        stores = semaphores(target.index)
        self.datastore_id: str | None = stores[0]["datastore_id"] if stores else None
        self._target = target
        self._clients = threading.Lock()
        self._edges = Kept(target.edges_say)
        self._held = Kept(lambda: target.edges_hold(""))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The Data API keeps no session: all requests share it."""
        yield self._target.index

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Every statement commits by itself."""
        yield self._target.open_writer()

    def client(self, service: str) -> Any:
        """A boto3 client; a session is not safe in threads, its clients are."""
        with self._clients:
            return self._target.client(service)

    def edges(self) -> list[Row]:
        """The newest heartbeat of every edge."""
        return self._edges()

    def held(self, term: str) -> list[Row]:
        """Series that an edge held when it last said so."""
        found = self._held()
        names = ("study_instance_uid", "series_instance_uid", "transfer_id", "calling_ae")
        return [
            row
            for row in found
            if not term or "trouble" in row or any((row[name] or "").startswith(term) for name in names)
        ]

    def grant(self) -> None:
        """Invoke the function that runs the grant step."""
        with self._clients:
            self._target.client("lambda")
        self._target.grant()

    def close(self) -> None:
        """The target's clients are closed with the target."""


class Kept:
    """An answer that is kept for some seconds. Threads may ask at once."""

    def __init__(self, ask: Callable[[], list[Row]], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._clock = ask, clock
        self._lock = threading.Lock()
        self._known: tuple[float, list[Row]] | None = None

    def __call__(self) -> list[Row]:
        """The answer, asked for again once it is old."""
        with self._lock:
            now = self._clock()
            if self._known is None or now - self._known[0] > KEPT_SECONDS:
                self._known = (now, self._ask())
            return self._known[1]
