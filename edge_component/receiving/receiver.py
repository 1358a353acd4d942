"""The ports of the edge: who connects is counted and lent to a reader, or served here where there is none."""

from __future__ import annotations

import socket
import threading
from typing import Protocol

from edge_component.dimse.admission import CONGESTED, CONGESTED_BULK, DRAINING, Applicant, Rejection
from edge_component.dimse.codec import Identity
from edge_component.dimse.limits import Limits
from edge_component.receiving.associations import Associations, Served, Visitor
from edge_component.receiving.certificates import Certificates
from edge_component.receiving.desk import Desk
from edge_component.receiving.listener import Listener
from edge_component.receiving.pressure import Pressures
from edge_component.receiving.readers.connection import Connection
from edge_component.receiving.readers.interfaces import Services
from edge_component.receiving.readers.messages import Action, Admission, Loan
from edge_component.receiving.readers.pace import Memory, Pace
from edge_component.receiving.store import Store
from edge_component.records.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from edge_component.running.startup import naming
from edge_component.settings import Settings


class Lender(Protocol):
    """Who serves connections in other processes (`readers.pool.Readers`)."""

    def lend(self, connection: socket.socket, loan: Loan) -> Served | None:
        """None: no reader is there to take it."""
        ...


class Receiver:
    """Listens, counts, lends."""

    def __init__(
        self, settings: Settings, store: Store, associations: Associations, desk: Desk, readers: Lender
    ) -> None:
        self._settings = settings
        self._associations = associations
        self._desk = desk
        self._readers = readers
        self._certificates = Certificates(settings)
        self._services = Services(
            store,
            Limits(settings.max_pdu_bytes, settings.association_timeout, settings.network_timeout),
            Identity(IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME),
            self._certificates.context,
            Pace(),
            Memory(),
        )
        self._listeners: dict[str, Listener] = {}

    def listen(self) -> None:
        """Open the ports.

        Raises:
            StartError: a port is taken or not allowed.
        """
        plain = self._settings.dicom_port if self._settings.plain_dicom else None
        for name, port in (("dicom_port", plain), ("tls_port", self._settings.tls_port)):
            if port is not None:
                with naming(name, f"{port} on {self._settings.bind}"):
                    self._listeners[name] = self._listener(port, tls=name == "tls_port")
        for listener in self._listeners.values():
            listener.start()

    @property
    def ports(self) -> dict[str, int]:
        """The ports that are listened on: `dicom_port`, `tls_port`."""
        return {name: listener.port for name, listener in self._listeners.items()}

    @property
    def alive(self) -> bool:
        """Whether all ports are being listened on."""
        return all(listener.alive for listener in self._listeners.values())

    def congested(self, pressures: Pressures) -> None:
        """Reject new associations of those from whom nothing is taken."""
        self._associations.congested = CONGESTED if pressures.live.refusal else None
        self._associations.congested_bulk = CONGESTED_BULK if pressures.bulk.refusal else None

    def close(self) -> None:
        """Accept no new association, for good."""
        self._associations.draining = DRAINING
        for listener in self._listeners.values():
            listener.close()

    def abort(self) -> None:
        """End the associations that are still open."""
        self._associations.abort()

    def _listener(self, port: int, *, tls: bool) -> Listener:
        return Listener(
            (self._settings.bind, port), lambda connection, peer: self._arrived(connection, peer, tls=tls)
        )

    def _arrived(self, connection: socket.socket, peer: str, *, tls: bool) -> None:
        visitor = self._associations.arrived(peer)
        if visitor is None:
            return
        loan = Loan(visitor.number, peer, tls)
        try:
            served = self._readers.lend(connection, loan) or self._serve(connection, visitor, tls=tls)
        except Exception as error:
            self._desk.left(visitor.number, aborted=True, reason=type(error).__name__)
            raise
        self._associations.served(visitor, served)

    def _serve(self, connection: socket.socket, visitor: Visitor, *, tls: bool) -> Connection:
        """In a thread of this process."""
        desk = _NearDesk(self._desk, visitor.number)
        serving = Connection(socket.socket(fileno=connection.detach()), visitor.peer, self._services, desk)

        def run() -> None:
            try:
                serving.run(tls=tls)
            finally:
                self._desk.left(visitor.number, aborted=not serving.released, reason=serving.ending)

        threading.Thread(target=run, name="connection", daemon=True).start()
        return serving


class _NearDesk:
    """The desk, for a connection that is served in its process."""

    def __init__(self, desk: Desk, number: int) -> None:
        self._desk = desk
        self._number = number

    def admit(self, applicant: Applicant, /) -> Admission | Rejection:
        """At once."""
        return self._desk.admit(self._number, applicant)

    def act(self, action: Action, /) -> int:
        """At once."""
        return self._desk.act(self._number, action)

    def reported(self, status: int | None, /) -> None:
        """At once."""
        self._desk.reported(self._number, status)

    def delayed(self) -> None:
        """At once."""
        self._desk.delayed(self._number)
