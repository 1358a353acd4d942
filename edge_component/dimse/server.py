"""The listening sockets: a thread a connection, so that no peer can hold up another."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from socketserver import BaseServer
from typing import Any, Literal, Protocol

from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import MODE_ACCEPTOR, Association
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from edge_component.dimse.fast import FastDimse, FastUpperLayer, Lend
from edge_component.dimse.messages import BeginStore, EdgeDimse
from edge_component.dimse.upper_layer import EdgeSocket, EdgeUpperLayer
from edge_component.running import logs

Path = Literal["fast", "pynetdicom"]
"""Who reads the data of an established association."""


class Connections(Protocol):
    """Who watches over connections and associations."""

    def opened(self, peer: str) -> bool:
        """A connection was accepted; False: close it at once."""
        ...

    def begin_store(self, assoc: Association) -> BeginStore:
        """What to do with a C-STORE-RQ of this association."""
        ...

    def lend(self, assoc: Association) -> Lend:
        """Who else may read its connection."""
        ...

    def closed(self, peer: str, assoc: Association | None) -> None:
        """The connection is over, however it ended."""
        ...


class EdgeRequestHandler(RequestHandler):  # type: ignore[misc]  # pynetdicom has no types
    """One connection from accept to end, in a thread of its own."""

    server: EdgeServer

    def handle(self) -> None:
        """Handshake, association, and the certain knowledge that it is over."""
        peer = str(self.client_address[0])
        welcome = self.server.connections.opened(peer)
        assoc = None
        try:
            if not welcome:
                return
            self.request: socket.socket = self.server.handshake(self.request)
            assoc = self._create_association()
            assoc.start()
            assoc.join()
        except OSError as error:
            logs.warning("connection closed", peer=peer, reason=f"{type(error).__name__}: {error}")
        finally:
            if assoc is not None and isinstance(assoc.dimse, EdgeDimse):
                assoc.dimse.abandon()
            self.server.connections.closed(peer, assoc)
            self.server.shutdown_request(self.request)

    def _create_association(self) -> Association:
        assoc = Association(self.ae, MODE_ACCEPTOR)
        assoc._server = self.server
        # pynetdicom finds its associations by this name.
        assoc.name = f"AcceptorThread@{datetime.now(timezone.utc):%Y%m%d%H%M%S}"
        fast = self.server.path == "fast"
        assoc.dul = FastUpperLayer(assoc) if fast else EdgeUpperLayer(assoc)
        # Setting them arms the timers of the upper layer, which is new.
        assoc.acse_timeout, assoc.network_timeout = self.ae.acse_timeout, self.ae.network_timeout
        begin = self.server.connections.begin_store(assoc)
        lend = self.server.connections.lend(assoc)
        assoc.dimse = FastDimse(assoc, begin, lend) if fast else EdgeDimse(assoc, begin)
        assoc.set_socket(EdgeSocket(assoc, self.request, self.ae.maximum_pdu_size))
        assoc.acceptor.maximum_length = self.ae.maximum_pdu_size
        assoc.acceptor.ae_title = self.server.ae_title
        assoc.acceptor.address_info = self.local
        assoc.acceptor.implementation_class_uid = self.ae.implementation_class_uid
        assoc.acceptor.implementation_version_name = self.ae.implementation_version_name
        assoc.acceptor.supported_contexts = self.ae.supported_contexts
        assoc.requestor.address_info = self.remote
        for event, handlers in self.server._handlers.items():
            if event.is_intervention:
                assoc.bind(event, *handlers)
            else:
                for handler in handlers:
                    assoc.bind(event, *handler)
        return assoc


class EdgeServer(ThreadedAssociationServer):  # type: ignore[misc]  # pynetdicom has no types
    """One listening port."""

    request_queue_size = 128
    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        ae: ApplicationEntity,
        address: tuple[str, int],
        connections: Connections,
        handlers: list[tuple[Any, Callable[..., Any]]],
        tls: ssl.SSLContext | None,
        handshake_timeout: float,
        path: Path = "fast",
    ) -> None:
        self.path = path
        self.connections = connections
        self._tls = tls
        self._handshake_timeout = handshake_timeout
        super().__init__(
            ae,
            address,
            ae.ae_title,
            ae.supported_contexts,
            evt_handlers=handlers,
            request_handler=EdgeRequestHandler,
        )
        self._thread = threading.Thread(target=self.serve_forever, name="listener", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    @property
    def alive(self) -> bool:
        """Whether connections are being accepted."""
        return self._thread.is_alive()

    def listen(self) -> None:
        """Accept connections from now on."""
        self._thread.start()

    def close(self) -> None:
        """Accept no more connections; open ones go on."""
        if self._thread.is_alive():
            BaseServer.shutdown(self)
        self.server_close()

    def handshake(self, connection: socket.socket) -> socket.socket:
        """TLS where this port speaks it, in the connection's own thread: a silent client holds up nobody."""
        connection.settimeout(self._handshake_timeout)
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True)
        # Without one, recv of half a PDU would wait for ever.
        connection.settimeout(self.ae.network_timeout)
        return connection

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection; answers go out at once."""
        connection, address = self.socket.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """One line instead of a traceback on standard error."""
        logs.LOGGER.exception("connection failed", extra={"facts": {"peer": client_address[0]}})
