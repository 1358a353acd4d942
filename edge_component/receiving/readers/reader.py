"""A reader: C-STOREs of associations that the edge lends it, apart from the edge's interpreter lock.

It knows connections, the spool and nothing else. The edge has negotiated; it gets every row, and the
connection back whenever something comes that is no C-STORE.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path

from edge_component.commitment.request import Request
from edge_component.dimse.stream import HandBack, StoreStream
from edge_component.journal.rows import AssociationRow, InstanceRow
from edge_component.receiving.readers.channel import Channel, Message
from edge_component.receiving.readers.messages import (
    ARRIVED,
    BACK,
    BEAT,
    READY,
    REFUSED,
    ROOM,
    SEALED,
    Loan,
    ReaderSettings,
    decode_room,
    encode_arrived,
    encode_back,
    encode_refused,
    encode_sealed,
)
from edge_component.receiving.store import Store
from edge_component.running.beats import BEAT_SECONDS
from edge_component.spool.folder import Spool

GATHER_SECONDS = 0.02
"""Nobody waits for a row: a few more may come."""
LINGER_SECONDS = 1.0
"""A connection on which nothing came for so long is given back."""


class RemoteJournal:
    """Rows go to the edge, which has the journal; those that come within a moment go together."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._receipts: list[bytes] = []
        self._some = threading.Event()
        threading.Thread(target=self._flush_often, name="rows", daemon=True).start()

    def ready(self) -> None:
        """While the edge takes no more, neither does the channel."""

    def add_instance(self, _sender: AssociationRow, _row: InstanceRow, receipt: bytes, /) -> None:
        """It is on the disk; if the edge is gone, its next start finds it there."""
        with self._lock:
            self._receipts.append(receipt)
            if len(self._receipts) == 1:
                self._some.set()

    def flush(self) -> None:
        """The edge has all of them before it gets anything else."""
        with self._lock, suppress(OSError):
            if self._receipts:
                receipts, self._receipts = self._receipts, []
                self._channel.send(ARRIVED, encode_arrived(receipts))

    def seal(self, segment: str, records: int) -> None:
        """Behind its rows."""
        self.flush()
        with suppress(OSError):
            self._channel.send(SEALED, encode_sealed(segment, records))

    def _flush_often(self) -> None:
        while self._some.wait():
            self._some.clear()
            time.sleep(GATHER_SECONDS)
            self.flush()

    def refused(self, code: int, calling_ae: str = "", reason: str = "") -> None:
        """Counted there."""
        with suppress(OSError):
            self._channel.send(REFUSED, encode_refused(code, calling_ae, reason))

    def request_commitment(self, request: Request, sender: AssociationRow) -> None:
        """Never: no N-ACTION is read here."""
        raise NotImplementedError


class RemoteRoom:
    """What the edge last said of the disk."""

    def __init__(self) -> None:
        self._refusal: str | None = None
        self._slow_down = 0.0

    def set(self, body: bytes) -> None:
        """As the edge says."""
        self._refusal, self._slow_down = decode_room(body)

    def refusal(self) -> str | None:
        """Why the next instance is not taken."""
        if self._slow_down:
            time.sleep(self._slow_down)
        return self._refusal


class Reader:
    """Serves what comes over the channel until it is closed."""

    def __init__(self, settings: ReaderSettings, channel: Channel) -> None:
        self._settings = settings
        self._channel = channel
        self._room = RemoteRoom()
        self._spool = Spool(Path(settings.spool))
        self._journal = RemoteJournal(channel)
        self._store = Store(self._spool, self._journal, self._room)

    def run(self) -> None:
        """Every connection in a thread of its own."""
        self._spool.segments.keep()
        self._channel.send(READY, self._spool.run.encode())
        threading.Thread(target=self._beat, name="beat", daemon=True).start()
        for message in self._channel.messages():
            if message.kind == ROOM:
                self._room.set(message.body)
            else:
                threading.Thread(target=self._serve, args=(message,), daemon=True).start()
        self._spool.close()

    def _beat(self) -> None:
        """A reader that hangs says nothing, and is replaced."""
        with suppress(OSError):  # the edge is gone
            while True:
                self._channel.send(BEAT)
                time.sleep(BEAT_SECONDS)

    def _serve(self, message: Message) -> None:
        loan, back = Loan.decode(message.body), HandBack(gone="its reader failed")
        try:
            with socket.socket(fileno=message.connection) as connection:
                back = self._read(loan, connection)
        finally:
            self._journal.flush()
            with suppress(OSError):  # the edge is gone, and so are we in a moment
                self._channel.send(BACK, encode_back(loan.loan, back))

    def _read(self, loan: Loan, connection: socket.socket) -> HandBack:
        wait_for_whole_pieces(connection, self._settings.network_timeout)
        stream = StoreStream(
            connection,
            loan.contexts,
            lambda command: self._store.begin(loan.sender, command),
            self._settings.max_pdu_bytes,
        )
        return stream.run(LINGER_SECONDS)


def wait_for_whole_pieces(connection: socket.socket, seconds: float) -> None:
    """The system's own time-out, so that one call reads a whole PDU and no call is needed to wait for it."""
    connection.setblocking(True)
    limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
