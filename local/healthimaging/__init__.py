"""An AWS HealthImaging that fits on a laptop. See README.md in this folder."""

from .clock import Clock, ManualClock, SystemClock
from .emulator import HealthImaging
from .errors import ServiceError
from .faults import EventFault, FailCall, JobFault, RefuseInstance, SlowCall
from .server import Server, serve
from .settings import Behaviour, Limits, Rate, Settings, Timing

__all__ = [
    "Behaviour",
    "Clock",
    "EventFault",
    "FailCall",
    "HealthImaging",
    "JobFault",
    "Limits",
    "ManualClock",
    "Rate",
    "RefuseInstance",
    "Server",
    "ServiceError",
    "Settings",
    "SlowCall",
    "SystemClock",
    "Timing",
    "serve",
]
