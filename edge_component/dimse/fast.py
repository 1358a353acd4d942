"""The fast path: who reads an established association's C-STOREs while they come one after another.

pynetdicom makes objects of every PDU, passes them through three queues, and looks for new ones a thousand
times a second. Here a `StoreStream` has the connection meanwhile: in a reader process, or in the thread that
reads the socket anyway. Whatever is no C-STORE goes the way that pynetdicom knows.
"""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from typing import Any, Protocol

from edge_component.dimse.messages import BeginStore, EdgeDimse
from edge_component.dimse.stream import P_DATA_TF, HandBack, StoreStream
from edge_component.dimse.upper_layer import EdgeUpperLayer
from edge_component.running import logs

ESTABLISHED = "Sta6"
LINGER_SECONDS = 0.02
"""A sender that has its answer sends the next request within so long; then pynetdicom's loop takes over."""
PARK_SECONDS = 1.0
"""For so long at most the association's own thread leaves the reading thread alone."""
LOOK_SECONDS = 0.1
"""So often the thread that has lent the connection looks for something to do."""
PYNETDICOM = "1.2.826.0.1.3680043.9.3811."
"""Implementation class UIDs of senders that lose an answer which comes at once.

In pynetdicom 3.0.4 the reactor that should have paused takes it from the queue. They are answered by its like
here, which takes longer."""


class Lent(Protocol):
    """A connection that somebody else reads."""

    def wait(self, seconds: float) -> HandBack | None:
        """How it ended; None: it has not."""
        ...


class Lend(Protocol):
    """Whoever lends connections to reader processes."""

    def __call__(self, connection: socket.socket, contexts: dict[int, str], /) -> Lent | None:
        """None: nobody is there to read it."""
        ...


class FastDimse(EdgeDimse):
    """Knows how to give way while a stream has the connection."""

    def __init__(self, assoc: Any, begin_store: BeginStore, lend: Lend) -> None:
        super().__init__(assoc, begin_store)
        self.lend = lend
        self.reading = threading.Event()
        """Cleared while a stream has the connection."""
        self.reading.set()

    def get_msg(self, block: bool = False) -> Any:
        """The next message; waits while there can be none."""
        self.reading.wait(PARK_SECONDS)
        return super().get_msg(block)

    @property
    def between_messages(self) -> bool:
        """Nothing has been begun, and nothing waits."""
        return self._request is None and not self._fragments and not self._broken and self.msg_queue.empty()


class FastUpperLayer(EdgeUpperLayer):
    """Gives the connection to a stream whenever a message may begin."""

    def _read_pdu_data(self) -> None:
        dimse = self.assoc.dimse
        if not isinstance(dimse, FastDimse) or not self._may_stream(dimse):
            super()._read_pdu_data()
            return
        dimse.reading.clear()
        try:
            back = self._stream(dimse)
        finally:
            dimse.reading.set()
        self._idle_timer.restart()
        if back.pdu:
            self.socket.push_back(back.pdu)
            super()._read_pdu_data()
        elif back.wrong is not None:
            dimse.fail(back.wrong)
        elif back.gone is not None:
            logs.warning("connection closed", reason=back.gone)
            self.event_queue.put("Evt17")  # PS3.8 9.2: transport connection closed

    def _may_stream(self, dimse: FastDimse) -> bool:
        return (
            self.state_machine.current_state == ESTABLISHED
            and dimse.between_messages
            and not self.socket.pushed
            and self.socket.next_type() in (P_DATA_TF, None)
            and not str(self.assoc.requestor.implementation_class_uid).startswith(PYNETDICOM)
        )

    def _stream(self, dimse: FastDimse) -> HandBack:
        connection = self.socket.socket
        contexts = {number: str(cx.transfer_syntax[0]) for number, cx in self.assoc._accepted_cx.items()}
        lent = None if isinstance(connection, ssl.SSLSocket) else dimse.lend(connection, contexts)
        if lent is None:
            return StoreStream(connection, contexts, dimse.begin_store, self.socket.max_pdu_bytes).run(
                LINGER_SECONDS
            )
        while (back := lent.wait(LOOK_SECONDS)) is None:
            if self._has_work():
                with suppress(OSError):  # the peer was quicker
                    connection.shutdown(socket.SHUT_RD)  # the reader sees the end and gives it back
        return back

    def _has_work(self) -> bool:
        """Something to send (only an abort can be), or the end."""
        return bool(self._kill_thread or not self.to_provider_queue.empty())
