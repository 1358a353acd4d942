"""While some peers are silent, slow or hostile, another sender is served, and all they get has a bound."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest

from tests.support.edge.dicom import encoded, instance
from tests.support.edge.process import EdgeProcess, wait_until
from tests.support.edge.wire import (
    A_ASSOCIATE_AC,
    CT,
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    Wire,
    associate_rq,
    echo_command,
    fragment,
    store_command,
    wire,
)

DEFLATED = "1.2.840.10008.1.2.1.99"
_DEFLATE = zlib.compressobj(wbits=-zlib.MAX_WBITS)
BOMB = _DEFLATE.compress(b"\x09\x00\x01\x10LO\0\0" * 2_000_000) + _DEFLATE.flush()
AWAY = "http://127.0.0.1:1"
ECHO_SECONDS = 5.0
"""One, on a machine with nothing else to do."""


@pytest.fixture(scope="module")
def scp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """One edge for all: what is over must leave nothing behind."""
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "eu-west-1"}
    away = {**keys, "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ENDPOINT_URL": AWAY}
    folder = tmp_path_factory.mktemp("abused")
    with EdgeProcess(folder, away, association_timeout=5, network_timeout=30) as process:
        yield process


@pytest.fixture(autouse=True)
def _nothing_is_left(scp: EdgeProcess) -> Iterator[None]:
    yield
    wait_until(lambda: scp.status()["open_connections"] == 0, "no connection is left over")
    assert served_within(scp) < ECHO_SECONDS
    assert "Traceback" not in scp.log.read_text()
    assert scp.status()["reader_restarts"] == 0


def processes(scp: EdgeProcess) -> list[psutil.Process]:
    """Those that receive."""
    assert scp.process is not None
    return [psutil.Process(pid) for pid in (scp.process.pid, *scp.status()["reader_pids"])]


def cpu_seconds(scp: EdgeProcess) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes(scp))


def megabytes(scp: EdgeProcess) -> float:
    return max(process.memory_info().rss for process in processes(scp)) / 2**20


def descriptors(scp: EdgeProcess) -> int:
    return sum(process.num_fds() for process in processes(scp))


def served_within(scp: EdgeProcess) -> float:
    """Seconds for an association, an echo and a C-STORE of another sender, at another address."""
    ds, began = instance(), time.monotonic()
    with wire(scp.dicom_port, "127.0.0.2") as peer:
        peer.associate([(1, CT, [EXPLICIT]), (3, VERIFICATION, [IMPLICIT])])
        peer.send(fragment(3, echo_command(), command=True, last=True))
        assert peer.status()[0] == 0
        peer.send(fragment(1, store_command(CT, str(ds.SOPInstanceUID)), command=True, last=True))
        peer.send(fragment(1, encoded(ds), command=False, last=True))
        assert peer.status()[0] == 0
    return time.monotonic() - began


@contextmanager
def connected(scp: EdgeProcess, count: int) -> Iterator[list[Wire]]:
    peers = [Wire(scp.dicom_port) for _ in range(count)]
    try:
        yield peers
    finally:
        for peer in peers:
            peer.socket.close()


@contextmanager
def attacked(scp: EdgeProcess, attack: Callable[[Wire], None], count: int = 4) -> Iterator[None]:
    """Threads that attack, each on one connection after the other."""
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            with suppress(OSError, AssertionError), wire(scp.dicom_port) as peer:
                while not stop.is_set():
                    attack(peer)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def test_six_hundred_silent_connections_keep_no_sender_out_and_end_by_time_out(scp: EdgeProcess) -> None:
    limits = scp.status()["limits"]
    with connected(scp, 600):
        assert served_within(scp) < ECHO_SECONDS
        assert scp.status()["open_connections"] <= limits["max_connections_per_peer"] == 200
        wait_until(lambda: scp.status()["open_connections"] == 0, "the time for a request is over", 30)
    assert "too many connections" in scp.get("/metrics")[1]


def test_idle_associations_cost_nothing(scp: EdgeProcess) -> None:
    with connected(scp, 95) as peers:
        for peer in peers:
            peer.associate()
        before, began = cpu_seconds(scp), time.monotonic()
        assert served_within(scp) < ECHO_SECONDS
        wait_until(lambda: time.monotonic() - began > 2, "a while")
        # The edge itself looks after its disk, its tasks and its readers meanwhile: much less than a core.
        assert cpu_seconds(scp) - before < 0.25 * (time.monotonic() - began)
        assert scp.status()["open_associations"] == 95


def test_a_byte_now_and_then_does_not_put_off_the_end_of_a_request(scp: EdgeProcess) -> None:
    with connected(scp, 3) as peers:
        request, began = associate_rq([(1, CT, [EXPLICIT])]), time.monotonic()
        for byte in range(40):
            with suppress(OSError):
                for peer in peers:
                    peer.send(request[byte : byte + 1])
            if scp.status()["open_connections"] == 0:
                break
            with suppress(OSError):
                peers[0].socket.settimeout(0.25)
                peers[0].receive()
        assert time.monotonic() - began < 25
        wait_until(lambda: scp.status()["open_connections"] == 0, "they are over")


def tiny(fragments: bytes) -> Callable[[Wire], None]:
    """An association whose C-STORE never ends."""

    def attack(peer: Wire) -> None:
        if peer.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 and not hasattr(peer, "begun"):
            peer.associate()
            peer.send(fragment(1, store_command(CT, "1.2.3"), command=True, last=True))
            peer.begun = True  # type: ignore[attr-defined]
        peer.send(fragments)

    return attack


def commands_of_nothing(peer: Wire) -> None:
    peer.associate()
    peer.send(fragment(1, b"x", command=True, last=False))
    peer.send(fragment(1, b"", command=True, last=False) * 20_000)


def nested_without_end(peer: Wire) -> None:
    tiny(
        fragment(
            1,
            b"\x08\x00\x40\x11SQ\0\0" + b"\xff" * 4 + b"\xfe\xff\x00\xe0" + b"\xff" * 4,
            command=False,
            last=False,
        )
    )(peer)


def titles(peer: Wire) -> None:
    name = f"A{random.randrange(10**9)}".encode()
    with Wire_(peer) as other:
        other.send(associate_rq([(1, CT, [EXPLICIT])], calling=name))
        answer = other.receive()
        assert answer is not None
        assert answer[0] == A_ASSOCIATE_AC


@contextmanager
def Wire_(peer: Wire) -> Iterator[Wire]:  # noqa: N802 - another connection to the same port
    with wire(peer.socket.getpeername()[1]) as other:
        yield other


def refusals(peer: Wire) -> None:
    if not hasattr(peer, "begun"):
        peer.associate()
        peer.begun = True  # type: ignore[attr-defined]
    peer.send(fragment(1, store_command(CT, "1.2.3"), command=True, last=True))
    peer.send(fragment(1, b"\0\1\2" * 9999, command=False, last=True))
    assert peer.status()[0] == 0xC000


def endless_requests(peer: Wire) -> None:
    with Wire_(peer) as other:
        other.send(struct.pack(">BBL", 1, 0, 500_000) + bytes(400_000))


def inflated(peer: Wire) -> None:
    """A few kilobytes of two million elements."""
    if not hasattr(peer, "begun"):
        peer.associate([(1, CT, [DEFLATED])])
        peer.begun = True  # type: ignore[attr-defined]
    peer.send(fragment(1, store_command(CT, "1.2.3"), command=True, last=True))
    peer.send(fragment(1, BOMB, command=False, last=True))
    assert peer.status()[0] == 0xC000


@pytest.mark.parametrize(
    "attack",
    [
        tiny(fragment(1, b"\0", command=False, last=False) * 2000),
        tiny(fragment(1, b"", command=False, last=False) * 2000),
        tiny(struct.pack(">BBL", 4, 0, 0) * 2000),
        tiny(fragment(1, b"\x09\x00\x01\x10LO\0\0" * 4000, command=False, last=False)),
        nested_without_end,
        commands_of_nothing,
        titles,
        refusals,
        endless_requests,
        inflated,
    ],
    ids=[
        "one byte",
        "empty",
        "empty PDUs",
        "many elements",
        "nested",
        "command",
        "titles",
        "refused",
        "requests",
        "inflated",
    ],
)
def test_an_attack_takes_neither_memory_nor_the_service_of_others(
    scp: EdgeProcess, attack: Callable[[Wire], None]
) -> None:
    before, opened = megabytes(scp), descriptors(scp)
    with attacked(scp, attack):
        taken = [served_within(scp) for _ in range(5)]
        assert sorted(taken)[2] < ECHO_SECONDS, taken
        assert descriptors(scp) - opened < 2 * scp.status()["limits"]["max_connections_per_peer"]
    assert megabytes(scp) - before < 100
