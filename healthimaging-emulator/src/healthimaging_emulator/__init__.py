"""An AWS HealthImaging that fits on a laptop. README: what it answers, and how faithfully."""

from .adapter import Proxy
from .client import client, s3_client
from .emulator import HealthImaging
from .server import Server, serve
from .service.clock import Clock, ManualClock, SystemClock
from .service.errors import ServiceError
from .service.settings import Behaviour, Limits, Rate, Settings, Timing
from .stand import ImportJob, Stand
from .state.faults import EventFault, FailCall, Faults, JobFault, RefuseInstance, SlowCall

__all__ = [
    "Behaviour",
    "Clock",
    "EventFault",
    "FailCall",
    "Faults",
    "HealthImaging",
    "ImportJob",
    "JobFault",
    "Limits",
    "ManualClock",
    "Proxy",
    "Rate",
    "RefuseInstance",
    "Server",
    "ServiceError",
    "Settings",
    "SlowCall",
    "Stand",
    "SystemClock",
    "Timing",
    "client",
    "s3_client",
    "serve",
]
