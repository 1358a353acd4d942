"""multipart/related bodies (RFC 2387): written for frames, read for stored instances."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

from werkzeug.http import parse_options_header

from ..service import errors
from ..service.wire import HttpAnswer


def answer(parts: Sequence[bytes], media_type: str, transfer_syntax: str) -> HttpAnswer:
    """One part for each body."""
    boundary = uuid.uuid4().hex
    head = f"--{boundary}\r\nContent-Type: {media_type}; transfer-syntax={transfer_syntax}\r\n\r\n".encode()
    body = b"".join(head + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    content_type = f'multipart/related; type="{media_type}"; boundary={boundary}'
    return HttpAnswer(200, {"Content-Type": content_type}, body)


def parts(content_type: str, body: bytes) -> Iterator[bytes]:
    """The contents of a body's parts; raises 400."""
    _, parameters = parse_options_header(content_type)
    boundary = parameters.get("boundary")
    if not boundary:
        raise errors.validation("Content-Type multipart/related needs a boundary")
    delimiter = b"\r\n--" + boundary.encode()
    sections = (b"\r\n" + body).split(delimiter)
    if len(sections) < 3 or not sections[-1].startswith(b"--"):
        raise errors.validation("The multipart body does not end with its boundary")
    for section in sections[1:-1]:
        head, separator, content = section.partition(b"\r\n\r\n")
        if not separator:
            raise errors.validation(f"A part of the multipart body has no end of its headers: {head[:80]!r}")
        yield content
