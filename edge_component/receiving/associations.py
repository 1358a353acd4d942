"""The connections and associations that are open now, their limits, and what the journal is told of them."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edge_component.dimse.admission import (
    Applicant,
    Rejection,
    max_connections,
    max_connections_of_peer,
    may_connect,
    rejection,
)
from edge_component.receiving.descriptors import descriptors
from edge_component.receiving.readers.messages import Admission, Report
from edge_component.records.rows import AssociationRow
from edge_component.running import logs
from edge_component.running.clock import SYSTEM_CLOCK, Clock
from edge_component.settings import Settings

CROWDED = "too many connections"
CROWDED_SECONDS = 0.003
NETWORK = "network not allowed"
UNKNOWN_CONNECTION = Rejection(2, 3, 1, "connection given up")


class AssociationJournal(Protocol):
    """What is written of associations."""

    def heard(self, calling_ae: str) -> None:
        """An application entity opened an association."""
        ...

    def close_association(self, association: str, *, aborted: bool) -> None:
        """It is over."""
        ...


class Served(Protocol):
    """A connection that is being served, here or by a reader."""

    def drop(self, *, abort: bool) -> None:
        """End it: with an A-ABORT where there is an association, else at once."""
        ...

    def report(self, report: Report) -> bool:
        """Send an N-EVENT-REPORT; False: it cannot be."""
        ...


@dataclass
class Visitor:
    """A connection, from accept to its end. `row`: once it is an association."""

    number: int
    peer: str
    row: AssociationRow | None = None
    served: Served | None = None
    dropped: bool = False


class Associations:
    """Counts connections and associations; every refusal is counted by its reason and logged once.

    A connection that has said nothing yet is worth less than a new one: where there are too many, the oldest
    of these goes. So silent connections do not keep anybody out.
    """

    def __init__(
        self,
        settings: Settings,
        journal: AssociationJournal,
        clock: Clock = SYSTEM_CLOCK,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._bulk_aes = settings.bulk_aes
        self._sleep = sleep
        self._journal = journal
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._visitors: dict[int, Visitor] = {}
        self._connections: Counter[str] = Counter()
        self._waiting: defaultdict[str, dict[int, Visitor]] = defaultdict(dict)
        """Connections that are no association yet, by peer, the oldest first."""
        self._established: Counter[str] = Counter()
        self.rejections: Counter[str] = Counter()
        self.accepted = 0
        self.most_connections = min(max_connections(settings), descriptors())
        self.congested: Rejection | None = None
        self.draining: Rejection | None = None
        """Each, while it is set, is what every new association is rejected with."""
        self.congested_bulk: Rejection | None = None
        """The same for `bulk` senders."""
        self.answers_delayed: Counter[str] = Counter()
        self.bulk_rejected: Counter[str] = Counter()
        """By `bulk` sender."""

    @property
    def open(self) -> int:
        """Associations that are established."""
        return self._established.total()

    @property
    def connections(self) -> int:
        """All of them, associations included."""
        return self._connections.total()

    def limits(self) -> dict[str, int]:
        """What there may be at once."""
        return {
            "max_associations": self._settings.max_associations,
            "max_associations_per_peer": self._settings.max_associations_per_peer,
            "max_connections": self.most_connections,
            "max_connections_per_peer": max_connections_of_peer(self._settings),
        }

    def arrived(self, peer: str) -> Visitor | None:
        """A connection was accepted; None: close it unread.

        Where there are too many it takes a moment: those that are served have time to send their request.
        """
        if not may_connect(peer, self._settings.networks):
            self._rejected(NETWORK, peer)
            return None
        with self._lock:
            given_up = self._make_room(peer)
            visitor = None
            if given_up is not None or not self._crowded(peer):
                visitor = Visitor(next(self._numbers), peer)
                self._visitors[visitor.number] = visitor
                self._waiting[peer][visitor.number] = visitor
                self._connections[peer] += 1
        if given_up is not None or visitor is None:
            self._rejected(CROWDED, peer if given_up is None else given_up.peer)
            self._sleep(CROWDED_SECONDS)
        if given_up is not None and given_up.served is not None:
            given_up.served.drop(abort=False)
        return visitor

    def served(self, visitor: Visitor, by: Served) -> None:
        """Who serves a connection."""
        with self._lock:
            visitor.served = by
            dropped = visitor.dropped
        if dropped:
            by.drop(abort=False)

    def admit(self, number: int, applicant: Applicant) -> Admission | Rejection:
        """The row of a new association, or why there will be none."""
        with self._lock:
            visitor = self._visitors.get(number)
            if visitor is None or visitor.dropped:
                return UNKNOWN_CONNECTION
            bulk = applicant.calling_ae in self._bulk_aes
            refused = (
                self.draining
                or self.congested
                or rejection(self._settings, applicant, self._established)
                or (self.congested_bulk if bulk else None)
            )
            if refused is None:
                visitor.row = AssociationRow(
                    uuid.uuid4().hex, applicant.calling_ae, applicant.called_ae, applicant.peer, self._clock()
                )
                self._no_longer_waits(visitor)
                self._established[visitor.peer] += 1
                self.accepted += 1
        if refused is not None:
            self._rejected(refused.reason, applicant.peer, applicant.calling_ae, applicant.called_ae)
            if refused is self.congested_bulk:
                self.bulk_rejected[applicant.calling_ae] += 1
            return refused
        assert visitor.row is not None  # noqa: S101 - just made
        self._journal.heard(applicant.calling_ae)
        sender = self._settings.sender(applicant.calling_ae)
        return Admission(visitor.row, sender.prefer if sender is not None else "as_proposed", bulk)

    def delayed(self, number: int) -> None:
        """An answer to this connection waits."""
        with self._lock:
            visitor = self._visitors.get(number)
            if visitor is not None and visitor.row is not None:
                self.answers_delayed[visitor.row.calling_ae] += 1

    def left(self, number: int, *, aborted: bool, reason: str) -> Visitor | None:
        """A connection is over; None: that was known."""
        with self._lock:
            visitor = self._visitors.pop(number, None)
            if visitor is None:
                return None
            if not visitor.dropped:
                _less(self._connections, visitor.peer)
            self._no_longer_waits(visitor)
            if visitor.row is not None:
                _less(self._established, visitor.peer)
        if visitor.row is not None:
            row = visitor.row
            facts = {"association": row.association, "calling_ae": row.calling_ae, "peer": row.peer}
            if aborted:
                logs.warning("association aborted", **facts, reason=reason)
            else:
                logs.info("association released", **facts)
            self._journal.close_association(row.association, aborted=aborted)
        return visitor

    def of(self, association: str) -> Visitor | None:
        """The connection of an association; None: it is over."""
        with self._lock:
            found = (v for v in self._visitors.values() if v.row and v.row.association == association)
            return next(found, None)

    def abort(self) -> None:
        """End all that are open."""
        with self._lock:
            visitors = list(self._visitors.values())
        for visitor in visitors:
            if visitor.served is not None:
                visitor.served.drop(abort=visitor.row is not None)

    def _crowded(self, peer: str) -> bool:
        return (
            self._connections[peer] >= max_connections_of_peer(self._settings)
            or self._connections.total() >= self.most_connections
        )

    def _make_room(self, peer: str) -> Visitor | None:
        """The oldest connection that is no association, of this peer if its own are too many, goes."""
        if not self._crowded(peer):
            return None
        if self._connections[peer] >= max_connections_of_peer(self._settings):
            waiting = self._waiting.get(peer)
        else:
            waiting = max(self._waiting.values(), key=len, default=None)
        if not waiting:
            return None
        visitor = next(iter(waiting.values()))
        visitor.dropped = True
        self._no_longer_waits(visitor)
        _less(self._connections, visitor.peer)
        return visitor

    def _no_longer_waits(self, visitor: Visitor) -> None:
        waiting = self._waiting[visitor.peer]
        waiting.pop(visitor.number, None)
        if not waiting:
            del self._waiting[visitor.peer]

    def _rejected(
        self, reason: str, peer: str, calling_ae: str | None = None, called_ae: str | None = None
    ) -> None:
        self.rejections[reason] += 1
        logs.warning(
            "association rejected", reason=reason, peer=peer, calling_ae=calling_ae, called_ae=called_ae
        )


def _less(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
