"""One instance as large as DICOM allows: made while it is sent, hashed where it arrives, never in memory."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from edge_component.records.part10 import part10_head
from tests.support.edge.dicom import encoded, instance
from tests.support.edge.network.wire import EXPLICIT, Wire, fragment, store_command

PIECE = 100 * 1024
PIXEL_DATA = b"\xe0\x7f\x10\x00OW\x00\x00"
LARGEST = 0xFFFFFFFE
"""What the length of a value can say (PS3.5 7.1.2)."""


@dataclass(frozen=True)
class Sent:
    """`status` is what the edge answered; `bytes` and `file_sha256` are those of the Part 10 file."""

    status: int
    sop_instance_uid: str
    bytes: int
    file_sha256: str


def send_large(port: int, pixel_bytes: int, timeout: float = 900) -> Sent:
    """A C-STORE of one instance with so many bytes of pixel data."""
    ds = instance()
    whole = encoded(ds)
    head = whole[: whole.index(PIXEL_DATA)] + PIXEL_DATA + struct.pack("<L", pixel_bytes)
    sop_class, sop = str(ds.SOPClassUID), str(ds.SOPInstanceUID)
    meta = part10_head(sop_class, sop, EXPLICIT)
    digest = hashlib.sha256(meta + head)
    peer = Wire(port)
    try:
        peer.socket.settimeout(timeout)
        peer.associate([(1, sop_class, [EXPLICIT])])
        peer.send(fragment(1, store_command(sop_class, sop), command=True, last=True))
        peer.send(fragment(1, head, command=False, last=False))
        for piece in _pieces(pixel_bytes):
            digest.update(piece)
            peer.send(fragment(1, piece, command=False, last=False))
        peer.send(fragment(1, b"", command=False, last=True))
        status, _ = peer.status()
    finally:
        peer.socket.close()
    return Sent(status, sop, len(meta) + len(head) + pixel_bytes, digest.hexdigest())


def _pieces(total: int) -> Iterator[bytes]:
    """Bytes of which no two pieces are the same."""
    noise = random.Random(1).randbytes(PIECE)
    for start in range(0, total, PIECE):
        yield (struct.pack("<Q", start) + noise[8:])[: total - start]


@dataclass
class HashingS3:
    """Keeps nothing of an object but its hash; knows PutObject, multipart uploads and PutEvents."""

    endpoint: str = ""
    sha256: dict[str, str] = field(default_factory=dict)
    parts: dict[str, list[bytes]] = field(default_factory=dict)
    growing: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def take(self, path: str, headers: Any, pieces: Iterator[bytes]) -> tuple[dict[str, str], bytes]:
        """The answer's headers and body to a PUT or POST."""
        key, query = urlsplit(path).path, parse_qs(urlsplit(path).query, keep_blank_values=True)
        if "X-Amz-Target" in headers:
            entries = json.loads(b"".join(pieces))["Entries"]
            self.events += [json.loads(entry["Detail"]) for entry in entries]
            found = [{"EventId": str(number)} for number in range(len(entries))]
            return {}, json.dumps({"FailedEntryCount": 0, "Entries": found}).encode()
        if "uploads" in query:
            self.parts[key], self.growing[key] = [], hashlib.sha256()
            return (
                {},
                b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>",
            )
        if "partNumber" in query:
            if int(query["partNumber"][0]) != len(self.parts[key]) + 1:
                raise AssertionError(f"part {query['partNumber']} after {len(self.parts[key])}")
            self.parts[key].append(self._digest(pieces, self.growing[key]))
            return {"x-amz-checksum-sha256": _base64(self.parts[key][-1])}, b""
        if "uploadId" in query:
            b"".join(pieces)
            self.sha256[key] = self.growing[key].hexdigest()
            composite = _base64(hashlib.sha256(b"".join(self.parts[key])).digest())
            answer = f"<ChecksumSHA256>{composite}-{len(self.parts[key])}</ChecksumSHA256>"
            name = "CompleteMultipartUploadResult"
            return {}, f"<{name}>{answer}</{name}>".encode()
        whole = hashlib.sha256()
        digest = self._digest(pieces, whole)
        self.sha256[key] = whole.hexdigest()
        return {"x-amz-checksum-sha256": _base64(digest)}, b""

    def _digest(self, pieces: Iterator[bytes], whole: Any) -> bytes:
        part = hashlib.sha256()
        for piece in pieces:
            part.update(piece)
            whole.update(piece)
        return part.digest()


@contextmanager
def hashing_s3() -> Iterator[HashingS3]:
    """On a free port, until the end of the block."""
    s3 = HashingS3()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            headers, body = s3.take(self.path, self.headers, self._body())
            self.send_response(200)
            for name, value in {**headers, "ETag": '"0"', "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _body(self) -> Iterator[bytes]:
            left = int(self.headers.get("Content-Length") or 0)
            while left and (piece := self.rfile.read(min(left, 1 << 20))):
                left -= len(piece)
                yield piece

        do_PUT = do_POST = _any  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    s3.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield s3
    finally:
        server.shutdown()
        server.server_close()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
