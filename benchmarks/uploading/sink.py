"""An S3 that reads what it is sent, answers with the checksum it was told, and keeps nothing.

`python -m benchmarks.uploading.sink` prints its port. EventBridge's PutEvents is answered, too.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import sys
import threading
from contextlib import suppress

BUFFER_BYTES = 1 << 20
DROP = socket.MSG_TRUNC if sys.platform == "linux" else 0
"""tcp(7): the bytes are dropped, not copied, so that the sink costs the machine as little as can be."""
PART_CHECKSUM = re.compile(rb"<ChecksumSHA256>([^<]+)</ChecksumSHA256>")
CHECKSUMS = (b"x-amz-checksum-sha256", b"x-amz-checksum-crc32", b"x-amz-checksum-crc64nvme")


def main() -> int:
    """Until it is killed."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        sys.stdout.write(f"{server.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            connection, _ = server.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    buffer = memoryview(bytearray(BUFFER_BYTES))
    with connection, suppress(ConnectionResetError):  # clients are killed at the end of a run
        rest = b""
        while True:
            while b"\r\n\r\n" not in rest:
                read = connection.recv_into(buffer)
                if not read:
                    return
                rest += buffer[:read]
            head, _, rest = rest.partition(b"\r\n\r\n")
            request, *lines = head.split(b"\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)
            }
            if headers.get(b"expect") == b"100-continue":
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            left, body = int(headers.get(b"content-length", b"0")) - len(rest), rest
            posted = request.startswith(b"POST ")
            while left > 0:
                read = connection.recv_into(buffer, min(left, BUFFER_BYTES), 0 if posted else DROP)
                left -= read
                body += buffer[:read] if posted else b""
            rest = b""
            connection.sendall(_answer(request, headers, body))


def _answer(request: bytes, headers: dict[bytes, bytes], posted: bytes) -> bytes:
    method = request.split(b" ", 1)[0]
    body = b""
    if b"x-amz-target" in headers:
        entries = [{"EventId": "1"}] * len(json.loads(posted)["Entries"])
        body = json.dumps({"FailedEntryCount": 0, "Entries": entries}).encode()
    elif method == b"POST" and b"uploads" in request:
        body = b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
    elif method == b"POST":
        parts = [base64.b64decode(part) for part in PART_CHECKSUM.findall(posted)]
        composite = base64.b64encode(hashlib.sha256(b"".join(parts)).digest()).decode()
        name, answer = "CompleteMultipartUploadResult", f"{composite}-{len(parts)}"
        body = f"<{name}><ChecksumSHA256>{answer}</ChecksumSHA256></{name}>".encode()
    lines = [b"HTTP/1.1 200 OK", b'ETag: "0"', b"Content-Length: %d" % len(body)]
    lines += [b"%s: %s" % (name, headers[name]) for name in CHECKSUMS if name in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


if __name__ == "__main__":
    sys.exit(main())
