"""Pages of at most 50, continued by an opaque nextToken."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from ..service import errors
from .core import Answer, Request

PAGE = 50
Row = TypeVar("Row")


def page(
    request: Request, member: str, fetch: Callable[[int, int], Sequence[Row]], render: Callable[[Row], Answer]
) -> Answer:
    """One page as `{member: [...], nextToken?}`; `fetch(limit, offset)` reads rows."""
    offset = _offset(request.get("nextToken"))
    size = request.get("maxResults", PAGE)
    rows = fetch(size + 1, offset)
    answer: Answer = {member: [render(row) for row in rows[:size]]}
    if len(rows) > size:
        answer["nextToken"] = base64.urlsafe_b64encode(str(offset + size).encode()).decode()
    return answer


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError) as error:
        raise errors.validation("Invalid nextToken") from error
