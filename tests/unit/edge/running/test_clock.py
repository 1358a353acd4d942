"""A wall clock that is set changes what is written down, and neither delays nor hastens anything."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from edge_component.assembling.assembly import LOOK_SECONDS
from edge_component.commitment.delivery import Attempt
from edge_component.commitment.reports import UNKNOWN_SECONDS, Queue
from edge_component.journal.commitments import OpenCommitment, insert_request
from edge_component.journal.database import transaction
from edge_component.records.commitment import Reference, Request
from edge_component.running.clock import Ages, ClockWatch
from edge_component.watching.heartbeat import Heartbeat
from tests.support.edge.bench import Bench
from tests.support.edge.stand_ins import Clock, ImmediatePool, client_error, unreachable

DAY = 86_400.0
STUDY, SERIES = "1.2", "1.2.1"
MEMORY = Path("/dev/shm")
SET = pytest.mark.parametrize("set_by", [-DAY, -5.0, 5.0, DAY])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, series_quiet_seconds=10, series_patience_seconds=100)


def send(bench: Bench, sop: str, *, aborted: bool = False) -> None:
    sender = bench.associate()
    bench.receive(sender, STUDY, SERIES, sop)
    bench.close(sender, aborted=aborted)
    bench.step()


def announced(bench: Bench) -> list[list[str]]:
    return [[i.sop_instance_uid for i in manifest.instances] for manifest in bench.manifests()]


def passes(bench: Bench, seconds: float) -> list[list[str]]:
    """What is announced after so long."""
    bench.clock.now += seconds
    for _ in range(3):
        bench.step()
    return announced(bench)


# Ages


def test_what_a_look_finds_new_was_written_after_the_look_before() -> None:
    clock = Clock()
    ages = Ages(clock, clock.monotonic)
    with ages.look():
        pass
    written_at = clock()
    clock.set_by(DAY)
    clock.now += 2
    with ages.look() as age:
        assert age("row", written_at) == 2
    clock.set_by(-2 * DAY)
    clock.now += 3
    with ages.look() as age:
        assert age("row", written_at) == 5


def test_what_the_first_look_of_a_run_finds_is_as_old_as_the_wall_clock_says_and_not_from_the_future() -> (
    None
):
    clock = Clock()
    with Ages(clock, clock.monotonic).look() as age:
        assert age("old", clock() - 500) == 500
        assert age("from the future", clock() + 500) == 0


def test_what_is_not_asked_for_any_more_is_forgotten() -> None:
    clock = Clock()
    ages = Ages(clock, clock.monotonic)
    with ages.look() as age:
        age("row", clock())
    for _ in range(2):
        clock.now += 100
        with ages.look():
            pass
    with ages.look() as age:
        assert age("row", clock() - 1000) == 0  # as new as the look before


# Complete


@SET
def test_a_series_is_complete_after_its_quiet_time_whatever_the_clock_says(
    bench: Bench, set_by: float
) -> None:
    send(bench, "1")
    bench.clock.set_by(set_by)
    assert passes(bench, 9) == []
    assert passes(bench, 1) == [["1"]]


@SET
def test_an_instance_that_comes_after_the_clock_was_set_begins_the_quiet_time_anew(
    bench: Bench, set_by: float
) -> None:
    send(bench, "1")
    bench.clock.set_by(set_by)
    bench.clock.now += 8
    send(bench, "2")
    assert passes(bench, 9) == []
    assert passes(bench, 1) == [["1", "2"]]


@SET
def test_a_second_abort_is_waited_for_whatever_the_clock_says(bench: Bench, set_by: float) -> None:
    first, second = bench.associate(), bench.associate()
    for number, sender in enumerate((first, second), start=1):
        bench.receive(sender, STUDY, SERIES, str(number))
    bench.close(first, aborted=True)
    bench.step()
    bench.clock.set_by(set_by)
    assert passes(bench, 20) == []
    bench.close(second, aborted=True)
    bench.step()
    assert passes(bench, 9) == []
    assert passes(bench, 1) == [["1", "2"]]


@SET
def test_the_hard_cap_and_the_inactive_time_are_measured_alike(tmp_path: Path, set_by: float) -> None:
    bench = Bench(tmp_path, series_hard_cap_seconds=60, series_inactive_seconds=40)
    bench.receive(bench.associate(), STUDY, SERIES, "1")  # the association stays open
    capped = bench.associate()
    bench.step()
    bench.clock.set_by(set_by)
    for number in range(5):
        bench.receive(capped, STUDY, "1.2.2", str(number + 1))
        passes(bench, 13 if number else 0)
    reasons = {m.transfer.series_instance_uid: m.transfer.seal_reason for m in bench.manifests()}
    assert reasons == {SERIES: "inactive"}
    passes(bench, 8)
    reasons = {m.transfer.series_instance_uid: m.transfer.seal_reason for m in bench.manifests()}
    assert reasons == {SERIES: "inactive", "1.2.2": "hard_cap"}


def test_an_edge_that_starts_before_its_clock_is_set_waits_the_quiet_time(bench: Bench) -> None:
    bench.receive(bench.associate(), STUDY, SERIES, "1")
    bench.clock.set_by(-10 * 365 * DAY)  # no battery: the year in which the device was made
    bench.crash()
    bench.step()
    bench.clock.set_by(10 * 365 * DAY)
    assert passes(bench, 9) == []
    assert passes(bench, 1) == [["1"]]


Action = tuple[str, int]
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.integers(0, 2)),
        st.tuples(st.just("release"), st.integers(0, 2)),
        st.tuples(st.just("abort"), st.integers(0, 2)),
        st.tuples(st.just("wait"), st.sampled_from([1, 7, 11, 130])),
    ),
    max_size=25,
)
JUMPS = st.lists(st.sampled_from([0, 0, -100_000, -30, 30, 100_000]), min_size=25, max_size=25)


def story(actions: list[Action], jumps: list[int]) -> Sequence[tuple[list[str], str, bool]]:
    """What is announced, when the clock is set after each action, as soon as the assembler has looked.

    What came since its last look counts as new at the next one: the clock may delay it by so long, not more.
    """
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        bench = Bench(Path(folder), max_series_instances=3, series_hard_cap_seconds=200)
        senders = [bench.associate() for _ in range(3)]
        for number, (action, value) in enumerate(actions):
            if action == "arrive":
                bench.receive(senders[value], STUDY, SERIES, str(number + 1))
            elif action == "wait":
                bench.clock.now += value
            else:
                bench.close(senders[value], aborted=action == "abort")
                senders[value] = bench.associate()
            bench.step()
            bench.clock.now += LOOK_SECONDS
            bench.step()
            bench.clock.set_by(jumps[number])
        for sender in senders:
            bench.close(sender)
        bench.settle()
        found = [
            ([i.sop_instance_uid for i in m.instances], m.transfer.seal_reason, m.transfer.aborted)
            for m in bench.manifests()
        ]
        bench.journal.close()
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ACTIONS, JUMPS)
def test_the_same_series_are_announced_whatever_is_done_to_the_wall_clock(
    actions: list[Action], jumps: list[int]
) -> None:
    assert story(actions, jumps) == story(actions, [0] * 25)


# Patience, retries, heartbeats


@SET
def test_patience_with_what_cannot_be_sent_is_measured_alike(bench: Bench, set_by: float) -> None:
    bench.s3.before = lambda operation, key: (
        client_error(operation, "EntityTooLarge", 400) if key.endswith("/1.dcm") else None
    )
    send(bench, "1")
    assert passes(bench, 10) == []
    bench.clock.set_by(set_by)
    assert passes(bench, 99) == []
    assert passes(bench, 1) == [[]]


@SET
def test_retries_go_on(bench: Bench, set_by: float) -> None:
    bench.s3.before = lambda _operation, _key: unreachable()
    send(bench, "1")
    bench.step()  # the failure is written down
    bench.clock.set_by(set_by)
    bench.s3.before = lambda _operation, _key: None
    assert passes(bench, 10) == [["1"]]


def test_heartbeats_go_on_when_the_clock_was_set_back(bench: Bench) -> None:
    heartbeat = Heartbeat(
        bench.journal, bench.spool, bench.settings, bench.bus, bench.clock, bench.clock.monotonic
    )
    heartbeat.run_once()
    bench.clock.set_by(-DAY)
    for _ in range(2):
        bench.clock.now += bench.settings.heartbeat_seconds / 2
        heartbeat.run_once()
    assert len(bench.bus.details("Edge Heartbeat")) == 2


class Asker:
    """A sender that takes every report."""

    def __init__(self, bench: Bench) -> None:
        self.reports: list[int] = []
        self.queue = Queue(
            bench.journal,
            bench.settings,
            ["SENDER"],
            self._take,
            ImmediatePool(),
            clock=bench.clock,
            monotonic=bench.clock.monotonic,
        )

    def _take(self, _commitment: OpenCommitment, event_type: int, _content: Dataset) -> Attempt:
        self.reports.append(event_type)
        return Attempt("delivered")


@SET
def test_patience_with_a_commitment_is_measured_alike(bench: Bench, set_by: float) -> None:
    bench.s3.before = lambda _operation, _key: unreachable()
    send(bench, "1")
    asker = Asker(bench)
    reports = asker.queue
    request = Request("1.2.3", (Reference("1.2.840.10008.5.1.4.1.1.2", "1"),))
    with transaction(bench.journal) as journal:
        insert_request(journal, request, "SENDER", "association", bench.clock())
    reports.run_once()
    bench.clock.set_by(set_by)
    bench.clock.now += bench.settings.commitment_patience_seconds - 1
    reports.run_once()
    assert asker.reports == []
    bench.clock.now += 1
    reports.run_once()
    assert asker.reports == [2]


def test_an_instance_whose_row_is_still_on_its_way_is_not_called_unknown(bench: Bench) -> None:
    """Its sender was answered, and asked at once, on another association."""
    asker = Asker(bench)
    reports = asker.queue
    request = Request("1.2.3", (Reference("1.2.840.10008.5.1.4.1.1.2", "1"),))
    with transaction(bench.journal) as journal:
        insert_request(journal, request, "SENDER", "association", bench.clock())
    bench.clock.now += UNKNOWN_SECONDS - 1
    reports.run_once()
    assert asker.reports == []
    send(bench, "1")
    bench.settle()
    reports.run_once()
    assert asker.reports == [1]


def test_a_clock_that_was_set_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    watch = ClockWatch(clock, clock.monotonic)
    with caplog.at_level(logging.WARNING, logger="edge"):
        for jump in (0.0, 0.4, -3600.0, 0.0):
            clock.set_by(jump)
            clock.now += 1
            watch.run_once()
    [line] = caplog.records
    assert (line.message, line.__dict__["facts"]) == ("clock was set", {"by_seconds": -3600.0})
