"""What is urgent goes first over a narrow line, and nothing starves."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edge_component.sending.order import FAIR_TURN, in_order
from edge_component.sending.uploader import Uploader
from edge_component.sending.verified import VerifiedFile
from edge_component.sending.way import Way
from tests.support.edge.bench import Bench, rows
from tests.support.edge.stand_ins import HeldPool
from tests.support.machine.waiting import wait_until


@dataclass(frozen=True)
class Row:
    """An instance that waits."""

    instance: int
    sequence: int = 1
    bulk: bool = False
    sealed: bool = True
    unsent: int = 1


def numbers(*waiting: Row, begun: int = 0) -> list[int]:
    return [one.instance for one in in_order(waiting, begun)]


def test_live_goes_before_bulk() -> None:
    assert numbers(Row(1, bulk=True), Row(2)) == [2, 1]


def test_a_series_that_is_complete_goes_before_one_that_still_grows() -> None:
    assert numbers(Row(1, sealed=False), Row(2, sequence=2, unsent=9)) == [2, 1]


def test_a_series_that_is_nearly_in_s3_goes_before_one_that_just_began() -> None:
    assert numbers(Row(1, unsent=400), Row(2, sequence=2, unsent=3)) == [2, 1]


def test_the_images_of_a_series_go_in_the_order_of_receipt() -> None:
    assert numbers(Row(3, unsent=3), Row(1, unsent=3), Row(2, unsent=3)) == [1, 2, 3]


def test_each_sixteenth_place_belongs_to_what_has_waited_longest() -> None:
    waiting = [Row(1, bulk=True), *(Row(number) for number in range(2, 40))]
    assert numbers(*waiting).index(1) == FAIR_TURN - 1
    assert numbers(*waiting, begun=FAIR_TURN - 1)[0] == 1


@given(
    st.lists(
        st.builds(
            Row,
            st.integers(1, 99),
            st.integers(1, 5),
            st.booleans(),
            st.booleans(),
            st.integers(1, 50),
        ),
        unique_by=lambda row: row.instance,
    ),
    st.integers(0, 40),
)
def test_everything_goes_once(waiting: list[Row], begun: int) -> None:
    assert sorted(numbers(*waiting, begun=begun)) == sorted(row.instance for row in waiting)


def test_a_live_study_does_not_wait_for_a_migration_that_fills_every_slot(tmp_path: Path) -> None:
    bench = Bench(tmp_path, uploads_in_flight=2, senders=[{"calling_ae": "OLD", "priority": "bulk"}])
    old = bench.associate("OLD")
    for number in range(20):
        bench.receive(old, "1.2", "1.2.1", f"1.{number + 1}")
    bench.assembly.run_once()
    pool = HeldPool()
    monotonic = bench.clock.monotonic
    uploader = Uploader(bench.journal, bench.spool, bench.settings, bench.s3, pool, monotonic)
    uploader.run_once()
    assert len(pool.held) == 2
    stat = bench.associate("CT1")
    for number in range(3):
        bench.receive(stat, "1.3", "1.3.1", f"2.{number + 1}")
    bench.assembly.run_once()
    uploader.run_once()
    assert len(pool.held) == 4  # two live beside two bulk, none of which gave up its place
    claimed = rows(
        bench.journal, "SELECT sop_instance_uid AS sop, bulk FROM instance WHERE state = 'sending'"
    )
    assert {row["sop"] for row in claimed if not row["bulk"]} == {"2.1", "2.2", "2.3"}
    bench.journal.close()


def test_a_bulk_upload_pauses_between_its_pieces_while_a_live_one_is_on_its_way() -> None:
    way, passed = Way(), threading.Event()
    way.live(1)
    gate = way.gate(bulk=True)

    def pass_it() -> None:
        gate(1)
        passed.set()

    thread = threading.Thread(target=pass_it, daemon=True)
    thread.start()
    assert not passed.wait(0.05)
    way.live(0)
    assert passed.wait(30)
    thread.join()


def test_a_pause_ends_before_s3_would_close_the_connection() -> None:
    way = Way(pause_seconds=0.01)
    way.live(1)
    gate = way.gate(bulk=True)
    gate(1)
    gate(1)  # once in an exchange


class SlowLine:
    """S3 behind one line that all connections share; it notes what passes, piece by piece."""

    def __init__(self, bench: Bench, bytes_a_second: float) -> None:
        self._bench, self._rate = bench, bytes_a_second
        self._turn = threading.Lock()
        self.passed: list[tuple[str, int]] = []

    def __call__(self, _bucket: str, key: str, file: VerifiedFile) -> str:
        """A FilePut."""
        body = bytearray()
        for piece in file.pieces(memoryview(bytearray(64 * 1024))):
            with self._turn:
                time.sleep(len(piece) / self._rate)
                self.passed.append((key, len(piece)))
            body += piece
        self._bench.s3.objects[key] = bytes(body)
        return file.checksum


def test_a_stat_study_in_the_middle_of_a_migration_takes_the_line(tmp_path: Path) -> None:
    bench = Bench(tmp_path, uploads_in_flight=4, senders=[{"calling_ae": "OLD", "priority": "bulk"}])
    line, size = SlowLine(bench, 40e6), 1024 * 1024
    old = bench.associate("OLD")
    for number in range(24):
        bench.receive(old, "1.2", "1.2.1", f"1.{number + 1}", pixels=size)
    bench.close(old)
    bench.assembly.run_once()
    with ThreadPoolExecutor(8) as pool:
        uploader = Uploader(
            bench.journal, bench.spool, bench.settings, bench.s3, pool, time.monotonic, line, bench.clock
        )

        def passed(count: int) -> bool:  # one turn of each
            uploader.run_once()
            bench.announcer.run_once()
            return len(line.passed) >= count

        wait_until(lambda: passed(40), "some of it was sent")
        stat = bench.associate("CT1")
        for number in range(8):
            bench.receive(stat, "1.3", "1.3.1", f"2.{number + 1}", pixels=size)
        bench.close(stat)
        bench.assembly.run_once()
        bench.clock.now += 20
        bench.assembly.run_once()
        before = len(line.passed)
        wait_until(lambda: passed(0) and bench.bus.details(), "the urgent study is announced")
        meanwhile = line.passed[before:]
        last = max(at for at, (key, _) in enumerate(meanwhile) if "/1.3/" in key)
        bulk = sum(size for key, size in meanwhile[:last] if "/1.2/" in key)
        assert sum("/1.3/" in key for key in bench.s3.objects) == 8
        assert bulk < 3 * size, bulk  # pieces that were under way, and one turn in sixteen
        wait_until(lambda: passed(0) and not bench.unsent(), "all of it is sent")
    assert bench.counters()["instances_announced"] == 32
    bench.journal.close()
