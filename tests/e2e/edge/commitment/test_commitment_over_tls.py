"""Reports of storage commitment over DICOM TLS, against pynetdicom's listener."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from dicom_ingest.contracts.configuration.senders import CommitmentPeer
from edge_component.commitment.delivery import report_to
from edge_component.dimse.tls import client_context
from edge_component.records.commitment import Verdicts, event_information
from edge_component.settings import Settings
from tests.e2e.edge.commitment.test_storage_commitment import Modality, request_for
from tests.support.edge.aws import EdgeCloud
from tests.support.edge.dicom import instance, send
from tests.support.edge.network.certificates import Certificates, make_certificates
from tests.support.edge.process import EdgeProcess
from tests.support.edge.stand_ins import settings as edge_settings


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Of another authority."""
    return make_certificates(tmp_path_factory.mktemp("strangers"))


def listener(own: Certificates, clients: Certificates) -> ssl.SSLContext:
    """Asks for a certificate of the clients' authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(clients.ca))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(own.certificate, own.key)
    return context


def sender(port: int, host: str = "127.0.0.1", *, tls: bool = True) -> dict[str, object]:
    peer = {"ae": "MODALITY", "host": host, "port": port, "tls": tls}
    return {"calling_ae": "MODALITY", "commitment": peer}


def reported(folder: Path, certificates: Certificates, port: int, host: str = "127.0.0.1") -> bool:
    """Whether a report is told to whoever listens there."""
    settings: Settings = edge_settings(
        folder,
        tls_certificate=certificates.certificate,
        tls_key=certificates.key,
        tls_client_ca=certificates.ca,
        association_timeout=5,
        senders=[sender(port, host)],
    )
    peer = settings.senders[0].commitment
    assert isinstance(peer, CommitmentPeer)
    event_type, information = event_information("1.2.3", Verdicts((), (), ()))
    return report_to(peer, settings, event_type, information, tls=client_context(settings)).end == "delivered"


def test_a_report_goes_over_tls_and_both_sides_show_a_certificate(
    tmp_path: Path, cloud: EdgeCloud, certificates: Certificates
) -> None:
    modality, ds = Modality(), instance()
    with modality.listening(listener(certificates, certificates)) as port:
        edge = EdgeProcess(
            tmp_path,
            cloud.environment,
            senders=[sender(port)],
            tls_certificate=str(certificates.certificate),
            tls_key=str(certificates.key),
            tls_client_ca=str(certificates.ca),
        )
        with edge:
            assert send(edge.dicom_port, [ds]) == [0]
            assert modality.ask(edge.dicom_port, request_for(ds)) == 0
            event_type, report = modality.reports.get(timeout=30)
    assert event_type == 1
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == [ds.SOPInstanceUID]


def test_a_peer_is_told_only_if_its_certificate_is_of_our_authority_and_for_its_host(
    tmp_path: Path, certificates: Certificates, strangers: Certificates
) -> None:
    modality = Modality()
    with modality.listening(listener(certificates, certificates)) as port:
        assert not reported(tmp_path, certificates, port, host="localhost"), "it is for 127.0.0.1"
        assert not reported(tmp_path, strangers, port), "its authority is not ours"
        assert modality.reports.empty()
        assert reported(tmp_path, certificates, port)
    with modality.listening() as port:
        assert not reported(tmp_path, certificates, port), "it speaks no TLS"


def test_the_systems_authorities_are_asked_where_none_are_named(tmp_path: Path) -> None:
    context = client_context(edge_settings(tmp_path, senders=[sender(104)]))
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert client_context(edge_settings(tmp_path, senders=[sender(104, tls=False)])) is None
