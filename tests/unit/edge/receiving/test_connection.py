"""What a connection leaves behind: nothing, as soon as it has ended."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
import weakref
from pathlib import Path
from types import SimpleNamespace

from edge_component.dimse.codec import Identity
from edge_component.dimse.limits import Limits
from edge_component.dimse.tls import server_context
from edge_component.receiving.readers.connection import Connection
from edge_component.receiving.readers.interfaces import Services
from edge_component.receiving.readers.messages import Admission
from edge_component.receiving.readers.pace import Memory, Pace
from edge_component.receiving.readers.stream import Stream
from edge_component.records.rows import AssociationRow
from tests.support.edge.network.certificates import make_certificates
from tests.support.edge.network.wire import CT, EXPLICIT, associate_rq, fragment, store_command
from tests.unit.edge.receiving.test_store import Journal, store_at

ROW = AssociationRow("a1", "SENDER", "EDGE", "127.0.0.1", 0.0)


class Desk:
    """Everyone is welcome."""

    def admit(self, _applicant: object) -> Admission:
        return Admission(ROW)

    def act(self, _action: object) -> int:
        return 0

    def reported(self, _status: int | None) -> None:
        return

    def delayed(self) -> None:
        return


def services(root: Path, pace: Pace) -> Services:
    identity = Identity("1.2.3", "TEST")
    return Services(store_at(root, Journal()), Limits(), identity, lambda: None, pace, Memory())


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        return server.accept()[0], theirs


def test_an_association_that_ends_inside_an_instance_is_freed_at_once(tmp_path: Path) -> None:
    ours, theirs = pair()
    begun = associate_rq([(1, CT, [EXPLICIT])]) + fragment(
        1, store_command(CT, "1.2.3"), command=True, last=True
    )
    theirs.sendall(begun + fragment(1, bytes(70_000), command=False, last=False))
    theirs.shutdown(socket.SHUT_WR)
    shared = services(tmp_path, Pace())
    connection = Connection(ours, "127.0.0.1", shared, Desk())
    freed = weakref.ref(connection)
    gc.disable()
    try:
        drain = threading.Thread(target=lambda: [None for _ in iter(lambda: theirs.recv(4096), b"")])
        drain.start()
        connection.run(tls=False)
        drain.join()
        ending = connection.ending
        del connection
        assert ending == "the peer closed the connection"
        assert freed() is None
        assert shared.store.spool.receive(CT, "1.2.3", EXPLICIT).error is None
        assert len(shared.store.spool.segment_names()) == 1  # its place is used again
    finally:
        gc.enable()
        theirs.close()


def test_a_connection_that_is_dropped_pays_for_nothing_that_it_has_sent(tmp_path: Path) -> None:
    pauses: list[float] = []

    def first_pause(seconds: float) -> None:
        pauses.append(seconds)
        connection.drop(abort=False)

    ours, theirs = pair()
    theirs.sendall(b"\1\0\0\7\0\0" + bytes(400_000))
    connection = Connection(ours, "127.0.0.1", services(tmp_path, Pace(first_pause)), Desk())
    connection.run(tls=False)
    theirs.close()
    assert len(pauses) == 1
    assert connection.ending == "ended by the edge"


def test_what_a_dropped_connection_has_sent_already_is_not_looked_at(tmp_path: Path) -> None:
    ours, theirs = pair()
    theirs.sendall(associate_rq([(1, CT, [EXPLICIT])]))
    connection = Connection(ours, "127.0.0.1", services(tmp_path, Pace()), Desk())
    connection.drop(abort=False)
    connection.run(tls=False)
    theirs.close()
    assert connection.admission is None
    assert connection.ending == "ended by the edge"


def test_who_is_given_up_while_waiting_for_a_pause_takes_none() -> None:
    pauses: list[float] = []
    pace = Pace(pauses.append)
    pace.pause(lambda: True)
    assert not pauses
    pace.pause(lambda: False)
    assert len(pauses) == 1


def test_a_dropped_connection_over_tls_stays_encrypted(tmp_path: Path) -> None:
    """Else what still comes is taken for DICOM as it is on the wire, and the A-ABORT is not understood."""
    ours, theirs = pair()
    made = make_certificates(tmp_path)
    context = server_context(
        SimpleNamespace(
            tls_certificate=made.certificate, tls_key=made.key, tls_client_ca=None, tls_strict=False
        )
    )
    assert context is not None
    sent, heard = b"DICOM" * 20_000, b""

    def peer() -> None:
        nonlocal heard
        with ssl.create_default_context(cafile=str(made.ca)).wrap_socket(
            theirs, server_hostname="127.0.0.1"
        ) as secure:
            secure.sendall(sent)
            heard = secure.recv(5)

    talking = threading.Thread(target=peer)
    talking.start()
    stream = Stream(ours)
    stream.handshake(context, 30)
    space = memoryview(bytearray(1000))
    read = bytes(space[: stream.receive(space, 0)])
    stream.drop(abort=True)
    while count := stream.receive(space, 0):
        read += space[:count]
    stream.send(b"abort")
    talking.join()
    stream.close()
    assert sent.startswith(read)
    assert heard == b"abort"
