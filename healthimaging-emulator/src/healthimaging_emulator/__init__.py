"""An AWS HealthImaging that fits on a laptop. See README.md in this folder."""

from .emulator import HealthImaging
from .server import Server, serve
from .service.clock import Clock, ManualClock, SystemClock
from .service.errors import ServiceError
from .service.settings import Behaviour, Limits, Rate, Settings, Timing
from .state.faults import EventFault, FailCall, JobFault, RefuseInstance, SlowCall

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
