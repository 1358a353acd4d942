"""What botocore's own PutObject looks like: prepared by it once, and copied for every key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.credentials import ReadOnlyCredentials

from edge_component.sending.verified import VerifiedFile

CHECKSUM = "x-amz-checksum-sha256"
PROBE = "prepared-and-never-sent"
"""A key that no object has: what it is prepared for does not leave the process."""
EMPTY_CHECKSUM = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
OF_ONE_REQUEST = frozenset(
    (
        CHECKSUM,
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "authorization",
        "content-length",
        "expect",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-security-token",
    )
)
AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/([^/]+)/s3/aws4_request,.*")


class _PreparedError(Exception):
    """Carries the request out of botocore, which would send it next."""

    def __init__(self, request: AWSPreparedRequest) -> None:
        super().__init__(request.url)
        self.request = request


@dataclass(frozen=True)
class Template:
    """A PutObject but for its key, its content and its signature."""

    origin: str
    path: str
    region: str
    headers: Mapping[str, str]

    def head(self, key: str, file: VerifiedFile, credentials: ReadOnlyCredentials) -> bytes:
        """The signed request as it goes over the wire, up to its body."""
        path = self.path + quote(key, safe="/~")
        request = AWSRequest("PUT", self.origin + path, headers={**self.headers, CHECKSUM: file.checksum})
        _Signer(credentials, self.region, file.sha256).add_auth(request)
        lines = [f"PUT {path} HTTP/1.1", f"Content-Length: {file.bytes}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class _Signer(S3SigV4Auth):
    """Signature version 4 with a payload whose SHA-256 is known before it is read."""

    def __init__(self, credentials: ReadOnlyCredentials, region: str, payload: str) -> None:
        super().__init__(credentials, "s3", region)
        self._payload = payload

    def payload(self, request: AWSRequest) -> str:
        del request
        return self._payload


def stop_probes(client: Any) -> None:
    """From now on this client prepares `PROBE` without sending it."""
    client.meta.events.register_last("before-send.s3.PutObject", _stop)


def learn(client: Any, parameters: Mapping[str, Any]) -> Template | None:
    """How this client would put an object; None: in a way that we do not know.

    Raises:
        botocore's errors: it could not even be prepared.
    """
    try:
        client.put_object(**parameters, Key=PROBE, Body=b"", ChecksumSHA256=EMPTY_CHECKSUM)
    except _PreparedError as prepared:
        return _template(prepared.request)
    return None


def _stop(request: AWSPreparedRequest, **_: Any) -> None:
    if request.url.endswith(f"/{PROBE}"):
        raise _PreparedError(request)


def _template(request: AWSPreparedRequest) -> Template | None:
    headers = {name: _text(value) for name, value in request.headers.items()}
    scope = AUTHORIZATION.fullmatch(headers.get("Authorization", ""))
    url = urlsplit(request.url)
    if scope is None or url.query:
        return None
    kept = {name: value for name, value in headers.items() if name.lower() not in OF_ONE_REQUEST}
    host = url.netloc.removesuffix({"http": ":80", "https": ":443"}[url.scheme])
    return Template(
        f"{url.scheme}://{url.netloc}", url.path.removesuffix(PROBE), scope[1], {"Host": host, **kept}
    )


def _text(value: str | bytes) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else value
