"""Storage commitment (PS3.4 J) against pynetdicom's implementation of the other side."""

from __future__ import annotations

import queue
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.dsutils import encode
from pynetdicom.pdu import P_DATA_TF

from local.sending.sender import keep_answers
from tests.support.edge.aws import EdgeCloud
from tests.support.edge.dicom import encoded, instance, send, uid
from tests.support.edge.network.wire import CT, EXPLICIT, IMPLICIT, element, fragment, store_command, wire
from tests.support.edge.process import EdgeProcess
from tests.support.machine.waiting import wait_until

PUSH_MODEL, WELL_KNOWN = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
Report = tuple[int, Dataset]


def request_for(*datasets: Dataset, transaction: str | None = None) -> Dataset:
    wanted = Dataset()
    wanted.TransactionUID = transaction or uid()
    wanted.ReferencedSOPSequence = []
    for ds in datasets:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
        wanted.ReferencedSOPSequence.append(item)
    return wanted


class Modality:
    """Asks, and listens for reports on a port of its own and on the association that asked."""

    def __init__(self) -> None:
        self.reports: queue.Queue[Report] = queue.Queue()
        self.ae = ApplicationEntity("MODALITY")
        self.ae.acse_timeout = self.ae.dimse_timeout = self.ae.network_timeout = 30
        self.ae.add_requested_context(PUSH_MODEL)
        self.ae.add_supported_context(PUSH_MODEL, scu_role=True, scp_role=True)
        self.answer = 0x0000
        self.heard: list[str] = []
        self._unanswered: list[Report] = []
        self._handlers = [(evt.EVT_N_EVENT_REPORT, self.on_report), (evt.EVT_PDU_SENT, self.on_sent)]

    def on_report(self, event: Any) -> tuple[int, None]:
        self.heard.append(event.assoc.requestor.ae_title)
        self._unanswered.append((event.event_type, event.event_information))
        return self.answer, None

    def on_sent(self, event: Any) -> None:
        """A report is there when its answer is out: pynetdicom breaks where somebody releases before that."""
        if isinstance(event.pdu, P_DATA_TF):
            while self._unanswered:
                self.reports.put(self._unanswered.pop(0))

    @contextmanager
    def listening(self, tls: ssl.SSLContext | None = None) -> Iterator[int]:
        server = self.ae.start_server(
            ("127.0.0.1", 0),
            block=False,
            evt_handlers=self._handlers,
            ssl_context=tls,
        )
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()

    @contextmanager
    def association(self, port: int) -> Iterator[Any]:
        assoc = self.ae.associate("127.0.0.1", port, evt_handlers=self._handlers)
        assert assoc.is_established
        try:
            yield assoc
        finally:
            assoc.release()

    def ask(self, port: int, wanted: Dataset, action: int = 1) -> int:
        with self.association(port) as assoc:
            status, _ = assoc.send_n_action(wanted, action, PUSH_MODEL, WELL_KNOWN)
            return int(status.Status)


def edge_for(folder: Path, cloud: EdgeCloud, port: int, **settings: Any) -> EdgeProcess:
    peer = {"calling_ae": "MODALITY", "commitment": {"ae": "MODALITY", "host": "127.0.0.1", "port": port}}
    return EdgeProcess(folder, cloud.environment, senders=[peer], **settings)


def test_instances_in_s3_are_committed_on_a_new_association(tmp_path: Path, cloud: EdgeCloud) -> None:
    modality, datasets = Modality(), [instance(), instance()]
    with modality.listening() as port, edge_for(tmp_path, cloud, port, ae_title="EDGE9") as edge:
        assert send(edge.dicom_port, datasets) == [0, 0]
        wanted = request_for(*datasets)
        assert modality.ask(edge.dicom_port, wanted) == 0
        event_type, report = modality.reports.get(timeout=30)
    assert (event_type, modality.heard) == (1, ["EDGE9"])
    assert report.TransactionUID == wanted.TransactionUID
    assert {item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence} == {
        ds.SOPInstanceUID for ds in datasets
    }
    assert "FailedSOPSequence" not in report


def test_what_cannot_be_committed_is_named_with_its_reason(tmp_path: Path, cloud: EdgeCloud) -> None:
    modality, known = Modality(), instance()
    unknown, other_class = (
        instance(),
        instance(sop=str(known.SOPInstanceUID), sop_class="1.2.840.10008.5.1.4.1.1.4"),
    )
    with modality.listening() as port, edge_for(tmp_path, cloud, port) as edge:
        assert send(edge.dicom_port, [known]) == [0]
        assert modality.ask(edge.dicom_port, request_for(known, unknown, other_class)) == 0
        event_type, report = modality.reports.get(timeout=30)
    assert event_type == 2
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == [known.SOPInstanceUID]
    assert {(i.ReferencedSOPInstanceUID, i.FailureReason) for i in report.FailedSOPSequence} == {
        (unknown.SOPInstanceUID, 0x0112),
        (known.SOPInstanceUID, 0x0119),
    }


def test_instances_in_the_spool_are_pending_until_s3_has_them_over_a_restart(
    tmp_path: Path, cloud: EdgeCloud
) -> None:
    modality, ds = Modality(), instance()
    away = {**cloud.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    with modality.listening() as port:
        edge = edge_for(tmp_path, cloud, port)
        there = edge.environment
        edge.environment = {**there, **away}
        with edge:
            assert send(edge.dicom_port, [ds]) == [0]
            assert modality.ask(edge.dicom_port, request_for(ds)) == 0
            wait_until(lambda: edge.log_lines("upload failed"), "an upload was tried")
            edge.kill()
            assert modality.reports.empty()
        edge.environment = there
        with edge:
            event_type, _ = modality.reports.get(timeout=30)
    assert event_type == 1


def test_after_the_patience_a_pending_instance_has_failed(tmp_path: Path, cloud: EdgeCloud) -> None:
    modality, ds = Modality(), instance()
    away = EdgeCloud("http://127.0.0.1:1", cloud.s3, cloud.sqs, cloud.queue_url)
    with (
        modality.listening() as port,
        edge_for(tmp_path, away, port, commitment_patience_seconds=1) as edge,
    ):
        assert send(edge.dicom_port, [ds]) == [0]
        assert modality.ask(edge.dicom_port, request_for(ds)) == 0
        event_type, report = modality.reports.get(timeout=30)
    assert (event_type, report.FailedSOPSequence[0].FailureReason) == (2, 0x0110)


def test_without_a_configured_peer_the_report_comes_on_the_same_association(edge: EdgeProcess) -> None:
    modality, ds = Modality(), instance()
    assert send(edge.dicom_port, [ds]) == [0]
    with modality.association(edge.dicom_port) as assoc:
        status, _ = assoc.send_n_action(request_for(ds), 1, PUSH_MODEL, WELL_KNOWN)
        assert status.Status == 0
        assert modality.reports.get(timeout=30)[0] == 1


def test_another_request_under_an_open_transaction_uid_is_told_so(tmp_path: Path, cloud: EdgeCloud) -> None:
    modality, first, second = Modality(), instance(), instance()
    away = EdgeCloud("http://127.0.0.1:1", cloud.s3, cloud.sqs, cloud.queue_url)
    with modality.listening() as port, edge_for(tmp_path, away, port) as edge:
        assert send(edge.dicom_port, [first]) == [0]
        transaction = uid()
        assert modality.ask(edge.dicom_port, request_for(first, transaction=transaction)) == 0
        assert modality.ask(edge.dicom_port, request_for(first, transaction=transaction)) == 0
        assert modality.ask(edge.dicom_port, request_for(second, transaction=transaction)) == 0
        event_type, report = modality.reports.get(timeout=30)
        assert modality.reports.empty()
    assert (event_type, report.FailedSOPSequence[0].FailureReason) == (2, 0x0131)


def test_a_request_that_is_none_is_refused(edge: EdgeProcess) -> None:
    modality = Modality()
    assert modality.ask(edge.dicom_port, request_for(instance()), action=2) == 0x0123
    assert modality.ask(edge.dicom_port, request_for()) == 0x0115


def test_a_report_comes_between_the_messages_of_a_sender_that_goes_on_sending(edge: EdgeProcess) -> None:
    modality, datasets = Modality(), [instance() for _ in range(60)]
    modality.ae.add_requested_context(datasets[0].SOPClassUID, "1.2.840.10008.1.2.1")
    assert send(edge.dicom_port, datasets[:1]) == [0]
    with modality.association(edge.dicom_port) as assoc:
        keep_answers(assoc)
        status, _ = assoc.send_n_action(request_for(datasets[0]), 1, PUSH_MODEL, WELL_KNOWN)
        assert status.Status == 0
        for ds in datasets[1:]:
            if not modality.reports.empty():
                break
            assert assoc.send_c_store(ds).Status == 0
            time.sleep(0.3)  # as a modality does between two exposures
        assert modality.reports.get(timeout=1)[0] == 1


def test_a_c_store_that_crosses_a_report_is_served_and_so_is_the_report(edge: EdgeProcess) -> None:
    first, crossing = instance(), instance()
    assert send(edge.dicom_port, [first]) == [0]
    information = encode(request_for(first), True, True)
    assert information is not None
    with wire(edge.dicom_port) as peer:
        peer.associate([(1, CT, [EXPLICIT]), (3, PUSH_MODEL, [IMPLICIT])])
        action = element(0, 0x0003, PUSH_MODEL.encode()) + element(0, 0x0100, b"\x30\x01")
        action += element(0, 0x0110, b"\7\0") + element(0, 0x0800, b"\1\0")
        action += element(0, 0x1001, WELL_KNOWN.encode()) + element(0, 0x1008, b"\1\0")
        peer.send(fragment(3, action, command=True, last=True))
        peer.send(fragment(3, information, command=False, last=True))
        assert peer.status()[0] == 0
        report = peer.receive()
        assert report is not None
        assert b"\x00\x00\x00\x01\x02\x00\x00\x00\x00\x01" in report[1]  # (0000,0100) N-EVENT-REPORT-RQ
        content = peer.receive()
        assert content is not None
        assert str(first.SOPInstanceUID).encode() in content[1]
        peer.send(fragment(1, store_command(CT, str(crossing.SOPInstanceUID)), command=True, last=True))
        peer.send(fragment(1, encoded(crossing), command=False, last=True))
        assert peer.status()[0] == 0
        answer = element(0, 0x0100, b"\0\x81") + element(0, 0x0120, b"\1\0")
        answer += element(0, 0x0800, b"\1\1") + element(0, 0x0900, b"\0\0")
        peer.send(fragment(3, answer, command=True, last=True))
        wait_until(lambda: edge.log_lines("storage commitment reported"), "the report is delivered")
