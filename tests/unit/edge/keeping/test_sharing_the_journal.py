"""The worker leaves the journal to the receiver: few commits, and no counting again and again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_component.assembling.assembly import Assembly
from edge_component.sending.uploader import WRITE_SECONDS, Uploader
from tests.support.edge.bench import Bench, rows
from tests.support.edge.stand_ins import HeldPool, unreachable

STUDY, SERIES = "1.2", "1.2.1"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, uploads_in_flight=2, series_quiet_seconds=10)


def receive(bench: Bench, *sops: str) -> None:
    sender = bench.associate()
    for sop in sops:
        bench.receive(sender, STUDY, SERIES, sop)
    bench.close(sender)


def uploaded(bench: Bench) -> int:
    return len(rows(bench.journal, "SELECT instance FROM instance WHERE state = 'uploaded'"))


def commits(bench: Bench, step: Callable[[], object]) -> list[str]:
    """The statements of a step that asked for the journal's write lock."""
    said: list[str] = []
    bench.journal.set_trace_callback(said.append)
    step()
    bench.journal.set_trace_callback(None)
    return [statement for statement in said if statement.startswith("BEGIN")]


def test_uploads_that_end_within_a_moment_share_a_commit(bench: Bench) -> None:
    receive(bench, *(str(n) for n in range(1, 21)))
    bench.assembly.run_once()
    pool = HeldPool()
    uploader = Uploader(bench.journal, bench.spool, bench.settings, bench.s3, pool, bench.clock.monotonic)
    uploader.run_once()
    for _ in range(5):
        pool.run(1)
        assert commits(bench, uploader.run_once) == []
    assert (len(bench.s3.objects), uploaded(bench), len(pool.held)) == (5, 0, 2)
    bench.clock.now += 2 * WRITE_SECONDS
    pool.run(1)
    assert len(commits(bench, uploader.run_once)) == 1
    assert uploaded(bench) == 6


def test_the_last_upload_is_written_down_at_once(bench: Bench) -> None:
    receive(bench, "1", "2")
    bench.assembly.run_once()
    pool = HeldPool()
    uploader = Uploader(bench.journal, bench.spool, bench.settings, bench.s3, pool, bench.clock.monotonic)
    uploader.run_once()
    pool.run(2)
    uploader.run_once()
    assert uploaded(bench) == 2


def test_nothing_is_sent_twice_before_it_is_written_down(bench: Bench) -> None:
    receive(bench, *(str(n) for n in range(1, 31)))
    bench.assembly.run_once()
    pool = HeldPool()
    uploader = Uploader(bench.journal, bench.spool, bench.settings, bench.s3, pool, bench.clock.monotonic)
    uploader.run_once()
    while pool.held:
        pool.run(1)
        uploader.run_once()
    assert len(bench.s3.calls) == 30
    assert [key[-6:] for _, key in bench.s3.calls] == [f"{SERIES}/{n}.dcm"[-6:] for n in range(1, 31)]


def test_a_failed_upload_waits_although_others_were_read_ahead(bench: Bench) -> None:
    bench.s3.before = lambda _operation, _key: unreachable()
    receive(bench, *(str(n) for n in range(1, 10)))
    bench.assembly.run_once()
    for _ in range(5):
        bench.uploader.run_once()
    assert len(bench.s3.calls) == 2


def test_a_batch_counts_a_series_once_however_many_instances_it_has(bench: Bench) -> None:
    receive(bench, *(str(n) for n in range(1, 101)))
    said: list[str] = []
    bench.journal.set_trace_callback(said.append)
    bench.assembly.run_once()
    bench.journal.set_trace_callback(None)
    counting = [statement for statement in said if "sum(i.bytes), 0" in statement]
    assert len(counting) == 1
    assert len([statement for statement in said if statement.startswith("BEGIN")]) == 1


def test_an_instance_that_arrives_while_its_series_is_sealed_still_joins_it(bench: Bench) -> None:
    receive(bench, "1")
    bench.step()
    bench.clock.now += 20
    late = ["2"]

    def looked() -> float:
        """The clock is asked when new instances were assigned and series are about to be sealed."""
        while late:
            receive(bench, late.pop())
        return bench.clock()

    Assembly(bench.journal, bench.spool, bench.settings, looked, monotonic=bench.clock.monotonic).run_once()
    bench.settle()
    [manifest] = bench.manifests()
    assert [instance.sop_instance_uid for instance in manifest.instances] == ["1", "2"]
