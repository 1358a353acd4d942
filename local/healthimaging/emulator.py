"""The emulator as an object: every operation as a call, without sockets."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from . import datastores, deletions, run_import, validation, writes
from .background import Background
from .clock import Clock, SystemClock
from .core import Answer, Core, Request
from .errors import ServiceError
from .events import Events, Publish
from .faults import FailCall, Faults, SlowCall
from .model import service_model
from .operations import OPERATIONS
from .settings import Settings
from .store import Store
from .throttle import Throttle

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class HealthImaging:
    """An AWS HealthImaging of one account and Region; a context manager that ends its threads on exit.

    `s3` reads input and writes output, `publish` receives EventBridge entries.
    """

    def __init__(
        self,
        s3: S3Client,
        settings: Settings | None = None,
        clock: Clock | None = None,
        publish: Publish | None = None,
    ) -> None:
        settings = settings or Settings()
        clock = clock or SystemClock()
        store = Store(settings.state_dir)  # first: it may refuse
        self.faults = Faults()
        self.events = Events(publish, self.faults)
        self._throttle = Throttle(clock)
        self._core = Core(
            settings=settings,
            clock=clock,
            store=store,
            s3=s3,
            events=self.events,
            faults=self.faults,
            background=Background(clock),
            work=threading.BoundedSemaphore(settings.workers),
        )
        datastores.resume(self._core)
        writes.resume(self._core)
        deletions.resume(self._core)
        run_import.resume(self._core)

    @property
    def settings(self) -> Settings:
        """The settings in force; assign others to change limits, timing and behaviour while it runs."""
        return self._core.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._core.settings = settings

    @property
    def folder(self) -> Path:
        """Where the state is."""
        return self._core.store.folder

    def ensure_datastore(self, name: str, datastore_id: str | None = None) -> str:
        """The id of an ACTIVE data store, made when there is none of that name (or id)."""
        return datastores.ensure_datastore(self._core, name, datastore_id)

    def call(self, operation: str, request: Request) -> Answer:
        """One operation, as the service would answer it; raises ServiceError."""
        slow = self.faults.take(SlowCall, lambda f: f.operation in ("*", operation))
        if slow is not None:
            self._core.background.wait(slow.seconds)
        self._throttle.admit(operation, self.settings.limits.rates.get(operation))
        fault = self.faults.take(FailCall, lambda f: f.operation in ("*", operation))
        if fault is not None and fault.when == "before":
            raise ServiceError(fault.error, fault.message)
        shape = service_model().operation_model(operation).input_shape
        if shape is not None:
            validation.check(shape, request)
        answer = OPERATIONS[operation](self._core, request)
        if fault is not None:
            raise ServiceError(fault.error, fault.message)
        return answer

    def close(self) -> None:
        """Ends all work; what was running goes on at the next start from the same state folder."""
        self._core.background.close()
        self.events.close()
        self._core.store.close()

    def __enter__(self) -> HealthImaging:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
