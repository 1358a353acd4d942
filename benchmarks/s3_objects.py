"""Objects that an S3 client can get and list: as much of S3 as a function asks for, and no slower."""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

PAGE = 1000


@contextmanager
def serve(objects: Mapping[str, bytes], sizes: Mapping[str, int]) -> Iterator[tuple[str, list[str]]]:
    """The endpoint's URL, and the requests it has had. `sizes`: objects that are only listed."""
    requests: list[str] = []
    keys = sorted([*objects, *sizes])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            key = unquote(parts.path).split("/", 2)[-1]
            requests.append("LIST" if "list-type" in query else "GET")
            if "list-type" in query:
                self._answer(200, _page(keys, objects, sizes, query), "application/xml")
            elif key in objects:
                self._answer(200, objects[key], "application/octet-stream")
            else:
                self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>", "application/xml")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()[:32]}"')
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", requests
    finally:
        server.shutdown()
        server.server_close()


def _page(
    keys: list[str], objects: Mapping[str, bytes], sizes: Mapping[str, int], query: Mapping[str, str]
) -> bytes:
    """One page of ListObjectsV2."""
    prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
    found = [key for key in keys[bisect_right(keys, after) :] if key.startswith(prefix)]
    page, more = found[:PAGE], len(found) > PAGE
    listed = {key: sizes[key] if key in sizes else len(objects[key]) for key in page}
    lines = [f"<Contents><Key>{key}</Key><Size>{size}</Size></Contents>" for key, size in listed.items()]
    token = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else ""
    head = f"<IsTruncated>{str(more).lower()}</IsTruncated><KeyCount>{len(page)}</KeyCount>{token}"
    return f"<ListBucketResult>{head}{''.join(lines)}</ListBucketResult>".encode()
