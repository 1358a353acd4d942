"""Whatever a peer sends: the SCP answers the next echo, keeps what it acknowledged, says what happened."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support.edge.aws import EdgeCloud
from tests.support.edge.dicom import association, encoded, instance, send
from tests.support.edge.network.wire import (
    A_ASSOCIATE_AC,
    A_ASSOCIATE_RJ,
    A_RELEASE_RP,
    CT,
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    Wire,
    associate_rq,
    echo_command,
    fragment,
    pdu,
    store_command,
    wire,
)
from tests.support.edge.process import EdgeProcess, in_spool
from tests.support.machine.waiting import wait_until

ECHO_SECONDS = 1.0


@pytest.fixture(scope="module")
def scp(tmp_path_factory: pytest.TempPathFactory, _cloud: EdgeCloud) -> Iterator[EdgeProcess]:
    """One SCP for all of it: what one sender does must not hurt the next."""
    folder = tmp_path_factory.mktemp("scp")
    with EdgeProcess(folder, _cloud.environment, association_timeout=2, network_timeout=4) as process:
        yield process


@pytest.fixture(autouse=True)
def _still_serving(scp: EdgeProcess) -> Iterator[None]:
    before = len(scp.log_lines())
    yield
    began = time.monotonic()
    with wire(scp.dicom_port) as peer:
        peer.associate([(1, VERIFICATION, [IMPLICIT])])
        peer.send(fragment(1, echo_command(), command=True, last=True))
        assert peer.status()[0] == 0
    assert time.monotonic() - began < ECHO_SECONDS
    wait_until(lambda: scp.status()["open_associations"] == 0, "no association is left over")
    assert scp.status()["worker_restarts"] == 0
    log = scp.log.read_text()
    assert "Traceback" not in log
    assert len(scp.log_lines()) > before
    wait_until(lambda: not in_spool(scp.spool), "nothing is left over")


def said(scp: EdgeProcess, message: str, reason: str) -> None:
    wait_until(
        lambda: any(reason in str(line.get("reason")) for line in scp.log_lines(message)),
        f"{message}: {reason}",
        20,
    )


def test_random_bytes(scp: EdgeProcess) -> None:
    chance = random.Random(1)
    for _ in range(10):
        with wire(scp.dicom_port) as peer:
            peer.send(chance.randbytes(4000))
            assert peer.ended()


def test_a_wrong_protocol_version_is_rejected_or_served_never_stuck(scp: EdgeProcess) -> None:
    with wire(scp.dicom_port) as peer:
        peer.send(associate_rq([(1, CT, [EXPLICIT])], version=0xFFF0))
        answer = peer.receive()
        assert answer is None or answer[0] in (A_ASSOCIATE_AC, A_ASSOCIATE_RJ, 7)


def test_a_pdu_longer_than_negotiated_ends_the_association(scp: EdgeProcess) -> None:
    with wire(scp.dicom_port) as peer:
        peer.associate()
        peer.send(struct.pack(">BBL", 4, 0, 0x7FFFFFFF) + bytes(100_000))
        assert peer.ended()
    said(scp, "protocol error", "a PDU of 2147483647 bytes")


def test_a_pdv_longer_than_its_pdu_ends_the_association(scp: EdgeProcess) -> None:
    with wire(scp.dicom_port) as peer:
        peer.associate()
        peer.send(pdu(4, struct.pack(">LBB", 5000, 1, 3) + bytes(10)))
        assert peer.ended()


def test_truncated_p_data_then_silence_ends_by_time_out(scp: EdgeProcess) -> None:
    with wire(scp.dicom_port) as peer:
        peer.associate()
        peer.send(fragment(1, store_command(CT, "1.2.3"), command=True, last=True))
        peer.send(fragment(1, bytes(1000), command=False, last=True)[:500])
        assert peer.ended()
    said(scp, "instance cut off", "None")


def test_a_sender_that_never_releases_ends_by_time_out_and_its_instance_is_kept(scp: EdgeProcess) -> None:
    ds = instance()
    with wire(scp.dicom_port) as peer:
        peer.associate()
        peer.send(fragment(1, store_command(CT, ds.SOPInstanceUID), command=True, last=True))
        peer.send(fragment(1, encoded(ds), command=False, last=True))
        assert peer.status()[0] == 0
        assert peer.ended()
    wait_until(lambda: scp.status()["spool_instances"] == 0, "it is announced")


@pytest.mark.parametrize("how", ["abort", "reset", "close"])
def test_gone_in_the_middle_of_an_instance(scp: EdgeProcess, how: str) -> None:
    received = scp.status()["instances_received"]
    peer = Wire(scp.dicom_port)
    peer.associate()
    peer.send(fragment(1, store_command(CT, "1.2.3"), command=True, last=True))
    peer.send(fragment(1, bytes(5000), command=False, last=False))
    if how == "abort":
        peer.send(pdu(7, bytes(4)))
    if how == "reset":
        peer.reset()
    peer.socket.close()
    wait_until(lambda: scp.log_lines("instance cut off")[-1:], "it is logged")
    wait_until(lambda: scp.status()["open_associations"] == 0, "the association is over")
    assert scp.status()["instances_received"] == received


def test_a_sender_cut_off_while_another_sends_the_same_instance(scp: EdgeProcess) -> None:
    ds = instance()
    cut = Wire(scp.dicom_port)
    cut.associate()
    cut.send(fragment(1, store_command(CT, ds.SOPInstanceUID), command=True, last=True))
    cut.send(fragment(1, encoded(ds)[:300], command=False, last=False))
    assert send(scp.dicom_port, [ds]) == [0]
    cut.reset()
    wait_until(lambda: scp.status()["spool_instances"] == 0, "the whole one is announced")


def test_an_endless_command_set_is_not_buffered(scp: EdgeProcess) -> None:
    piece = fragment(1, bytes(16000), command=True, last=False)
    with wire(scp.dicom_port) as peer:
        peer.associate()
        with suppress(ConnectionError):
            for _ in range(1000):
                peer.send(piece)
        assert peer.ended()
    said(scp, "protocol error", "a command set of more than")


@pytest.mark.parametrize(
    ("name", "pieces", "reason"),
    [
        (
            "data without command",
            [fragment(1, b"x", command=False, last=True)],
            "a data set without a command",
        ),
        ("garbage command", [fragment(1, b"\xff" * 50, command=True, last=True)], "command"),
        ("no field", [fragment(1, b"", command=True, last=True)], "a command set without a command field"),
        (
            "command inside data",
            [
                fragment(1, store_command(CT, "1.2"), command=True, last=True),
                fragment(1, store_command(CT, "1.2"), command=True, last=True),
            ],
            "a command inside a data set",
        ),
        (
            "context not accepted",
            [fragment(99, store_command(CT, "1.2"), command=True, last=True)],
            "presentation context 99",
        ),
    ],
)
def test_messages_that_are_none(scp: EdgeProcess, name: str, pieces: list[bytes], reason: str) -> None:
    with wire(scp.dicom_port) as peer:
        peer.associate()
        for piece in pieces:
            peer.send(piece)
        assert peer.ended(), name
    said(scp, "protocol error", reason)


def test_a_bad_instance_is_refused_and_the_next_one_on_the_same_association_stored(scp: EdgeProcess) -> None:
    """E16: one bad file looped for ever and blocked the rest."""
    good = instance()
    with wire(scp.dicom_port) as peer:
        peer.associate()
        for sop, data, code in (
            ("../../../etc/x", encoded(good), 0xC000),
            ("9" * 65, encoded(good), 0xC000),
            ("", encoded(good), 0xC000),
            ("1.2.3", encoded(good), 0xA900),
            (str(good.SOPInstanceUID), b"\0\1\2" * 999, 0xC000),
            (str(good.SOPInstanceUID), encoded(good), 0x0000),
        ):
            peer.send(fragment(1, store_command(CT, sop), command=True, last=True))
            peer.send(fragment(1, data, command=False, last=True))
            status, command = peer.status()
            assert status == code
            assert (struct.pack("<HH", 0, 0x0902) in command) == (code != 0)
        peer.send(pdu(5, bytes(4)))
        answer = peer.receive()
        assert answer is not None
        assert answer[0] == A_RELEASE_RP
    assert scp.status()["quarantined"] >= 5
    wait_until(
        lambda: 'instances_refused_by_status{reason="0xA900"}' in scp.get("/metrics")[1], "it is counted"
    )


def test_ae_titles_with_odd_bytes_are_taken_and_journalled_as_escapes(scp: EdgeProcess) -> None:
    ds = instance()
    with wire(scp.dicom_port) as peer:
        peer.send(associate_rq([(1, CT, [EXPLICIT])], calling=b"\xc3\x84\\\x01X", called=b"\xff" * 16))
        answer = peer.receive()
        assert answer is not None
        assert answer[0] == A_ASSOCIATE_AC
        peer.send(fragment(1, store_command(CT, ds.SOPInstanceUID), command=True, last=True))
        peer.send(fragment(1, encoded(ds), command=False, last=True))
        assert peer.status()[0] == 0
    wait_until(lambda: "\\xC3\\x84\\x5C\\x01X" in scp.status()["senders"], "the title is known")
    wait_until(lambda: scp.status()["spool_instances"] == 0, "it is announced")


def test_sixty_silent_connections_do_not_delay_an_echo(scp: EdgeProcess) -> None:
    peers = [Wire(scp.dicom_port) for _ in range(60)]
    try:
        began = time.monotonic()
        with wire(scp.dicom_port) as peer:
            peer.associate([(1, VERIFICATION, [IMPLICIT])])
            peer.send(fragment(1, echo_command(), command=True, last=True))
            assert peer.status()[0] == 0
        assert time.monotonic() - began < ECHO_SECONDS
        assert all(peer.ended() for peer in peers)
    finally:
        for peer in peers:
            peer.socket.close()


def test_fifty_associations_at_once_all_store(scp: EdgeProcess) -> None:
    peers = [Wire(scp.dicom_port) for _ in range(50)]
    datasets = [instance() for _ in peers]
    try:
        for peer in peers:
            peer.send(associate_rq([(1, CT, [EXPLICIT])]))
        for peer in peers:
            answer = peer.receive()
            assert answer is not None
            assert answer[0] == A_ASSOCIATE_AC
        assert scp.status()["open_associations"] >= 50
        for peer, ds in zip(peers, datasets, strict=True):
            peer.send(fragment(1, store_command(CT, ds.SOPInstanceUID), command=True, last=True))
            peer.send(fragment(1, encoded(ds), command=False, last=True))
        assert [peer.status()[0] for peer in peers] == [0] * 50
    finally:
        for peer in peers:
            peer.socket.close()


def test_128_presentation_contexts_are_negotiated(scp: EdgeProcess) -> None:
    contexts = [(2 * n + 1, f"1.2.840.10008.5.1.4.1.1.{n + 1}", [IMPLICIT, EXPLICIT]) for n in range(128)]
    with wire(scp.dicom_port) as peer:
        accepted = peer.associate(contexts)
    assert accepted.count(EXPLICIT.encode()) == 128


def test_no_name_of_a_patient_is_in_the_log(scp: EdgeProcess) -> None:
    marker = "ZYXWVUT"
    bad = instance(PatientName=f"{marker}^Anna")
    with association(scp.dicom_port, [bad]) as assoc:
        assert assoc.send_c_store(bad).Status == 0
    broken = instance(PatientName=f"{marker}^Anna")
    with wire(scp.dicom_port) as peer:
        peer.associate()
        peer.send(fragment(1, store_command(CT, broken.SOPInstanceUID), command=True, last=True))
        unsafe = encoded(broken).replace(broken.StudyInstanceUID.encode()[:4], b"../.")
        peer.send(fragment(1, unsafe, command=False, last=True))
        assert peer.status()[0] == 0xC000
    wait_until(lambda: scp.status()["spool_instances"] == 0, "it is announced")
    assert marker not in scp.log.read_text()
    assert "testing" not in scp.log.read_text()  # E9: the secret of this environment
