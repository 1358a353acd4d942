"""Faults on demand: each is used `times` times (None: until cleared), then gone.

FailCall    an operation answers with an error, before or after it took effect
SlowCall    an operation answers late
JobFault    an import gets stuck, fails, refuses every file, or its output is missing or late
RefuseInstance  one SOP instance is refused
EventFault  an event is dropped, doubled or delivered after the next one
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from ..service.model import DICOMWEB_OPERATIONS, operation_names, service_model


class _Fault(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)
    times: int | None = Field(default=1, ge=1)


def _known_operation(name: str) -> str:
    known = (*operation_names(), *DICOMWEB_OPERATIONS)
    if name != "*" and name not in known:
        raise ValueError(f"operation {name!r} is unknown; allowed: *, {', '.join(known)}")
    return name


class FailCall(_Fault):
    """The next calls of an operation fail with a modelled error."""

    kind: Literal["fail_call"] = "fail_call"
    operation: str
    error: str
    message: str = "Injected fault"
    when: Literal["before", "after"] = "before"
    """after: the operation took effect, but its answer is lost."""

    _operation = field_validator("operation")(_known_operation)

    @field_validator("error")
    @classmethod
    def _known_error(cls, name: str) -> str:
        known = [shape.name for shape in service_model().error_shapes]
        if name not in known:
            raise ValueError(f"error {name!r} is unknown; allowed: {', '.join(known)}")
        return name


class SlowCall(_Fault):
    """The next calls of an operation ("*": of any) wait before they are answered."""

    kind: Literal["slow_call"] = "slow_call"
    operation: str = "*"
    seconds: float = Field(ge=0)

    _operation = field_validator("operation")(_known_operation)


class JobFault(_Fault):
    """The next import jobs (of a name, when given) go wrong."""

    kind: Literal["job"] = "job"
    effect: Literal["stuck", "fail", "refuse_all", "no_manifest", "late_manifest"]
    job_name: str | None = None
    message: str = "DICOM import job has failed. INTERNAL_SERVER_ERROR"
    """Of the failed job, or of each refused file."""
    seconds: float = Field(default=5, ge=0)
    """How late a late manifest is."""


class RefuseInstance(_Fault):
    """A SOP instance is refused when it is imported."""

    kind: Literal["refuse_instance"] = "refuse_instance"
    sop_instance_uid: str
    exception_type: str = "InternalServerException"
    message: str = "Internal server error"


class EventFault(_Fault):
    """The next events (of a detail type, when given) are not delivered as they should."""

    kind: Literal["event"] = "event"
    effect: Literal["drop", "double", "reorder"]
    detail_type: str | None = None


AnyFault = Annotated[
    FailCall | SlowCall | JobFault | RefuseInstance | EventFault, Field(discriminator="kind")
]
FAULT: TypeAdapter[FailCall | SlowCall | JobFault | RefuseInstance | EventFault] = TypeAdapter(AnyFault)

F = TypeVar("F", bound=_Fault)


class Faults:
    """The faults that wait to happen, oldest first, and the jobs that are stuck."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[_Fault] = []
        self._stuck: set[str] = set()

    def add(self, fault: FailCall | SlowCall | JobFault | RefuseInstance | EventFault) -> None:
        """Arms a fault."""
        with self._changed:
            self._waiting.append(fault.model_copy())

    def armed(self) -> list[_Fault]:
        """What still waits to happen."""
        with self._changed:
            return [fault.model_copy() for fault in self._waiting]

    def take(self, kind: type[F], matches: Callable[[F], bool]) -> F | None:
        """The oldest matching fault, used once."""
        with self._changed:
            for fault in self._waiting:
                if isinstance(fault, kind) and matches(fault):
                    self._use(fault)
                    return fault
        return None

    def _use(self, fault: _Fault) -> None:
        if fault.times == 1:
            self._waiting.remove(fault)
        elif fault.times is not None:
            fault.times -= 1

    def clear(self) -> None:
        """Disarms everything and lets stuck jobs go on."""
        with self._changed:
            self._waiting.clear()
            self._stuck.clear()
            self._changed.notify_all()

    def hold(self, job_id: str, stop: threading.Event) -> None:
        """Keeps a stuck job until it is released or `stop` is set."""
        with self._changed:
            self._stuck.add(job_id)
            while job_id in self._stuck and not stop.is_set():
                self._changed.wait(0.1)  # short, so that a stop is seen without a second signal

    def stuck(self) -> list[str]:
        """The ids of the jobs that are stuck."""
        with self._changed:
            return sorted(self._stuck)

    def release(self, job_id: str) -> bool:
        """Lets a stuck job go on; False when it is not stuck."""
        with self._changed:
            was_stuck = job_id in self._stuck
            self._stuck.discard(job_id)
            self._changed.notify_all()
            return was_stuck
