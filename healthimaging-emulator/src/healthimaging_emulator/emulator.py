"""The emulator as an object: every operation as a call, without sockets."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from .datastores import datastores
from .dicomweb import application
from .dicomweb.call import Call
from .image_sets import deletions, writes
from .imports import run_import
from .operations import OPERATIONS
from .service import validation
from .service.clock import Clock, SystemClock
from .service.errors import ServiceError
from .service.model import service_model
from .service.settings import Settings
from .service.throttle import Throttle
from .service.wire import HttpAnswer
from .state.background import Background
from .state.core import Answer, Core, Request
from .state.events import Events, Publish
from .state.faults import FailCall, Faults, SlowCall
from .state.store import Store

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
        fault = self._admit(operation)
        shape = service_model().operation_model(operation).input_shape
        if shape is not None:
            validation.check(shape, request)
        answer = OPERATIONS[operation](self._core, request)
        if fault is not None:
            raise ServiceError(fault.error, fault.message)
        return answer

    def _admit(self, operation: str) -> FailCall | None:
        """Delay, throttle and fail as it was asked for; a fault that comes after the work is returned."""
        slow = self.faults.take(SlowCall, lambda f: f.operation in ("*", operation))
        if slow is not None:
            self._core.background.wait(slow.seconds)
        self._throttle.admit(operation, self.settings.limits.rates.get(operation))
        fault = self.faults.take(FailCall, lambda f: f.operation in ("*", operation))
        if fault is not None and fault.when == "before":
            raise ServiceError(fault.error, fault.message)
        return fault

    def dicomweb(self, call: Call) -> HttpAnswer:
        """One DICOMweb request, as the service would answer it."""
        return application.answer(self._core, self._admit, call)

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
