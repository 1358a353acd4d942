"""PutObject the short way does what botocore's client does, and leaves to it what it does not know."""

from __future__ import annotations

import hashlib
import io
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.credentials import CredentialResolver, Credentials, RefreshableCredentials
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from zlib_ng.zlib_ng import crc32

from edge_component.line.line import PausedError
from edge_component.sending.answers import Exists, UnreadableError, meaning
from edge_component.sending.direct_put.answers import read_answer
from edge_component.sending.direct_put.connections import Connect, Connection, Server
from edge_component.sending.direct_put.put import DirectPut
from edge_component.sending.direct_put.template import learn, stop_probes
from edge_component.sending.exchange import PUT_PARAMETERS, ClientPut
from edge_component.sending.verified import PIECE_BYTES, VerifiedFile
from tests.support.edge.network.certificates import Certificates, make_certificates
from tests.support.edge.network.s3_wire import SECRET, WireS3, reply, signed_rightly, stored
from tests.support.machine.waiting import wait_until

CREDENTIALS = Credentials("AKID", SECRET)
KEY = "test-edge1/0b5c/1.2/1.2.3/1.2.3.4.dcm"
LARGE = bytes(range(256)) * (3 * PIECE_BYTES // 256) + b"the end"


@pytest.fixture
def s3() -> Iterator[WireS3]:
    with WireS3() as server:
        yield server


class Make:
    """Clients and direct PUTs that are closed after the test."""

    def __init__(self) -> None:
        self.made = ExitStack()

    def client(self, endpoint: str | None, timeout: float = 5, verify: str | None = None, **more: Any) -> Any:
        config = Config(
            connect_timeout=timeout,
            read_timeout=timeout,
            retries={"total_max_attempts": 1, "mode": "standard"},
            **more,
        )
        client = botocore.session.get_session().create_client(
            "s3",
            region_name="eu-west-1",
            endpoint_url=endpoint,
            aws_access_key_id="AKID",
            aws_secret_access_key=SECRET,
            verify=verify,
            config=config,
        )
        self.made.callback(client.close)
        return client

    def by_client(self, endpoint: str) -> ClientPut:
        return ClientPut(self.client(endpoint))

    def direct(
        self,
        client: Any,
        credentials: Credentials | None = CREDENTIALS,
        verify: str | None = None,
        connect: Connect | None = None,
    ) -> DirectPut:
        return self.made.enter_context(closing(DirectPut(client, credentials, verify, connect)))

    def direct_to(
        self, endpoint: str, timeout: float = 5, verify: str | None = None, connect: Connect | None = None
    ) -> DirectPut:
        return self.direct(self.client(endpoint, timeout, verify), verify=verify, connect=connect)


@pytest.fixture
def make() -> Iterator[Make]:
    found = Make()
    with found.made:
        yield found


def spooled(content: bytes, acknowledged: bytes | None = None, *, just_hashed: bool = False) -> VerifiedFile:
    known = content if acknowledged is None else acknowledged
    crc = crc32(known) if just_hashed else None
    return VerifiedFile(io.BytesIO(content), len(known), hashlib.sha256(known).hexdigest(), crc)


def answering(s3: WireS3, answer: bytes) -> None:
    s3.reply = lambda _put: answer


@pytest.mark.parametrize("content", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_the_whole_file_arrives_signed_with_its_checksum(s3: WireS3, content: bytes, make: Make) -> None:
    file = spooled(content)
    assert make.direct_to(s3.endpoint)("dicom", KEY, file) == file.checksum
    [put] = s3.puts
    assert (put.line, put.body) == (f"PUT /dicom/{KEY} HTTP/1.1", content)
    assert put.headers["x-amz-content-sha256"] == hashlib.sha256(content).hexdigest()
    assert signed_rightly(put)


def test_its_headers_are_those_of_botocores_own_request(s3: WireS3, make: Make) -> None:
    botocores = make.client(s3.endpoint)
    ClientPut(botocores)("dicom", KEY, spooled(LARGE))
    make.direct(botocores)("dicom", KEY, spooled(LARGE))
    theirs, ours = s3.puts
    changing = {"authorization", "x-amz-date", "user-agent"}
    left_out = {"expect", "amz-sdk-invocation-id", "amz-sdk-request", "accept-encoding"}
    assert ours.line == theirs.line
    assert set(theirs.headers) - set(ours.headers) == left_out & set(theirs.headers)
    kept = set(ours.headers) - changing
    assert {name: ours.headers[name] for name in kept} == {name: theirs.headers[name] for name in kept}
    assert signed_rightly(theirs)


def test_nothing_is_sent_to_find_out_how(s3: WireS3, make: Make) -> None:
    make.direct_to(s3.endpoint)("dicom", KEY, spooled(b"x"))
    assert len(s3.puts) == s3.connections == 1


def test_many_at_once_use_a_connection_each_and_keep_it(s3: WireS3, make: Make) -> None:
    put = make.direct_to(s3.endpoint)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: put("dicom", f"{n}.dcm", spooled(b"%d" % n * 9000)), range(40)))
    assert {p.line.split("/")[-2].split(" ")[0]: p.body for p in s3.puts} == {
        f"{n}.dcm": b"%d" % n * 9000 for n in range(40)
    }
    assert s3.connections <= 4
    put.close()
    wait_until(lambda: s3.closed == s3.connections, "idle connections are closed")


def test_credentials_that_are_renewed_are_used_at_once_token_and_all(s3: WireS3, make: Make) -> None:
    botocores = make.client(s3.endpoint)
    tokens = iter(("second", "third"))

    def renew() -> dict[str, str]:
        return {
            "access_key": "AKID", "secret_key": SECRET, "token": next(tokens),
            "expiry_time": "2030-01-01T00:00:00Z",
        }  # fmt: skip

    credentials = RefreshableCredentials.create_from_metadata(
        {"access_key": "AKID", "secret_key": SECRET, "token": "first", "expiry_time": "2020-01-01T00:00:00Z"},
        renew,
        "test",
    )
    make.direct(botocores, credentials)("dicom", KEY, spooled(b"x"))
    assert s3.puts[0].headers["x-amz-security-token"] == "second"
    assert signed_rightly(s3.puts[0])


def test_without_credentials_botocore_says_so(s3: WireS3, make: Make) -> None:
    session = botocore.session.get_session()
    session.register_component("credential_provider", CredentialResolver([]))
    client = session.create_client("s3", "eu-west-1", endpoint_url=s3.endpoint)
    with closing(client), pytest.raises(NoCredentialsError):
        make.direct(client, session.get_credentials())("dicom", KEY, spooled(b"x"))


ERRORS = [
    ("412 Precondition Failed", "PreconditionFailed"),
    ("403 Forbidden", "RequestTimeTooSkewed"),
    ("400 Bad Request", "ExpiredToken"),
    ("400 Bad Request", "BadDigest"),
    ("503 Slow Down", "SlowDown"),
    ("500 Internal Server Error", "InternalError"),
]


@pytest.mark.parametrize(("status", "code"), ERRORS)
def test_errors_are_those_of_botocores_client(s3: WireS3, status: str, code: str, make: Make) -> None:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>No.</Message></Error>".encode()
    answering(s3, reply(status, body, "x-amz-request-id: R1"))
    with pytest.raises(ClientError) as theirs:
        make.by_client(s3.endpoint)("dicom", KEY, spooled(b"x"))
    with pytest.raises(ClientError) as ours:
        make.direct_to(s3.endpoint)("dicom", KEY, spooled(b"x"))
    assert ours.value.response["Error"] == theirs.value.response["Error"]
    assert ours.value.response["Error"]["Code"] == code
    for fact in ("HTTPStatusCode", "RequestId"):
        assert (
            ours.value.response["ResponseMetadata"][fact] == theirs.value.response["ResponseMetadata"][fact]
        )
    assert type(ours.value) is type(theirs.value)
    assert isinstance(meaning(ours.value), Exists) == (code == "PreconditionFailed")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 503 Slow\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"24\r\n<Error><Code>SlowDown</Code></Error>\r\n0\r\n\r\n",
        b"HTTP/1.1 503 Slow\r\nConnection: close\r\n\r\n<Error><Code>SlowDown</Code></Error>",
        b"HTTP/1.1 100 Continue\r\n\r\n" + reply("503 Slow", b"<Error><Code>SlowDown</Code></Error>"),
    ],
    ids=["chunked", "until the end", "after a continue"],
)
def test_an_error_is_read_however_it_is_framed(s3: WireS3, answer: bytes, make: Make) -> None:
    s3.close_after = True
    answering(s3, answer)
    with pytest.raises(ClientError) as raised:
        make.direct_to(s3.endpoint)("dicom", KEY, spooled(b"x"))
    assert raised.value.response["Error"]["Code"] == "SlowDown"


def test_an_error_without_xml_has_its_status(s3: WireS3, make: Make) -> None:
    answering(s3, reply("502 Bad Gateway", b"<html><body>proxy</body></html>", "Content-Type: text/html"))
    with pytest.raises(ClientError) as raised:
        make.direct_to(s3.endpoint)("dicom", KEY, spooled(b"x"))
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502


@pytest.mark.parametrize("more", [b"", b"some text"])
def test_success_is_recognised_however_it_is_framed(s3: WireS3, more: bytes, make: Make) -> None:
    file = spooled(LARGE)
    answering(s3, reply("200 OK", more, "Connection: close", f"X-Amz-Checksum-SHA256: {file.checksum}"))
    put = make.direct_to(s3.endpoint)
    assert [put("dicom", KEY, file), put("dicom", KEY, file)] == [file.checksum] * 2


def test_an_answer_without_a_checksum_has_none(s3: WireS3, make: Make) -> None:
    answering(s3, reply())
    assert make.direct_to(s3.endpoint)("dicom", KEY, spooled(b"x")) is None


PARTS = st.sampled_from(
    [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 503 No\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.0 200\r\n",
     b"Content-Length: 0\r\n", b"Content-Length: 3\r\n", b"Content-Length: -1\r\n", b"Content-Length: x\r\n",
     b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(answer=st.lists(st.one_of(PARTS, st.binary(max_size=20)), max_size=8).map(b"".join))
def test_whatever_is_answered_is_an_answer_or_the_end_of_the_connection(answer: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)
        with suppress(OSError, HTTPException):
            found = read_answer(ours)
            assert 100 <= found.status <= 999
            assert not (found.reusable and found.status != 200)


def test_a_redirect_is_followed_by_botocore_and_the_new_place_is_learned(s3: WireS3, make: Make) -> None:
    """A bucket whose region is not the client's."""
    elsewhere = reply("400 Bad Request", b"<Error><Code>Unknown</Code></Error>")
    s3.reply = lambda put: elsewhere if len(s3.puts) == 1 else stored(put)
    put = make.direct_to(s3.endpoint)
    file = spooled(LARGE)
    assert [put("dicom", KEY, file), put("dicom", KEY, file)] == [file.checksum] * 2
    assert ["amz-sdk-request" in p.headers for p in s3.puts] == [False, True, False]


def test_a_connection_that_was_closed_meanwhile_costs_no_failure(s3: WireS3, make: Make) -> None:
    s3.close_after = True
    put = make.direct_to(s3.endpoint)
    file = spooled(LARGE)
    assert [put("dicom", str(n), file) for n in range(20)] == [file.checksum] * 20
    assert all(p.body == LARGE for p in s3.puts)


@pytest.mark.parametrize("second", [EndpointConnectionError(endpoint_url="s3"), PausedError()])
def test_what_was_sent_once_may_be_stored_although_it_cannot_be_sent_again(
    s3: WireS3, make: Make, second: Exception
) -> None:
    made: list[Connection] = []

    def only_once(server: Server) -> Connection:
        if made:
            raise second
        made.append(Connection(server))
        return made[0]

    put = make.direct_to(s3.endpoint, connect=only_once)
    put("dicom", KEY, spooled(b"first"))
    s3.reply = lambda _put: None
    with pytest.raises(ConnectionClosedError) as error:
        put("dicom", KEY, spooled(b"second"))
    assert s3.puts[-1].body == b"second"
    assert getattr(meaning(error.value), "unsure", False)


def test_a_connection_that_ends_without_an_answer_is_an_error(s3: WireS3, make: Make) -> None:
    s3.reply = lambda _put: None
    with pytest.raises(ConnectionClosedError):
        make.direct_to(s3.endpoint)("dicom", KEY, spooled(LARGE))


def test_silence_is_a_time_out(s3: WireS3, make: Make) -> None:
    over = threading.Event()
    s3.reply = lambda _put: stored(s3.puts[0]) if over.wait(30) else None
    with pytest.raises(ReadTimeoutError):
        make.direct_to(s3.endpoint, timeout=0.1)("dicom", KEY, spooled(b"x"))
    over.set()


def test_nobody_there_is_an_endpoint_error(s3: WireS3, make: Make) -> None:
    endpoint = s3.endpoint
    s3.__exit__()
    with pytest.raises(EndpointConnectionError):
        make.direct_to(endpoint)("dicom", KEY, spooled(b"x"))
    s3.__enter__()


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "large"])
@pytest.mark.parametrize("just_hashed", [False, True])
def test_an_altered_file_is_never_sent_whole(
    s3: WireS3, content: bytes, make: Make, *, just_hashed: bool
) -> None:
    put = make.direct_to(s3.endpoint)
    with pytest.raises(UnreadableError, match="altered"):
        put("dicom", KEY, spooled(content[:-1] + b"!", content, just_hashed=just_hashed))
    put("dicom", KEY, spooled(b"next", just_hashed=just_hashed))
    wait_until(lambda: s3.closed >= 1, "the connection of the altered file is closed")
    assert [p.body for p in s3.puts if p.whole] == [b"next"]


@pytest.mark.parametrize("content", [LARGE[:-1], LARGE + b"!"], ids=["shorter", "longer"])
def test_a_file_of_another_size_is_altered(s3: WireS3, content: bytes, make: Make) -> None:
    with pytest.raises(UnreadableError, match="altered"):
        make.direct_to(s3.endpoint)("dicom", KEY, spooled(content, LARGE))
    assert s3.puts == []


def test_a_disk_that_fails_is_not_taken_for_the_network(s3: WireS3, make: Make) -> None:
    class Broken(io.BytesIO):
        def readinto(self, _buffer: Any) -> int:
            raise OSError(5, "Input/output error")

    file = VerifiedFile(Broken(b"x"), 1, hashlib.sha256(b"x").hexdigest())
    with pytest.raises(UnreadableError, match="cannot be read: Input/output error"):
        make.direct_to(s3.endpoint)("dicom", KEY, file)


def secure(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    return context


def test_tls_is_checked_against_the_named_authorities(tmp_path: Path, make: Make) -> None:
    certificates = make_certificates(tmp_path)
    with WireS3(tls=secure(certificates)) as s3:
        file = spooled(LARGE)
        put = make.direct_to(s3.endpoint, verify=str(certificates.ca))
        assert [put("dicom", KEY, file), put("dicom", KEY, file)] == [file.checksum] * 2
        assert s3.connections == 1
        assert all(signed_rightly(p) for p in s3.puts)
        with pytest.raises(SSLError):
            make.direct_to(s3.endpoint)("dicom", KEY, file)


def test_a_proxy_of_the_environment_is_used_by_botocore(
    s3: WireS3, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    with WireS3() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint)
        monkeypatch.setenv("NO_PROXY", "")
        file = spooled(b"x")
        assert make.direct_to(s3.endpoint)("dicom", KEY, file) == file.checksum
        assert [put.line for put in proxy.puts] == [f"PUT {s3.endpoint}/dicom/{KEY} HTTP/1.1"]
        assert s3.puts == []
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        make.direct_to(s3.endpoint)("dicom", KEY, file)
        assert len(s3.puts) == 1


def test_a_proxy_that_is_not_there_is_botocores_error(
    s3: WireS3, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    with WireS3() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint)
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(ProxyConnectionError):
        make.direct_to(s3.endpoint)("dicom", KEY, spooled(b"x"))


@pytest.mark.parametrize(
    ("bucket", "host", "path"),
    [
        ("dicom", "dicom.s3.eu-west-1.amazonaws.com", "/"),
        ("with.dots", "s3.eu-west-1.amazonaws.com", "/with.dots/"),
    ],
)
def test_amazons_own_addresses_are_botocores(bucket: str, host: str, path: str, make: Make) -> None:
    botocores = make.client(None)
    stop_probes(botocores)
    template = learn(botocores, {"Bucket": bucket, **PUT_PARAMETERS})
    assert template is not None
    assert (template.origin, template.path, template.region) == (f"https://{host}", path, "eu-west-1")
    assert template.headers["Host"] == host


def test_a_way_of_signing_that_is_not_known_is_left_to_botocore(s3: WireS3, make: Make) -> None:
    unsigned = make.client(s3.endpoint, signature_version=botocore.UNSIGNED)
    file = spooled(b"x")
    assert make.direct(unsigned)("dicom", KEY, file) == file.checksum
    assert "authorization" not in s3.puts[0].headers


def test_keys_are_escaped_as_botocore_escapes_them(s3: WireS3, make: Make) -> None:
    key = "a b/ü+~*'().dcm"
    botocores = make.client(s3.endpoint)
    ClientPut(botocores)("dicom", key, spooled(b"x"))
    make.direct(botocores)("dicom", key, spooled(b"x"))
    assert s3.puts[0].line == s3.puts[1].line
    assert signed_rightly(s3.puts[1])
