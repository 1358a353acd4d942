"""Every exchange with AWS ends: botocore's own requests go over connections with a deadline for the whole."""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, ConnectionClosedError, ProxyConnectionError, ReadTimeoutError

from edge_component.sending.direct_put.connections import Connection
from edge_component.sending.direct_put.put import DirectPut
from edge_component.sending.direct_put.transport import Transport
from edge_component.sending.exchange import ClientPut
from tests.support.edge.network.certificates import make_certificates
from tests.support.edge.network.s3_wire import SECRET, Put, Tunnel, WireS3, reply, signed_rightly, stored
from tests.unit.edge.sending.test_direct_put import KEY, LARGE, spooled

STEP = 0.2


@pytest.fixture
def s3() -> Iterator[WireS3]:
    with WireS3() as server:
        yield server


@contextmanager
def client_of(
    service: str, endpoint: str, timeout: float = 5, verify: str | None = None, *, direct: bool = True
) -> Iterator[Any]:
    config = Config(
        connect_timeout=timeout,
        read_timeout=timeout,
        retries={"total_max_attempts": 1, "mode": "standard"},
    )
    client = botocore.session.get_session().create_client(
        service,
        region_name="eu-west-1",
        endpoint_url=endpoint,
        aws_access_key_id="AKID",
        aws_secret_access_key=SECRET,
        verify=verify,
        config=config,
    )
    with closing(client), closing(Transport(timeout, verify)) as transport:
        if direct:
            transport.attach(client)
        yield client


def test_an_answer_of_a_byte_now_and_then_ends_at_the_deadline(s3: WireS3) -> None:
    s3.dribble, s3.reply = STEP / 2, lambda _put: reply()
    with client_of("s3", s3.endpoint, STEP) as client:
        put = DirectPut(client, Credentials("AKID", SECRET), None)
        with closing(put), pytest.raises(ReadTimeoutError):
            put("dicom", KEY, spooled(b"x"))
        for call in (
            lambda: client.list_parts(Bucket="dicom", Key=KEY, UploadId="1"),
            lambda: client.head_object(Bucket="dicom", Key=KEY),
            lambda: ClientPut(client)("dicom", KEY, spooled(b"x")),
        ):
            with pytest.raises(ReadTimeoutError):
                call()
    with client_of("events", s3.endpoint, STEP) as events, pytest.raises(ReadTimeoutError):
        events.put_events(Entries=[{"Source": "s", "DetailType": "d", "Detail": "{}"}])


def test_a_server_that_takes_a_byte_now_and_then_is_not_waited_for() -> None:
    impatient = partial(Connection, least=1 << 30)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        endpoint = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with client_of("s3", endpoint, STEP) as client:
            put = DirectPut(client, Credentials("AKID", SECRET), None, impatient)
            with closing(put), pytest.raises(ReadTimeoutError):
                put("dicom", KEY, spooled(LARGE * 20))


def test_a_request_is_the_one_that_botocore_would_send(s3: WireS3) -> None:
    s3.reply = lambda put: reply("200 OK", b"<R><UploadId>u</UploadId></R>" if "POST" in put.line else b"")
    parts = {"Parts": [{"PartNumber": 1, "ETag": "e", "ChecksumSHA256": "c"}]}
    where = {"Bucket": "dicom", "Key": KEY}
    part = {**where, "UploadId": "u", "PartNumber": 1}
    calls: list[Callable[[Any], Any]] = [
        lambda c: c.create_multipart_upload(**where, ChecksumAlgorithm="SHA256"),
        lambda c: c.list_parts(**where, UploadId="u"),
        lambda c: c.head_object(**where, ChecksumMode="ENABLED"),
        lambda c: c.upload_part(**part, Body=io.BytesIO(LARGE), ChecksumSHA256="c"),
        lambda c: c.complete_multipart_upload(**where, UploadId="u", MultipartUpload=parts),
        lambda c: c.abort_multipart_upload(**where, UploadId="u"),
    ]
    for direct in (False, True):
        with client_of("s3", s3.endpoint, direct=direct) as client:
            for call in calls:
                call(client)
    for theirs, ours in zip(s3.puts[: len(calls)], s3.puts[len(calls) :], strict=True):
        assert (ours.line, ours.body) == (theirs.line, theirs.body)
        assert unchanging(ours) == unchanging(theirs)
        assert signed_rightly(ours) == signed_rightly(theirs)


def unchanging(put: Put) -> dict[str, str]:
    changing = {
        "authorization", "x-amz-date", "amz-sdk-invocation-id", "expect", "user-agent", "accept-encoding"
    }  # fmt: skip
    return {name: value for name, value in put.headers.items() if name not in changing}


def test_errors_and_answers_without_a_body_are_botocores(s3: WireS3) -> None:
    s3.reply = lambda _put: reply("404 Not Found")
    with client_of("s3", s3.endpoint) as client:
        with pytest.raises(ClientError) as raised:
            client.head_object(Bucket="dicom", Key=KEY)
        assert raised.value.response["Error"]["Code"] == "404"
        s3.reply = lambda _put: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx-amz-checksum-sha256: c\r\n\r\n"
        assert client.head_object(Bucket="dicom", Key=KEY)["ChecksumSHA256"] == "c"


def test_a_request_that_was_sent_twice_proves_nothing_about_what_exists(s3: WireS3) -> None:
    """The first may have been stored before the kept connection was closed."""
    with client_of("s3", s3.endpoint) as client:
        put = DirectPut(client, Credentials("AKID", SECRET), None)
        put("dicom", KEY, spooled(b"x"))
        refusal = reply("412 Precondition Failed", b"<Error><Code>No</Code></Error>")
        answers: list[bytes | None] = [None, refusal]
        s3.reply = lambda _put: answers.pop(0)
        with closing(put), pytest.raises(ConnectionClosedError):
            put("dicom", KEY, spooled(b"x"))
    assert answers == []


def test_https_goes_through_a_proxy_with_a_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = make_certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    with WireS3(tls=context) as s3, Tunnel() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//edge:p%40ss@"))
        monkeypatch.setenv("NO_PROXY", "")
        with client_of("s3", s3.endpoint, verify=str(certificates.ca)) as client:
            file = spooled(LARGE)
            assert ClientPut(client)("dicom", KEY, file) == file.checksum
            [head] = proxy.heads
            assert head.startswith(f"CONNECT {s3.endpoint.removeprefix('https://')} HTTP/1.1\r\n".encode())
            assert b"Proxy-Authorization: Basic ZWRnZTpwQHNz\r\n" in head
        with client_of("s3", s3.endpoint, STEP, str(certificates.ca)) as client:
            s3.dribble, s3.reply = STEP / 2, lambda _put: reply()
            with pytest.raises(ReadTimeoutError):
                client.head_object(Bucket="dicom", Key=KEY)
            proxy.status = b"407 Proxy Authentication Required"
            with pytest.raises(ProxyConnectionError):
                client.head_object(Bucket="dicom", Key=KEY)


def test_http_goes_through_a_proxy_in_the_absolute_form(s3: WireS3, monkeypatch: pytest.MonkeyPatch) -> None:
    with WireS3() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint)
        monkeypatch.setenv("NO_PROXY", "")
        with client_of("s3", s3.endpoint) as client:
            file = spooled(b"x")
            assert ClientPut(client)("dicom", KEY, file) == file.checksum
        assert [put.line for put in proxy.puts] == [f"PUT {s3.endpoint}/dicom/{KEY} HTTP/1.1"]
        assert proxy.puts[0].headers["host"] == s3.endpoint.removeprefix("http://")


def test_what_a_proxy_stored_is_answered(s3: WireS3) -> None:
    s3.reply = stored
    with client_of("s3", s3.endpoint) as client:
        file = spooled(b"")
        assert ClientPut(client)("dicom", KEY, file) == file.checksum
