"""What a step tells X-Ray of itself: one subsegment below Lambda's own, sent to the daemon beside it.

By hand, because X-Ray's SDK costs every cold start its import for these few lines. Not the correlation id:
it holds a SeriesInstanceUID, and traces are not encrypted with the customer key.
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

DAEMON = "AWS_XRAY_DAEMON_ADDRESS"
TRACE = "_X_AMZN_TRACE_ID"
ADDRESS = re.compile(r"([^:\s]+):(\d+)")
HEADER = b'{"format": "json", "version": 1}\n'
Annotations = dict[str, str | int | bool]
"""Searchable in X-Ray: `annotation.transfer_id = "..."`."""


@contextmanager
def traced(name: str, annotations: Annotations) -> Iterator[Annotations]:
    """A subsegment around the block, which may annotate more; an error in it is a fault.

    Nothing is sent where no daemon is named or the request is not sampled.
    """
    started = time.time()
    try:
        yield annotations
    except Exception as error:
        _send(name, annotations | {"error": type(error).__name__}, started, fault=True)
        raise
    _send(name, annotations, started, fault=False)


def _send(name: str, annotations: Annotations, started: float, *, fault: bool) -> None:
    parent = _parent(os.environ.get(TRACE, ""))
    address = ADDRESS.fullmatch(os.environ.get(DAEMON, ""))
    if parent is None or address is None:
        return
    subsegment: dict[str, Any] = {
        "type": "subsegment",
        "name": name,
        "id": secrets.token_hex(8),
        **parent,
        "start_time": started,
        "end_time": time.time(),
        "annotations": annotations,
        "fault": fault,
    }
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.setblocking(False)
        try:
            daemon.sendto(HEADER + json.dumps(subsegment).encode(), (address[1], int(address[2])))
        except OSError as error:  # a series must not fail because tracing did
            logging.getLogger(__name__).warning("trace not sent: %s", error)


def _parent(trace: str) -> Mapping[str, str] | None:
    """Trace and segment that Lambda gave this invocation; None: not sampled, or not on Lambda."""
    parts = dict(part.split("=", 1) for part in trace.split(";") if "=" in part)
    if parts.get("Sampled") != "1" or not {"Root", "Parent"} <= parts.keys():
        return None
    return {"trace_id": parts["Root"], "parent_id": parts["Parent"]}
