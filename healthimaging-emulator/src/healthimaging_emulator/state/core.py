"""What every operation works on: one value, passed explicitly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..service.clock import Clock
from ..service.settings import Settings
from .background import Background
from .events import Events
from .faults import Faults
from .store import Store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Request = dict[str, Any]
Answer = dict[str, Any]


@dataclass
class Core:
    """State, time, S3 and the rest; `settings` may be replaced at any time."""

    settings: Settings
    clock: Clock
    store: Store
    s3: S3Client
    events: Events
    faults: Faults
    background: Background
    work: threading.Semaphore
    """Held while an import reads files."""

    def datastore_arn(self, datastore_id: str) -> str:
        """The data store's ARN."""
        return (
            f"arn:aws:medical-imaging:{self.settings.region}:{self.settings.account}:datastore/{datastore_id}"
        )

    def image_set_arn(self, datastore_id: str, image_set_id: str) -> str:
        """The image set's ARN."""
        return f"{self.datastore_arn(datastore_id)}/imageset/{image_set_id}"


Operation = Callable[[Core, Request], Answer]
