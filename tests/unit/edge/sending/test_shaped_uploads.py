"""Every byte of an upload takes its place on the line, once, whichever way it goes; a pause is no failure."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.credentials import Credentials

from edge_component.journal.channels import Channel, channels
from edge_component.line.line import Line
from edge_component.line.timetable import Limit
from edge_component.sending.answers import Held
from edge_component.sending.direct_put.connections import Connect, Connection
from edge_component.sending.direct_put.put import DirectPut
from edge_component.sending.exchange import ClientPut, Exchange
from edge_component.sending.part import FilePart
from edge_component.sending.uploader import Uploader
from edge_component.sending.verified import VerifiedFile
from edge_component.sending.way import Gate, Way
from edge_component.watching import overview
from tests.support.edge.bench import Bench, rows
from tests.support.edge.network.s3_wire import Put, WireS3, reply, stored
from tests.support.edge.stand_ins import Clock, ImmediatePool, settings
from tests.unit.edge.line.test_line import at, timetable
from tests.unit.edge.sending.test_direct_put import KEY, LARGE, spooled
from tests.unit.edge.sending.test_exchange_deadlines import client_of

HEAD_BYTES = 2500
"""No request of ours has a longer head."""


class CountingLine(Line):
    """Notes what is taken."""

    def __init__(self, slice_bytes: int = 100_000) -> None:
        super().__init__()
        self._slice = slice_bytes
        self.taken: list[tuple[int, bool]] = []

    @property
    def limited(self) -> bool:
        return True

    def most(self, size: int) -> int:
        return min(size, self._slice)

    def take(self, size: int, *, bulk: bool) -> None:
        self.taken.append((size, bulk))


def gated(content: bytes, line: Line, *, bulk: bool = True) -> VerifiedFile:
    file = spooled(content)
    file.gate = Way(line).gate(bulk=bulk)
    return file


def direct(client: Any, file: VerifiedFile, connect: Connect | None = None) -> None:
    with closing(DirectPut(client, Credentials("AKID", "secret"), None, connect)) as put:
        put("dicom", KEY, file)


def by_the_client(client: Any, file: VerifiedFile) -> None:
    ClientPut(client)("dicom", KEY, file)


def as_a_part(client: Any, file: VerifiedFile) -> None:
    [part], _ = file.parts(file.bytes, file.gate)
    client.upload_part(Bucket="dicom", Key=KEY, UploadId="u", PartNumber=1, Body=part, ChecksumSHA256="c")


WAYS: list[Callable[[Any, VerifiedFile], None]] = [direct, by_the_client, as_a_part]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ours", [True, False], ids=["our connections", "botocore's connections"])
def test_every_byte_takes_its_place_once_and_in_small_pieces(
    way: Callable[[Any, VerifiedFile], None], ours: bool
) -> None:
    line = CountingLine()
    content = LARGE[:300_000]
    with WireS3() as s3, client_of("s3", s3.endpoint, direct=ours) as client:
        if not ours:
            client.meta.events.register_last("before-send", _left_to_botocore)
        way(client, gated(content, line))
        assert s3.puts[-1].body == content
    sizes = [size for size, _ in line.taken]
    assert len(content) < sum(sizes) <= len(content) + HEAD_BYTES
    assert max(sizes) <= 100_000 + HEAD_BYTES
    assert {bulk for _, bulk in line.taken} == {True}


def _left_to_botocore(request: Any, **_: Any) -> None:
    """As `Transport.send` does behind a proxy that wants TLS."""
    if isinstance(request.body, FilePart):
        request.body.sent(2000)


def test_a_manifest_takes_no_place() -> None:
    file = spooled(LARGE)
    assert type(file.gate) is Gate
    assert file.gate.most(10**9) == 10**9


def test_the_time_that_an_edge_holds_its_bytes_back_is_not_the_servers() -> None:
    """On a narrow line one piece may wait for longer than a whole exchange may take."""
    clock = Clock(1000.0)

    class Narrow(CountingLine):
        def take(self, size: int, *, bulk: bool) -> None:
            super().take(size, bulk=bulk)
            clock.now += 3600

    with WireS3() as s3, client_of("s3", s3.endpoint, direct=False) as client:
        direct(client, gated(LARGE[:300_000], Narrow()), partial(Connection, clock=clock))
        assert stored(s3.puts[-1])


class Shaped:
    """A bench with a timetable, and a way of sending that looks at what happens between two pieces."""

    def __init__(self, root: Path, moment: str, *rules: dict[str, Any], pause: Any = "bulk") -> None:
        senders = [{"calling_ae": "OLD", "priority": "bulk"}]
        self.bench = Bench(root, senders=senders, uploads_in_flight=4)
        self.bench.clock.now = at(moment)
        self.between: Callable[[], None] = lambda: None
        clock = self.bench.clock
        self.line = Line(timetable(*rules), pause, clock.monotonic, clock)
        self.uploader = Uploader(
            *(self.bench.journal, self.bench.spool, self.bench.settings, self.bench.s3, ImmediatePool()),
            clock.monotonic,
            self._put,
            clock,
            self.line,
        )

    def _put(self, _bucket: str, key: str, file: VerifiedFile) -> str:
        body = b""
        for piece in file.pieces(memoryview(bytearray(64 * 1024))):
            body += piece
            self.between()
        self.bench.s3.objects[key] = body
        return file.checksum

    def receive(self, ae: str, study: str, count: int = 2) -> None:
        sender = self.bench.associate(ae)
        for number in range(count):
            self.bench.receive(sender, study, f"{study}.1", f"{study}.1.{number + 1}", pixels=512 * 256)
        self.bench.close(sender)
        self.bench.assembly.run_once()

    def run(self) -> None:
        for _ in range(4):
            self.uploader.run_once()

    def in_s3(self) -> set[str]:
        return {key.split("/")[2] for key in self.bench.s3.objects}


NIGHT = {"hours": "22:00-06:00", "mbit": 0}


def test_a_pause_holds_bulk_back_and_lets_live_go(tmp_path: Path) -> None:
    shaped = Shaped(tmp_path, "2026-11-23 23:00", NIGHT)
    shaped.receive("OLD", "1.2")
    shaped.receive("CT1", "1.3")
    shaped.run()
    assert shaped.in_s3() == {"1.3"}
    shaped.bench.clock.now = at("2026-11-24 06:00")
    shaped.run()
    assert shaped.in_s3() == {"1.2", "1.3"}
    shaped.bench.journal.close()


def test_a_pause_of_all_holds_everything_back(tmp_path: Path) -> None:
    shaped = Shaped(tmp_path, "2026-11-23 23:00", NIGHT, pause="all")
    shaped.receive("OLD", "1.2")
    shaped.receive("CT1", "1.3")
    shaped.run()
    assert shaped.in_s3() == set()
    shaped.bench.clock.now = at("2026-11-24 06:00")
    shaped.run()
    assert shaped.in_s3() == {"1.2", "1.3"}
    shaped.bench.journal.close()


def test_an_upload_that_a_pause_cuts_off_has_not_failed_and_goes_afterwards(tmp_path: Path) -> None:
    shaped = Shaped(tmp_path, "2026-11-23 21:59", NIGHT)
    shaped.receive("OLD", "1.2", count=1)

    def night_falls() -> None:
        shaped.bench.clock.now = at("2026-11-23 22:00")

    shaped.between = night_falls
    shaped.run()
    assert shaped.in_s3() == set()
    [row] = rows(shaped.bench.journal, "SELECT state, unsure, problem, waits_because FROM instance")
    assert row == {"state": "assigned", "unsure": 0, "problem": None, "waits_because": None}
    assert shaped.uploader.failing() == 0
    assert "upload_retries" not in shaped.bench.counters()
    upload = next(each for each in channels(shaped.bench.journal) if each.name == "upload")
    assert (upload.failing_since, upload.tries) == (None, 0)
    shaped.bench.clock.now = at("2026-11-24 06:00")
    shaped.between = lambda: None
    shaped.run()
    assert shaped.in_s3() == {"1.2"}
    shaped.bench.journal.close()


PAUSED, RESUMED, LIMITED = Limit(0.0), Limit(20.0, since=10_000.0), Limit(20.0, since=2_000.0)


@pytest.mark.parametrize(
    ("limit", "failed_at", "said"),
    [
        (PAUSED, 3_000.0, []),
        (PAUSED, 10_000.0, ["upload"]),
        (RESUMED, 3_000.0, []),
        (LIMITED, 3_000.0, ["upload"]),
    ],
)
def test_a_failure_before_a_pause_is_no_outage_while_nothing_is_tried(
    tmp_path: Path, limit: Limit, failed_at: float, said: list[str]
) -> None:
    """Else the last time-out of the evening is an alarm all night."""
    failed = Channel("upload", failing_since=2_000.0, failed_at=failed_at, tries=3, code="Timeout")
    numbers = SimpleNamespace(channels=lambda: [failed], series_problems=list, notices=lambda _since: [])
    nothing: Any = dict.fromkeys(overview.Overview.__dataclass_fields__)
    seen = overview.Overview(
        **{
            **nothing,
            "settings": settings(tmp_path),
            "numbers": numbers,
            "foresight": SimpleNamespace(limit=limit),
            "clock": lambda: 10_060.0,
        }
    )
    assert [problem.name for problem in seen._of_channels()] == said


def test_parts_that_s3_has_are_not_sent_again_after_a_pause() -> None:
    clock = Clock(at("2026-11-23 21:59"))
    line = Line(timetable(NIGHT), "bulk", clock.monotonic, clock)
    file = gated(LARGE * 4, line)
    part_bytes, have = file.bytes // 2 + 1, list[str]()

    def answer(put: Put) -> bytes:
        if put.line.startswith("POST") and "uploads" in put.line:
            return reply("200 OK", b"<R><UploadId>u</UploadId></R>")
        clock.now = at("2026-11-23 22:00")  # behind the first part
        have.append(put.headers["x-amz-checksum-sha256"])
        return reply("200 OK", b"", 'ETag: "1"', f"x-amz-checksum-sha256: {have[-1]}")

    with WireS3(answer) as s3, client_of("s3", s3.endpoint) as client:
        begun: list[str | None] = []
        outcome = Exchange(client, "dicom").put_in_parts(
            KEY, file, part_bytes, None, begun.append, unsure=False, gate=file.gate
        )
    assert type(outcome).__name__ == "Held"
    assert (begun, len(have)) == (["u"], 1)


@pytest.mark.parametrize("ours", [True, False], ids=["our connections", "botocore's connections"])
def test_a_pause_in_the_middle_of_a_request_is_no_failure_whoever_sends_it(ours: bool) -> None:
    clock = Clock(at("2026-11-23 21:59"))

    class Dusk(Line):
        def take(self, size: int, *, bulk: bool) -> None:
            super().take(size, bulk=bulk)
            clock.now = at("2026-11-23 22:00")

    line = Dusk(timetable(NIGHT), "bulk", clock.monotonic, clock)
    with WireS3() as s3, client_of("s3", s3.endpoint, direct=ours) as client:
        if not ours:
            client.meta.events.register_last("before-send", _left_to_botocore)
        outcome = Exchange(client, "dicom").put(KEY, gated(LARGE, line), unsure=False)
    assert outcome == Held()


def test_connections_share_one_limit() -> None:
    """Two connections, a real clock: together never faster."""
    line = Line(timetable({"mbit": 8}))
    begun, content = time.monotonic(), LARGE[:200_000]
    with WireS3() as s3, client_of("s3", s3.endpoint, direct=False) as client:
        with ThreadPoolExecutor(4) as pool:
            files = [gated(content, line, bulk=bool(number % 2)) for number in range(4)]
            list(pool.map(lambda file: direct(client, file), files))
        assert len(s3.puts) == 4
    assert 4 * len(content) <= 1e6 * (time.monotonic() - begun) + 0.5e6
