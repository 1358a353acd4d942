"""What hostile or broken peers send: a process of its own, so that it shares no interpreter with the test.

`python -m tests.support.edge.network.attacks NAME PORT`: attacks until it is killed. A line on
standard output says that it has begun.
"""

from __future__ import annotations

import random
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.support.edge.network.wire import (
    CT,
    EXPLICIT,
    Wire,
    associate_rq,
    fragment,
    pdu,
    store_command,
    wire,
)

DEFLATED = "1.2.840.10008.1.2.1.99"
CONNECTIONS = 4
Attack = Callable[[Wire], None]
"""One step on a connection; `begun` on it says whether its association is open."""


def begun(peer: Wire, syntax: str = EXPLICIT) -> bool:
    """Whether the association was open before; it is now."""
    if hasattr(peer, "begun"):
        return True
    peer.associate([(1, CT, [syntax])])
    peer.begun = True  # type: ignore[attr-defined]
    return False


def endless(data: bytes) -> Attack:
    """An association whose C-STORE never ends."""

    def attack(peer: Wire) -> None:
        if not begun(peer):
            peer.send(fragment(1, store_command(CT, "1.2.3"), command=True, last=True))
        peer.send(data)

    return attack


def endless_command(peer: Wire) -> None:
    """A command set in fragments of nothing."""
    if not begun(peer):
        peer.send(fragment(1, b"x", command=True, last=False))
    peer.send(fragment(1, b"", command=True, last=False) * 2000)


def titles(peer: Wire) -> None:
    """Associations of application entities that were never heard of."""
    name = f"A{random.randrange(10**9)}".encode()
    with another(peer) as other:
        other.send(associate_rq([(1, CT, [EXPLICIT])], calling=name))
        assert other.receive() is not None


def refusals(peer: Wire) -> None:
    """Instances that cannot be read."""
    begun(peer)
    peer.send(fragment(1, store_command(CT, "1.2.3"), command=True, last=True))
    peer.send(fragment(1, b"\0\1\2" * 9999, command=False, last=True))
    assert peer.status()[0] == 0xC000


def endless_requests(peer: Wire) -> None:
    """An association request as long as may be, that is none."""
    with another(peer) as other:
        other.send(struct.pack(">BBL", 1, 0, 500_000) + bytes(400_000))


def inflated(peer: Wire) -> None:
    """A few kilobytes of two million elements."""
    begun(peer, DEFLATED)
    peer.send(fragment(1, store_command(CT, "1.2.3"), command=True, last=True))
    peer.send(fragment(1, bomb(), command=False, last=True))
    assert peer.status()[0] == 0xC000


def bomb() -> bytes:
    """Deflated; sixteen megabytes of elements of eight bytes."""
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(b"\x09\x00\x01\x10LO\0\0" * 2_000_000) + deflate.flush()


def a_byte_now_and_then(peer: Wire) -> None:
    """Of a request for an association."""
    request = associate_rq([(1, CT, [EXPLICIT])])
    for at in range(len(request) - 1):
        peer.send(request[at : at + 1])
        time.sleep(1.0)


@contextmanager
def another(peer: Wire) -> Iterator[Wire]:
    """Another connection to the same port."""
    with wire(peer.socket.getpeername()[1]) as other:
        yield other


NESTED = b"\x08\x00\x40\x11SQ\0\0" + b"\xff" * 4 + b"\xfe\xff\x00\xe0" + b"\xff" * 4
ATTACKS: dict[str, Attack] = {
    "one byte": endless(fragment(1, b"\0", command=False, last=False) * 2000),
    "empty": endless(fragment(1, b"", command=False, last=False) * 2000),
    "empty PDUs": endless(pdu(4, b"") * 2000),
    "many elements": endless(fragment(1, b"\x09\x00\x01\x10LO\0\0" * 4000, command=False, last=False)),
    "nested": endless(fragment(1, NESTED, command=False, last=False)),
    "command": endless_command,
    "titles": titles,
    "refused": refusals,
    "requests": endless_requests,
    "inflated": inflated,
    "slow": a_byte_now_and_then,
}


class Attacker:
    """The process; it can be stopped for a moment, with its connections open."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def pause(self) -> None:
        """Silent from now on."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Attack again."""
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def attacker(name: str, port: int) -> Iterator[Attacker]:
    """Attacks from when this begins to its end."""
    command = [sys.executable, "-m", "tests.support.edge.network.attacks", name, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            yield Attacker(process)
        finally:
            process.kill()


def main() -> None:
    """Until it is killed."""
    attack, port, first = ATTACKS[sys.argv[1]], int(sys.argv[2]), threading.Event()

    def run() -> None:
        while True:
            with suppress(OSError, AssertionError), wire(port) as peer:
                first.set()
                while True:
                    attack(peer)

    for _ in range(CONNECTIONS):
        threading.Thread(target=run, daemon=True).start()
    first.wait()
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main()
