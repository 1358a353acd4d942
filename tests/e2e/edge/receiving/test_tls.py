"""DICOM TLS on its own port, with and without client certificates."""

from __future__ import annotations

import json
import socket
import ssl
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from pynetdicom.ae import ApplicationEntity

from edge_component.dimse.tls import expires_at, server_context
from tests.support.edge.aws import EdgeCloud
from tests.support.edge.dicom import echo, encoded, send, series_of
from tests.support.edge.network.certificates import Certificates, make_certificates
from tests.support.edge.network.wire import A_ABORT, Wire
from tests.support.edge.process import EdgeProcess
from tests.support.edge.stand_ins import settings
from tests.support.machine.waiting import wait_until


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def edge_with_tls(
    folder: Path, cloud: EdgeCloud, certificates: Certificates, **settings: object
) -> EdgeProcess:
    return EdgeProcess(
        folder,
        cloud.environment,
        tls_port=0,
        tls_certificate=str(certificates.certificate),
        tls_key=str(certificates.key),
        association_timeout=2,
        **settings,
    )


def tls_port(edge: EdgeProcess) -> int:
    return int(json.loads(edge.ready.read_text())["tls_port"])


def client(certificates: Certificates, *, with_certificate: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificates.ca)
    if with_certificate:
        context.load_cert_chain(certificates.certificate, certificates.key)
    return context


def tls_echo(port: int, context: ssl.SSLContext) -> bool:
    ae = ApplicationEntity("TLS")
    ae.acse_timeout = ae.dimse_timeout = ae.connection_timeout = 5
    ae.add_requested_context("1.2.840.10008.1.1")
    assoc = ae.associate("127.0.0.1", port, tls_args=(context, "127.0.0.1"))
    if not assoc.is_established:
        return False
    status = assoc.send_c_echo()
    assoc.release()
    return bool(status.Status == 0)


def refused(port: int, context: ssl.SSLContext) -> bool:
    """TLS 1.3 says so after the handshake."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            secure.sendall(b"\1")
            return secure.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True


def test_tls_and_plain_are_served_side_by_side(
    tmp_path: Path, cloud: EdgeCloud, certificates: Certificates
) -> None:
    with edge_with_tls(tmp_path, cloud, certificates) as edge:
        assert echo(edge.dicom_port)
        assert tls_echo(tls_port(edge), client(certificates, with_certificate=False))
        # A client that never says hello holds up nobody.
        with socket.create_connection(("127.0.0.1", tls_port(edge))):
            began = time.monotonic()
            assert tls_echo(tls_port(edge), client(certificates, with_certificate=False))
            assert time.monotonic() - began < 1.5


def test_a_silent_peer_is_aborted_over_tls_too(
    tmp_path: Path, cloud: EdgeCloud, certificates: Certificates
) -> None:
    context = client(certificates, with_certificate=False)
    with edge_with_tls(tmp_path, cloud, certificates, network_timeout=1) as edge, ExitStack() as peers:
        for begun in (b"", b"\x04\0\0\0\x10\0abc"):
            peer = Wire(tls_port(edge))
            peer.socket = peers.enter_context(context.wrap_socket(peer.socket, server_hostname="127.0.0.1"))
            peer.associate()
            peer.send(begun)
            answer = peer.receive()
            assert answer is not None
            assert answer[0] == A_ABORT
        wait_until(lambda: edge.status()["open_connections"] == 0, "they are over")


def test_a_series_sent_over_tls_is_announced_as_it_was_sent(
    tmp_path: Path, cloud: EdgeCloud, certificates: Certificates
) -> None:
    datasets = series_of(4, pixels=768 * 1024)  # many TLS records, many PDUs
    context = client(certificates, with_certificate=False)
    with edge_with_tls(tmp_path, cloud, certificates) as edge:
        statuses = send(tls_port(edge), datasets, tls_args=(context, "127.0.0.1"))
        assert statuses == [0] * 4
        wait_until(lambda: edge.status()["series_announced"], "the series is announced")
    [event] = cloud.announcements()
    found = {i.sop_instance_uid: cloud.body(i.key) for i in cloud.manifest(event["detail"]).instances}
    assert found.keys() == {str(ds.SOPInstanceUID) for ds in datasets}
    for ds in datasets:
        assert found[str(ds.SOPInstanceUID)].endswith(encoded(ds))


def test_tls_older_than_1_2_is_refused(tmp_path: Path, cloud: EdgeCloud, certificates: Certificates) -> None:
    with edge_with_tls(tmp_path, cloud, certificates) as edge:
        context = client(certificates, with_certificate=False)
        context.set_ciphers("AES128-SHA")  # no forward secrecy
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        assert refused(tls_port(edge), context)


def test_a_client_certificate_is_asked_for_where_a_ca_is_configured(
    tmp_path: Path, cloud: EdgeCloud, certificates: Certificates
) -> None:
    given = {"tls_client_ca": str(certificates.ca), "plain_dicom": False}
    with edge_with_tls(tmp_path, cloud, certificates, **given) as edge:
        assert tls_echo(tls_port(edge), client(certificates, with_certificate=True))
        assert refused(tls_port(edge), client(certificates, with_certificate=False))


@pytest.mark.parametrize("strict", [True, False])
def test_strict_checking_of_certificates_is_a_setting(
    tmp_path: Path, certificates: Certificates, strict: bool
) -> None:
    given = settings(
        tmp_path,
        tls_port=2762,
        tls_certificate=certificates.certificate,
        tls_key=certificates.key,
        tls_client_ca=certificates.ca,
        tls_strict=strict,
    )
    context = server_context(given)
    assert context is not None
    assert bool(context.verify_flags & ssl.VERIFY_X509_STRICT) == strict
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_the_end_of_a_certificate_is_read(certificates: Certificates) -> None:
    assert expires_at(certificates.certificate) == certificates.expires
