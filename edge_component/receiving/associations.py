"""The associations that are open now, and what the journal is told of them."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from typing import Protocol

from edge_component.dimse.admission import Applicant, Rejection, max_connections, rejection
from edge_component.journal.rows import AssociationRow
from edge_component.running import logs
from edge_component.running.clock import SYSTEM_CLOCK, Clock
from edge_component.settings import Settings


class AssociationJournal(Protocol):
    """What is written of associations."""

    def heard(self, calling_ae: str) -> None:
        """An application entity opened an association."""
        ...

    def close_association(self, association: str, *, aborted: bool) -> None:
        """It is over."""
        ...


class Associations:
    """Counts connections and associations; every refusal is counted by its reason and logged once."""

    def __init__(self, settings: Settings, journal: AssociationJournal, clock: Clock = SYSTEM_CLOCK) -> None:
        self._settings = settings
        self._journal = journal
        self._clock = clock
        self._lock = threading.Lock()
        self._connections = 0
        self._open: dict[str, AssociationRow] = {}
        self.rejections: Counter[str] = Counter()
        self.accepted = 0
        self.congested: Rejection | None = None
        self.draining: Rejection | None = None
        """Each, while it is set, is what every new association is rejected with."""

    @property
    def open(self) -> int:
        """Associations that are established."""
        with self._lock:
            return len(self._open)

    def connected(self, peer: str) -> bool:
        """A connection has come; False where there are too many to read even one PDU from it."""
        with self._lock:
            self._connections += 1
            crowded = self._connections > max_connections(self._settings)
        if crowded:
            self._rejected("too many connections", peer)
        return not crowded

    def disconnected(self) -> None:
        """A connection is gone."""
        with self._lock:
            self._connections -= 1

    def admit(self, applicant: Applicant) -> AssociationRow | Rejection:
        """The row of a new association, or why there will be none."""
        with self._lock:
            established = Counter(row.peer for row in self._open.values())
            refused = self.draining or self.congested or rejection(self._settings, applicant, established)
            if refused is None:
                row = AssociationRow(
                    uuid.uuid4().hex, applicant.calling_ae, applicant.called_ae, applicant.peer, self._clock()
                )
                self._open[row.association] = row
                self.accepted += 1
        if refused is not None:
            self._rejected(refused.reason, applicant.peer, applicant.calling_ae, applicant.called_ae)
            return refused
        self._journal.heard(row.calling_ae)
        return row

    def over(self, row: AssociationRow, *, aborted: bool) -> None:
        """An association has ended."""
        with self._lock:
            self._open.pop(row.association)
        self._journal.close_association(row.association, aborted=aborted)

    def _rejected(
        self, reason: str, peer: str, calling_ae: str | None = None, called_ae: str | None = None
    ) -> None:
        self.rejections[reason] += 1
        logs.warning(
            "association rejected", reason=reason, peer=peer, calling_ae=calling_ae, called_ae=called_ae
        )
