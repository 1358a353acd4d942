"""Who may talk: allow lists, limits, time-outs; refused with the right reason, counted and logged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.edge.aws import EdgeCloud
from tests.support.edge.dicom import echo
from tests.support.edge.network.wire import (
    A_ASSOCIATE_AC,
    A_ASSOCIATE_RJ,
    CT,
    EXPLICIT,
    Wire,
    associate_rq,
    fragment,
    item,
    wire,
)
from tests.support.edge.process import EdgeProcess
from tests.support.machine.waiting import wait_until


def asks(port: int, calling: bytes = b"A", called: bytes = b"B") -> tuple[int, ...]:
    with wire(port) as peer:
        peer.send(associate_rq([(1, CT, [EXPLICIT])], calling=calling, called=called))
        answer = peer.receive()
    assert answer is not None
    return tuple(answer[1][1:4]) if answer[0] == A_ASSOCIATE_RJ else ()


@pytest.mark.parametrize(
    ("setting", "welcome", "refused", "rejection", "reason"),
    [
        ({"calling_aes": ["CT1"]}, {"calling": b"CT1"}, {"calling": b"CT2"}, (1, 1, 3), "calling AE title"),
        ({"called_aes": ["EDGE"]}, {"called": b"EDGE"}, {"called": b"PACS"}, (1, 1, 7), "called AE title"),
        ({"networks": ["192.0.2.0/24", "127.0.0.0/8"]}, {}, None, (), ""),
        ({}, {"calling": b"ANY", "called": b"ANY"}, None, (), ""),
    ],
)
def test_allow_lists(
    tmp_path: Path,
    cloud: EdgeCloud,
    setting: dict[str, Any],
    welcome: dict[str, bytes] | None,
    refused: dict[str, bytes] | None,
    rejection: tuple[int, ...],
    reason: str,
) -> None:
    with EdgeProcess(tmp_path, cloud.environment, **setting) as edge:
        if welcome is not None:
            assert asks(edge.dicom_port, **welcome) == ()
        if refused is not None:
            assert asks(edge.dicom_port, **refused) == rejection
            assert reason in edge.log_lines("association rejected")[0]["reason"]
            assert reason in edge.get("/metrics")[1]


def test_a_peer_of_another_network_is_closed_before_it_has_said_anything(
    tmp_path: Path, cloud: EdgeCloud
) -> None:
    with EdgeProcess(tmp_path, cloud.environment, networks=["192.0.2.0/24"]) as edge:
        with wire(edge.dicom_port) as peer:
            assert peer.receive() is None
        assert "network not allowed" in edge.log_lines("association rejected")[0]["reason"]
        assert "network not allowed" in edge.get("/metrics")[1]


@pytest.mark.parametrize("limit", ["max_associations", "max_associations_per_peer"])
def test_one_association_too_many_is_rejected_for_now_and_room_comes_back(
    tmp_path: Path, cloud: EdgeCloud, limit: str
) -> None:
    """E17: sockets left open ate the association limit."""
    with EdgeProcess(tmp_path, cloud.environment, **{limit: 3}, network_timeout=3) as edge:
        peers = [Wire(edge.dicom_port) for _ in range(3)]
        try:
            for peer in peers:
                peer.associate()
            assert asks(edge.dicom_port) == (2, 3, 2)
            # The peers say nothing more: the time-out ends them.
            wait_until(lambda: edge.status()["open_associations"] == 0, "idle associations are ended")
            assert asks(edge.dicom_port) == ()
        finally:
            for peer in peers:
                peer.socket.close()


def test_a_flood_of_connections_is_forgotten_when_it_is_over(tmp_path: Path, cloud: EdgeCloud) -> None:
    with EdgeProcess(tmp_path, cloud.environment, max_associations=1, association_timeout=3) as edge:
        peers = [Wire(edge.dicom_port) for _ in range(12)]
        try:
            assert all(peer.ended() for peer in peers)
        finally:
            for peer in peers:
                peer.socket.close()
        assert 'reason="too many connections"} 8' in edge.get("/metrics")[1]
        assert echo(edge.dicom_port)


def test_a_hundred_associations_at_once(tmp_path: Path, cloud: EdgeCloud) -> None:
    with EdgeProcess(tmp_path, cloud.environment) as edge:
        peers = [Wire(edge.dicom_port) for _ in range(100)]
        try:
            for peer in peers:
                peer.send(associate_rq([(1, CT, [EXPLICIT])]))
            for peer in peers:
                answer = peer.receive()
                assert answer is not None
                assert answer[0] == A_ASSOCIATE_AC
            assert edge.status()["open_associations"] == 100
        finally:
            for peer in peers:
                peer.socket.close()
        wait_until(lambda: edge.status()["open_associations"] == 0, "all are gone")
        assert echo(edge.dicom_port)


def test_the_largest_pdu_is_negotiated(tmp_path: Path, cloud: EdgeCloud) -> None:
    with EdgeProcess(tmp_path, cloud.environment, max_pdu_bytes=8192) as edge, wire(edge.dicom_port) as peer:
        assert item(0x51, (8192).to_bytes(4, "big")) in peer.associate()
        peer.send(fragment(1, bytes(9000), command=False, last=False))
        assert peer.ended()


def test_health_numbers_and_ports_stay_on_loopback(tmp_path: Path, cloud: EdgeCloud) -> None:
    with EdgeProcess(tmp_path, cloud.environment) as edge:
        assert edge.get("/health")[0] == 200
        assert "dicom_ingest_edge_instances_received 0" in edge.get("/metrics")[1]
        assert edge.get("/etc/passwd")[0] == 404
        sockets = Path("/proc/net/tcp").read_text().splitlines()
        port = f":{edge.health_port:04X} "
        assert [line.split()[1].split(":")[0] for line in sockets if port in line and " 0A " in line] == [
            "0100007F"
        ]
