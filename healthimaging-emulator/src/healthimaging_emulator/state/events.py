"""EventBridge events of the service (developer guide, "Using Amazon EventBridge with HealthImaging")."""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .faults import EventFault, Faults

SOURCE = "aws.medical-imaging"
KEPT = 10_000
RETRY_SECONDS = 1.0

Entry = dict[str, Any]
Publish = Callable[[list[Entry]], object]
"""Takes PutEvents entries; a botocore error means: try again."""

log = logging.getLogger(__name__)


class Events:
    """Delivers events in order, by a thread of its own, and remembers the latest."""

    def __init__(self, publish: Publish | None, faults: Faults) -> None:
        self._publish = publish
        self._faults = faults
        self._lock = threading.Lock()
        self._sent: deque[Entry] = deque(maxlen=KEPT)
        self._overtaken: list[Entry] = []
        self._queue: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._deliver, name="healthimaging-events", daemon=True)
        self._thread.start()

    def put(self, detail_type: str, resource: str, at: float, detail: dict[str, Any]) -> None:
        """One event; `imagingVersion` is added as the service does."""
        entry: Entry = {
            "Source": SOURCE,
            "DetailType": detail_type,
            "Resources": [resource],
            "Time": datetime.fromtimestamp(at, timezone.utc),
            "Detail": json.dumps({"imagingVersion": "1.0", **detail}),
        }
        fault = self._faults.take(EventFault, lambda f: f.detail_type in (None, detail_type))
        with self._lock:
            for each in self._arranged(entry, fault.effect if fault else None):
                self._sent.append(each)
                self._queue.put(each)

    def _arranged(self, entry: Entry, effect: str | None) -> list[Entry]:
        if effect == "drop":
            return []
        if effect == "reorder":
            self._overtaken.append(entry)
            return []
        overtaken, self._overtaken = self._overtaken, []
        return [entry] * (2 if effect == "double" else 1) + overtaken

    def sent(self) -> list[Entry]:
        """The latest events, oldest first."""
        with self._lock:
            return list(self._sent)

    def close(self) -> None:
        """Delivers what is queued, once, and ends."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join()

    def _deliver(self) -> None:
        while (entry := self._queue.get()) is not None:
            if self._publish is not None:
                self._deliver_one(self._publish, entry)

    def _deliver_one(self, publish: Publish, entry: Entry) -> None:
        while True:
            try:
                publish([entry])
            except (BotoCoreError, ClientError):
                log.exception("event not delivered", extra={"detail_type": entry["DetailType"]})
            else:
                return
            if self._closing.wait(RETRY_SECONDS):
                return
