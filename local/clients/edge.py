"""What an edge says of itself on its health port."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener


class EdgeSilentError(RuntimeError):
    """The edge does not answer; the message has its address."""


def edge_status(port: int) -> dict[str, Any]:
    """The edge's own counts, cumulative since its spool was made.

    Raises:
        EdgeSilentError: it does not answer.
    """
    url = f"http://127.0.0.1:{port}/status"
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
    except (URLError, ConnectionError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        raise EdgeSilentError(f"the edge does not answer at {url}: {reason}") from error
    return found
