"""Both ways from P-DATA to a reception, without a network: what each makes of the same PDUs."""

from __future__ import annotations

import queue
import random
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from pynetdicom.pdu import P_DATA_TF

from edge_component.dimse.fast import FastDimse
from edge_component.dimse.messages import StoreRequest
from edge_component.dimse.statuses import SUCCESS, Status
from edge_component.dimse.stream import StoreStream
from edge_component.receiving.store import Reception, StoreCommand
from edge_component.spool.files import Bytes
from tests.support.edge_wire import CT, EXPLICIT, VERIFICATION, echo_command, fragment, store_command

HEAD = 6
P_DATA = 4
MAX_PDU_BYTES = 128 * 1024
UID_A, UID_B = "1.2.826.0.1.1", "2.25.7"


@dataclass
class Transcript:
    """What happened, in order."""

    events: list[tuple[Any, ...]] = field(default_factory=list)
    broken: bool = False


class RecordingReception:
    """Notes what it is given."""

    def __init__(self, transcript: Transcript, command: StoreCommand) -> None:
        self._events = transcript.events
        self._events.append(("begin", command))
        self._data = b""

    def write(self, data: Bytes) -> None:
        """A fragment."""
        self._data += bytes(data)

    def finish(self) -> Status:
        """All of it."""
        self._events.append(("finish", self._data))
        return SUCCESS

    def settle(self) -> None:
        """Nothing is left to do."""

    def abandon(self) -> None:
        """Cut off."""
        self._events.append(("abandon", self._data))


class Played:
    """A connection on which a stream comes, and then nothing more."""

    def __init__(self, stream: bytes) -> None:
        self._stream = stream
        self._at = 0
        self.pushed = b""
        """Read and handed back."""

    def recv_into(self, view: memoryview, size: int, _flags: int) -> int:
        """As a socket: what has come, in pieces of all sizes."""
        piece = self._stream[self._at : self._at + min(size, 1 + self._at * 7919 % 97)]
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def sendall(self, data: bytes) -> None:
        """Answers are looked at elsewhere."""

    def setsockopt(self, *_: int) -> None:
        """It has no options."""

    @property
    def rest(self) -> bytes:
        """What was not read."""
        return self._stream[self._at :]

    def next_pdu(self) -> bytes:
        """Read elsewhere: what was handed back first."""
        pdu = next(pdus(self.pushed + self.rest), b"")
        self._at += max(0, len(pdu) - len(self.pushed))
        self.pushed = self.pushed[len(pdu) :]
        return pdu


class PlayedStream(StoreStream):
    """Reads what is played."""

    def _readable(self, seconds: float) -> bool:
        return bool(cast("Played", self._connection).rest) and seconds == 0


class Slow:
    """pynetdicom decodes PDUs; a complete C-STORE waits in the queue of the association's thread."""

    def __init__(self, transcript: Transcript, begin: Callable[[StoreCommand], Reception]) -> None:
        self._transcript = transcript
        self._events: queue.Queue[str] = queue.Queue()
        assoc = SimpleNamespace(
            _accepted_cx={1: SimpleNamespace(transfer_syntax=[EXPLICIT])},
            requestor=SimpleNamespace(ae_title="FUZZ"),
            dul=SimpleNamespace(event_queue=self._events),
            dimse_timeout=None,
            get_handlers=lambda _event: [],
            _serve_request=lambda *_: None,
        )
        self.dimse = FastDimse(assoc, begin, lambda _connection, _contexts: None)

    def give(self, pdu: bytes) -> None:
        """One P-DATA-TF PDU."""
        try:
            decoded = P_DATA_TF()
            decoded.decode(bytearray(pdu))
            self.dimse.receive_primitive(decoded.to_primitive())
        except Exception:  # noqa: BLE001 - pynetdicom aborts the association whatever it is
            self._transcript.broken = True
        while (message := self.dimse.get_msg())[1] is not None:
            if isinstance(message[1], StoreRequest):
                message[1].reception.finish()
            else:
                self._transcript.events.append(("message", message[0], type(message[1]).__name__))
        self._transcript.broken = self._transcript.broken or not self._events.empty()


def slow(stream: bytes) -> Transcript:
    """Everything by pynetdicom."""
    transcript = Transcript()
    path = Slow(transcript, _begin(transcript))
    for pdu in pdus(stream):
        path.give(pdu)
        if transcript.broken:
            break
    path.dimse.abandon()
    return transcript


def fast(stream: bytes) -> Transcript:
    """A stream has the connection whenever a message may begin; the rest is pynetdicom's."""
    transcript, connection = Transcript(), Played(stream)
    path = Slow(transcript, _begin(transcript))
    while not transcript.broken:
        if path.dimse.between_messages and not connection.pushed:
            reader = PlayedStream(
                cast("socket.socket", connection), {1: EXPLICIT}, _begin(transcript), MAX_PDU_BYTES
            )
            back = reader.run(0)
            transcript.broken, connection.pushed = back.wrong is not None, back.pdu
            if transcript.broken or not back.pdu:
                break
        if not (pdu := connection.next_pdu()):
            break
        path.give(pdu)
    path.dimse.abandon()
    return transcript


def _begin(transcript: Transcript) -> Callable[[StoreCommand], Reception]:
    return lambda command: cast("Reception", RecordingReception(transcript, command))


def pdus(stream: bytes) -> Iterator[bytes]:
    """The P-DATA-TF PDUs up to the first that is cut off or of another type."""
    at = 0
    while at + HEAD <= len(stream) and stream[at] == P_DATA:
        end = at + HEAD + int.from_bytes(stream[at + 2 : at + HEAD], "big")
        if end > len(stream):
            return
        yield stream[at:end]
        at = end


def seeds() -> list[bytes]:
    """Streams as senders make them: in one PDU or many, several instances, other messages between."""
    data = struct.pack("<HH2sH", 8, 0x18, b"UI", len(UID_A) + 1) + UID_A.encode() + b"\0" + bytes(40)
    command = fragment(1, store_command(CT, UID_A), command=True, last=True)
    whole = command + fragment(1, data, command=False, last=True)
    pieces = [data[at : at + 16] for at in range(0, len(data), 16)]
    many = command + b"".join(fragment(1, piece, command=False, last=piece is pieces[-1]) for piece in pieces)
    both = struct.pack(">BxL", P_DATA, 0)[:2]
    body = command[HEAD:] + fragment(1, data, command=False, last=True)[HEAD:]
    together = both + struct.pack(">L", len(body)) + body
    split = store_command(CT, UID_B)
    halves = fragment(1, split[:40], command=True, last=False) + fragment(
        1, split[40:], command=True, last=True
    )
    echo = fragment(1, echo_command(), command=True, last=True)
    odd = fragment(1, store_command(VERIFICATION, "not a uid"), command=True, last=True)
    tail = fragment(1, data, command=False, last=True)
    return [whole, many, together, halves + tail, whole + echo + whole, odd + tail, echo, whole * 3]


def mutated(seed: bytes, random_: random.Random) -> bytes:
    """A few bytes changed, cut out, doubled, or lengths made wrong."""
    stream = bytearray(seed)
    for _ in range(random_.randint(1, 4)):
        if not stream:
            break
        at = random_.randrange(len(stream))
        span = random_.randint(1, 24)
        match random_.randrange(5):
            case 0:
                stream[at] = random_.randrange(256)
            case 1:
                del stream[at : at + span]
            case 2:
                stream[at:at] = stream[at : at + span]
            case 3:
                stream[at] ^= 1 << random_.randrange(8)
            case _:
                stream[at : at + span] = random_.randbytes(span)
    return bytes(stream)


def disagreement(stream: bytes) -> str | None:
    """None: what the fast path takes, the slow one takes alike; it may refuse more, never accept more."""
    quick = fast(stream)
    if quick.broken:
        return None
    thorough = slow(stream)
    if thorough.broken:
        return f"only the fast path accepts {stream.hex()}"
    if thorough.events != quick.events:
        return f"{quick.events} is not {thorough.events} for {stream.hex()}"
    return None
