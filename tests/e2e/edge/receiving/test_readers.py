"""Associations that are read by processes of their own, and what happens when one dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from pydicom import Dataset

from tests.support.edge.aws import EdgeCloud
from tests.support.edge.dicom import association, encoded, instance, send, series_of
from tests.support.edge.network.wire import (
    CT,
    EXPLICIT,
    VERIFICATION,
    echo_command,
    fragment,
    store_command,
    wire,
)
from tests.support.edge.process import EdgeProcess
from tests.support.machine.waiting import wait_until


@pytest.mark.parametrize("receiver_processes", [0, 2])
def test_stores_and_echoes_take_turns_on_one_association(
    tmp_path: Path, cloud: EdgeCloud, receiver_processes: int
) -> None:
    datasets = series_of(6)
    with EdgeProcess(tmp_path, cloud.environment, receiver_processes=receiver_processes) as edge:
        assert len(edge.status()["reader_pids"]) == receiver_processes
        with association(edge.dicom_port, datasets) as assoc:
            for ds in datasets:
                assert assoc.send_c_store(ds).Status == 0x0000
                assert assoc.send_c_echo().Status == 0x0000
        [event] = wait_until(cloud.announcements, "the series is announced")
        assert event["detail"]["instance_count"] == 6
        assert edge.stop() == 0


@pytest.mark.parametrize("receiver_processes", [0, 2])
def test_messages_that_come_in_one_go_are_each_answered(
    tmp_path: Path, cloud: EdgeCloud, receiver_processes: int
) -> None:
    echo = fragment(3, echo_command(), command=True, last=True)
    with EdgeProcess(tmp_path, cloud.environment, receiver_processes=receiver_processes) as edge:
        with wire(edge.dicom_port) as peer:
            peer.associate([(1, CT, [EXPLICIT]), (3, VERIFICATION, [EXPLICIT])])
            peer.send((stored(instance()) + echo + echo) * 2)
            assert [peer.status()[0] for _ in range(6)] == [0x0000] * 6
            ds = instance()
            command = fragment(1, store_command(CT, str(ds.SOPInstanceUID)), command=True, last=True)
            peer.send(echo + command)
            assert peer.status()[0] == 0x0000
            peer.send(fragment(1, encoded(ds), command=False, last=True))
            assert peer.status()[0] == 0x0000
        wait_until(lambda: edge.status()["instances_received"] == 3, "all are in the journal")


def stored(ds: Dataset) -> bytes:
    """A C-STORE-RQ, whole."""
    command = fragment(1, store_command(CT, str(ds.SOPInstanceUID)), command=True, last=True)
    return command + fragment(1, encoded(ds), command=False, last=True)


def test_a_reader_that_is_killed_costs_its_associations_and_no_instance(
    tmp_path: Path, cloud: EdgeCloud
) -> None:
    ds, cut = instance(), instance()
    with EdgeProcess(tmp_path, cloud.environment, receiver_processes=1) as edge:
        with wire(edge.dicom_port) as peer:
            peer.associate([(1, CT, [EXPLICIT]), (3, VERIFICATION, [EXPLICIT])])
            peer.send(stored(ds))
            assert peer.status()[0] == 0x0000
            half = fragment(1, store_command(CT, str(cut.SOPInstanceUID)), command=True, last=True)
            peer.send(half + fragment(1, encoded(cut)[:100], command=False, last=False))
            [pid] = edge.status()["reader_pids"]
            os.kill(pid, signal.SIGKILL)
            assert peer.ended()
        wait_until(lambda: edge.status()["reader_pids"] not in ([], [pid]), "another reader has started")
        assert edge.status()["reader_restarts"] == 1
        assert send(edge.dicom_port, series_of(2)) == [0x0000, 0x0000]
        counts: list[int] = []

        def both() -> bool:
            counts.extend(event["detail"]["instance_count"] for event in cloud.announcements())
            return len(counts) == 2

        wait_until(both, "both series are announced")
        assert sorted(counts) == [1, 2]


def test_a_lent_association_ends_with_the_edge(tmp_path: Path, cloud: EdgeCloud) -> None:
    with EdgeProcess(tmp_path, cloud.environment, drain_seconds=0) as edge, wire(edge.dicom_port) as peer:
        peer.associate([(1, CT, [EXPLICIT])])
        peer.send(fragment(1, store_command(CT, "1.2.3"), command=True, last=True))
        wait_until(lambda: edge.status()["connections_lent"] == 1, "a reader has it")
        assert edge.stop() == 0
        assert peer.ended()


def test_an_echo_between_two_fragments_is_a_protocol_error(tmp_path: Path, cloud: EdgeCloud) -> None:
    with EdgeProcess(tmp_path, cloud.environment) as edge, wire(edge.dicom_port) as peer:
        peer.associate([(1, CT, [EXPLICIT]), (3, VERIFICATION, [EXPLICIT])])
        peer.send(fragment(1, store_command(CT, "1.2.3"), command=True, last=True))
        peer.send(fragment(3, echo_command(), command=True, last=True))
        assert peer.ended()
        wait_until(lambda: edge.log_lines("protocol error"), "the log says so")
