"""What edges on this machine answer on their health ports, all asked side by side and within one deadline."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from urllib.parse import quote

from dicom_ingest.operators.read.index import Row

LOOPBACK = "127.0.0.1"
ANSWER_SECONDS = 1.0
"""For one question to all edges. An edge answers within milliseconds, and a person waits for the page."""
SPARED_SECONDS = 5.0
"""An edge that let a question time out is not asked again for so long: pages ask twice, and every 2 s."""


class Edges:
    """The edges of a local run. Threads may ask at once.

    `ports`: health ports by edge, as they are now. An edge may have been started again.
    """

    def __init__(
        self,
        ports: Callable[[], Mapping[str, int]],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._ports, self._clock, self._now = ports, clock, now
        self._lock = threading.Lock()
        self._since: dict[str, str] = {}
        self._spared: dict[str, tuple[float, Row]] = {}

    def say(self) -> list[Row]:
        """The status of each edge, or `trouble`."""
        return self._ask("/status")

    def hold(self, term: str = "") -> list[Row]:
        """Series that each edge knows by a term, all that it has not announced without one; or `trouble`."""
        found: list[Row] = []
        for said in self._ask(f"/where?q={quote(term, safe='')}" if term else "/where"):
            series = said.get("series", ())
            found += [said] if "trouble" in said else [{**row, "edge": said["edge"]} for row in series]
        return found

    def _ask(self, path: str) -> list[Row]:
        ports = dict(self._ports())
        with self._lock:
            spared = {edge: row for edge, (until, row) in self._spared.items() if self._clock() < until}
        asked = {edge: port for edge, port in ports.items() if edge not in spared}
        said = asyncio.run(_answers(asked, path)) if asked else {}
        with self._lock:
            told = {edge: self._told(edge, ports[edge], answer) for edge, answer in said.items()}
        return [spared[edge] if edge in spared else told[edge] for edge in ports]

    def _told(self, edge: str, port: int, answer: Row | BaseException) -> Row:
        """The answer, or the trouble in words: which edge, why, and since when."""
        now = f"{self._now():%Y-%m-%d %H:%M:%S} UTC"
        if not isinstance(answer, BaseException):
            self._since[edge] = f"it last answered at {now}"
            self._spared.pop(edge, None)
            return {"edge": edge, **answer}
        since = self._since.setdefault(edge, f"first asked at {now}")
        row = {"edge": edge, "trouble": f"does not answer at {_url(port)}: {_why(answer)}; {since}"}
        if isinstance(answer, TimeoutError):
            self._spared[edge] = (self._clock() + SPARED_SECONDS, row)
        return row


def _url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {ANSWER_SECONDS:g} s"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else str(error)
    if isinstance(error, ValueError):
        return "what answers there is not an edge"
    raise error


async def _answers(ports: Mapping[str, int], path: str) -> dict[str, Row | BaseException]:
    """What each says within the time, or what was raised instead."""
    questions = (asyncio.wait_for(_answer(port, path), ANSWER_SECONDS) for port in ports.values())
    return dict(zip(ports, await asyncio.gather(*questions, return_exceptions=True), strict=True))


async def _answer(port: int, path: str) -> Row:
    """One answer.

    Raises:
        OSError: the edge cannot be reached, or says that it cannot answer.
        ValueError: what answers is not an edge.
    """
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {LOOPBACK}\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    status = head.decode("latin-1").partition("\r\n")[0].split(" ", 1)[-1]
    if not status.startswith("200"):
        raise ConnectionError(f"it says {status or 'nothing'}")
    match json.loads(body):
        case dict(said):
            return said
    raise ValueError(status)
