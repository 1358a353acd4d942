"""Instances that share a SOP Instance UID, whatever state the first of them is in."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

from edge_component.records.receipt import of_place
from edge_component.spool.files import OsFiles
from tests.support.edge.bench import Bench, rows
from tests.support.edge.stand_ins import unreachable

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


def rot(path: Path, place: str) -> None:
    content = bytearray(path.read_bytes())
    content[of_place(place)[1] + 500] ^= 1
    path.write_bytes(content)


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
        rot(bench.spool.segment(of_place(place)[0]), place)
    bench.s3.before = lambda _operation, _key: None
    bench.settle()
    assert (contents(bench), [manifest.missing for manifest in bench.manifests()]) == ([1, 2], [[], []])
    assert (bench.counters()["instances_duplicate"], bench.stored()) == (2, [])


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
