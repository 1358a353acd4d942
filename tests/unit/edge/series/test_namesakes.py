"""Instances that share a SOP Instance UID, whatever state the first of them is in."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from edge_component.journal.instances import hashed
from edge_component.records.receipt import of_place
from edge_component.sending.uploader import Uploader
from edge_component.spool.files import OsFiles
from tests.support.edge.bench import Bench, rows
from tests.support.edge.stand_ins import HeldPool, client_error, unreachable

STUDY, SERIES = "1.2", "1.2.1"
NEWEST = "SELECT * FROM instance ORDER BY instance DESC LIMIT 1"


class Disk(OsFiles):
    """Does not give one file."""

    bad: Path | None = None

    def read(self, path: Path) -> BinaryIO:
        """An existing file, if it can be read."""
        if path == self.bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(path)


def contents(bench: Bench) -> list[int]:
    """As they were announced: the newest last."""
    return [i.attributes["00200013"]["Value"][0] for m in bench.manifests() for i in m.instances]


def send(bench: Bench, sop: str, content: int = 0) -> None:
    sender = bench.associate()
    bench.receive(sender, STUDY, SERIES, sop, content)
    bench.close(sender)
    bench.spool.segments.seal_idle(0.0)


def test_a_copy_of_an_instance_that_cannot_be_sent_does_not_wait_for_it(tmp_path: Path) -> None:
    """It takes its place, whatever the first one's hash is."""
    disk = Disk()
    bench = Bench(tmp_path, disk, series_patience_seconds=100)
    send(bench, "1")
    disk.bad = bench.segment_of("1")
    bench.step()
    assert rows(bench.journal, "SELECT problem FROM instance")[0]["problem"]
    send(bench, "1")
    bench.assembly.run_once()
    assert [row["state"] for row in rows(bench.journal, "SELECT state FROM instance")] == ["assigned"] * 2


def test_a_second_copy_of_a_damaged_instance_does_not_come_after_a_newer_version(tmp_path: Path) -> None:
    bench = Bench(tmp_path, series_patience_seconds=100)
    bench.s3.before = lambda _operation, _key: unreachable()
    for content in (1, 1, 1, 2):
        send(bench, "1", content)
        bench.step()
    for place in [row["file"] for row in rows(bench.journal, "SELECT file FROM instance")][:2]:
        bench.alter(place)
    bench.s3.before = lambda _operation, _key: None
    bench.settle()
    assert (contents(bench), [manifest.missing for manifest in bench.manifests()]) == ([1, 2], [[], []])
    assert (bench.counters()["instances_duplicate"], bench.stored()) == (2, [])


def test_a_second_copy_of_what_s3_refuses_for_a_while_does_not_come_after_a_newer_version(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, series_patience_seconds=100)
    bench.s3.before = lambda operation, _key: client_error(operation, "EntityTooLarge", 400)
    for content in (1, 1, 2):
        send(bench, "1", content)
    for _ in range(4):
        bench.clock.now += 5
        bench.step()
    bench.s3.before = lambda _operation, _key: None
    bench.settle()
    assert contents(bench) == [1, 2]
    assert (bench.counters()["instances_duplicate"], bench.stored()) == (1, [])


def test_a_copy_that_cannot_be_read_for_the_whole_patience_is_sent_when_it_can_be_read(
    tmp_path: Path,
) -> None:
    disk = Disk()
    bench = Bench(tmp_path, disk, series_patience_seconds=100)
    send(bench, "1", 1)
    bench.step()
    send(bench, "1", 2)
    disk.bad = bench.spool.segment(of_place(rows(bench.journal, NEWEST)[0]["file"])[0])
    for _ in range(25):
        bench.clock.now += 5
        bench.assembly.run_once()
    assert rows(bench.journal, NEWEST)[0]["state"] == "assigned"
    disk.bad = None
    bench.settle()
    assert (contents(bench), [manifest.missing for manifest in bench.manifests()]) == ([1, 2], [[], []])


def test_a_copy_that_comes_while_the_first_is_being_sent_is_a_duplicate(tmp_path: Path) -> None:
    bench, pool = Bench(tmp_path), HeldPool()
    arguments = (bench.journal, bench.spool, bench.settings, bench.s3, pool, bench.clock.monotonic)
    bench.uploader = Uploader(*arguments, wall=bench.clock)
    send(bench, "1")
    bench.step()
    send(bench, "1")
    bench.step()
    states = [row["state"] for row in rows(bench.journal, "SELECT state FROM instance ORDER BY instance")]
    assert states == ["sending", "duplicate"]
    pool.run(1)
    bench.settle()
    assert (contents(bench), bench.counters()["instances_duplicate"]) == ([0], 1)


def test_the_hash_of_what_s3_has_confirmed_stays(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    send(bench, "1")
    bench.assembly.run_once()
    bench.uploader.run_once()
    bench.uploader.run_once()
    [before] = rows(bench.journal, "SELECT * FROM instance WHERE state = 'uploaded'")
    hashed(bench.journal, before["instance"], "0" * 64)
    assert rows(bench.journal, "SELECT * FROM instance") == [before]


@pytest.mark.parametrize("damaged", [True, False])
def test_only_a_damaged_file_changes_places_with_a_second_copys(tmp_path: Path, *, damaged: bool) -> None:
    """And is believed to be sent then; what S3 refuses is refused with any file."""
    bench = Bench(tmp_path, series_patience_seconds=100)
    bench.s3.before = lambda _operation, _key: unreachable()
    for _ in range(2):
        send(bench, "1")
        bench.step()
    first, second = (
        row["file"] for row in rows(bench.journal, "SELECT file FROM instance ORDER BY instance")
    )
    if damaged:
        bench.alter(first)
    bench.s3.before = lambda operation, _key: client_error(operation, "EntityTooLarge", 400)
    bench.clock.now += 5
    bench.uploader.run_once()
    bench.uploader.run_once()
    [one] = rows(bench.journal, "SELECT file, problem FROM instance ORDER BY instance LIMIT 1")
    assert (one["file"], one["problem"] is None) == ((second, True) if damaged else (first, False))
