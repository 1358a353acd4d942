"""What connections and reader processes need of what is around them."""

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
from edge_component.receiving.readers.space import LargeBuffers
from edge_component.receiving.store import Store
from edge_component.records.rows import AssociationRow, InstanceRow


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

    def __post_init__(self) -> None:
        self.buffers = LargeBuffers(self.limits)


Heal = Callable[[str], object]
"""Takes care of what a dead reader has stored and not said, by how its files' names begin."""


class Rows(Protocol):
    """Who writes rows down (`journal.intake.Intake`)."""

    def ready(self) -> None:
        """Raises JournalError if no more can be taken now."""
        ...

    def add_instance(self, sender: AssociationRow, row: InstanceRow, /) -> None:
        """Take one."""
        ...

    def seal(self, segment: str, records: int) -> None:
        """All of a segment's rows have been taken."""
        ...

    def refused(self, code: int, calling_ae: str = "", reason: str = "") -> None:
        """Count a failure status: of this sender, for this reason."""
        ...


class EdgeDesk(Protocol):
    """What connections ask for, with the number of each (`receiving.desk.Desk`)."""

    def admit(self, connection: int, applicant: Applicant, /) -> Admission | Rejection:
        """Whether an association is welcome."""
        ...

    def act_later(self, connection: int, action: Action, answer: Callable[[int], None], /) -> None:
        """An N-ACTION; its status is told to `answer`."""
        ...

    def reported(self, connection: int, status: int | None, /) -> None:
        """How a report was answered."""
        ...

    def delayed(self, connection: int, /) -> None:
        """An answer to this connection waits."""
        ...

    def left(self, connection: int, *, aborted: bool, reason: str) -> None:
        """A connection is over."""
        ...
