"""What a connection is given: what its process shares, and a desk that asks the edge."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edge_component.dimse.admission import Applicant, Rejection
from edge_component.dimse.codec import Identity
from edge_component.dimse.limits import Limits
from edge_component.receiving.readers.messages import Action, Admission
from edge_component.receiving.readers.pace import Memory, Pace
from edge_component.receiving.store import Store


class Desk(Protocol):
    """What a connection asks the edge for."""

    def admit(self, applicant: Applicant, /) -> Admission | Rejection:
        """Whether the association is welcome.

        Raises:
            OSError: the edge is gone.
        """
        ...

    def act(self, action: Action, /) -> int:
        """The status of an N-ACTION.

        Raises:
            OSError: the edge is gone.
        """
        ...

    def reported(self, status: int | None, /) -> None:
        """How the peer answered a report."""
        ...

    def delayed(self) -> None:
        """An answer waits: the spool fills, and the sender is a `bulk` one."""
        ...


@dataclass
class Services:
    """What the connections of a process share."""

    store: Store
    limits: Limits
    identity: Identity
    tls: Callable[[], ssl.SSLContext | None]
    pace: Pace
    memory: Memory
    sleep: Callable[[float], None] = time.sleep
    """Waits before an answer to a `bulk` sender."""
