"""A storage commitment report on the association that asked, while its sender goes on sending."""

from __future__ import annotations

import io
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode, encode

from tests.e2e.edge.commitment.test_storage_commitment import PUSH_MODEL, WELL_KNOWN, request_for
from tests.support.edge.aws import EdgeCloud
from tests.support.edge.dicom import encoded, instance, uid
from tests.support.edge.network.wire import CT, EXPLICIT, Wire, element, fragment, store_command, wire
from tests.support.edge.process import DEADLINE, EdgeProcess
from tests.support.machine.waiting import wait_until

IMAGES, COMMITMENT = 1, 3
STORED, ACTED, REPORT, REPORTED = 0x8001, 0x8130, 0x0100, 0x8100
RELEASE_RQ, RELEASE_RP, P_DATA = 5, 6, 4


def command_set(*elements: bytes) -> bytes:
    body = b"".join(elements)
    return element(0, 0, struct.pack("<L", len(body))) + body


def us(number: int, value: int) -> bytes:
    return element(0, number, struct.pack("<H", value))


def action_command(message_id: int) -> bytes:
    return command_set(
        element(0, 0x0003, PUSH_MODEL.encode()),
        us(0x0100, 0x0130),
        us(0x0110, message_id),
        us(0x0800, 1),
        element(0, 0x1001, WELL_KNOWN.encode()),
        us(0x1008, 1),
    )


def reported_command(message_id: int) -> bytes:
    return command_set(
        element(0, 0x0002, PUSH_MODEL.encode()),
        us(0x0100, REPORTED),
        us(0x0120, message_id),
        us(0x0800, 0x0101),
        us(0x0900, 0),
    )


class Sender:
    """An association with a context for images and one for storage commitment."""

    def __init__(self, connection: Wire) -> None:
        self._wire = connection
        connection.associate([(IMAGES, CT, [EXPLICIT]), (COMMITMENT, PUSH_MODEL, [EXPLICIT])])
        self._messages = 0

    def _next(self) -> int:
        self._messages += 1
        return self._messages

    def _send(self, context: int, command: bytes, data: bytes = b"") -> None:
        self._wire.send(fragment(context, command, command=True, last=True))
        if data:
            self._wire.send(fragment(context, data, command=False, last=True))

    def begin_store(self, ds: Dataset) -> None:
        self._send(IMAGES, store_command(CT, str(ds.SOPInstanceUID), self._next()), encoded(ds))

    def store(self, ds: Dataset) -> None:
        """Send it; the answer comes next."""
        self.begin_store(ds)
        assert self.hear()[0] == STORED

    def ask(self, *datasets: Dataset) -> None:
        """Ask for commitment; the answer to that comes next."""
        content = encode(request_for(*datasets), False, True)
        assert content is not None
        self._send(COMMITMENT, action_command(self._next()), content)
        assert self.hear()[:2] == (ACTED, 0)

    def hear(self) -> tuple[int, int, int, bytes]:
        """The next message: its command field, its status, its message id, its data set."""
        command, data, fields = b"", b"", dict[int, bytes]()
        while True:
            answer = self._wire.receive()
            assert answer is not None, "the association was closed"
            assert answer[0] == P_DATA, f"a PDU of type {answer[0]}"
            control = answer[1][5]
            if control & 1:
                command += answer[1][6:]
            else:
                data += answer[1][6:]
            if control == 3:
                fields = dict(_elements(command))
                if struct.unpack("<H", fields[0x0800])[0] == 0x0101:
                    break
            elif control == 2:
                break
        short = {number: struct.unpack("<H", value)[0] for number, value in fields.items() if len(value) == 2}
        return short[0x0100], short.get(0x0900, -1), short.get(0x0110, -1), data

    def answer_report(self, message_id: int) -> None:
        self._send(COMMITMENT, reported_command(message_id))

    def release(self) -> None:
        """As it should be: nothing was aborted."""
        self._wire.send(struct.pack(">BBL", RELEASE_RQ, 0, 4) + bytes(4))
        answer = self._wire.receive()
        assert answer is not None
        assert answer[0] == RELEASE_RP


def _elements(command: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(command):
        _, number, length = struct.unpack_from("<HHL", command, at)
        found.append((number, command[at + 8 : at + 8 + length]))
        at += 8 + length
    return found


def in_s3(edge: EdgeProcess, count: int) -> None:
    wait_until(lambda: edge.status()["instances_uploaded"] >= count, f"{count} instances are in S3")


def committed(data: bytes) -> set[str]:
    ds = decode(io.BytesIO(data), False, True)
    return {str(item.ReferencedSOPInstanceUID) for item in ds.ReferencedSOPSequence}


@pytest.fixture(params=[0, 1], ids=["in the edge", "in a reader"])
def edge(request: pytest.FixtureRequest, tmp_path: Path, cloud: EdgeCloud) -> EdgeProcess:
    return EdgeProcess(tmp_path, cloud.environment, receiver_processes=request.param)


def test_a_store_that_crosses_the_report_is_answered_and_so_is_the_report(edge: EdgeProcess) -> None:
    study, series = uid(), uid()
    first, crossing, last = (instance(study, series) for _ in range(3))
    with edge, wire(edge.dicom_port) as connection:
        sender = Sender(connection)
        sender.store(first)
        in_s3(edge, 1)
        sender.ask(first)
        field, _, message_id, data = sender.hear()
        assert (field, committed(data)) == (REPORT, {str(first.SOPInstanceUID)})
        sender.store(crossing)  # the report is not answered yet
        sender.answer_report(message_id)
        sender.store(last)
        sender.release()
        wait_until(lambda: edge.status()["commitments_reported"] == 1, "it is reported")
        wait_until(lambda: edge.log_lines("association released"), "it ends well")
        assert edge.status()["instances_received"] == 3


def sends_on(sender: Sender, make: Callable[[], Dataset]) -> tuple[int, bytes]:
    """Send one instance after the other, without a pause, until a report comes between two answers."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        sender.begin_store(make())
        report: tuple[int, bytes] | None = None
        while True:
            field, _, message_id, data = sender.hear()
            if field == STORED:
                break
            assert field == REPORT
            report = message_id, data
        if report is not None:
            return report
    raise AssertionError("no report, however long it goes on")


def test_a_sender_that_never_pauses_gets_its_report_between_two_messages(edge: EdgeProcess) -> None:
    study, series = uid(), uid()
    first = instance(study, series)
    with edge, wire(edge.dicom_port) as connection:
        sender = Sender(connection)
        sender.store(first)
        in_s3(edge, 1)
        sender.ask(first)
        message_id, data = sends_on(sender, lambda: instance(study, series))
        assert committed(data) == {str(first.SOPInstanceUID)}
        sender.answer_report(message_id)
        sender.store(instance(study, series))
        sender.release()
        wait_until(lambda: edge.status()["commitments_reported"] == 1, "it is reported")
