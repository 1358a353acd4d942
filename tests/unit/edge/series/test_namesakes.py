"""Instances that share a SOP Instance UID, whatever state the first of them is in."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

from edge_component.spool.files import OsFiles
from tests.support.edge.bench import Bench, rows

STUDY, SERIES = "1.2", "1.2.1"


class Disk(OsFiles):
    """Does not give one file."""

    bad: Path | None = None

    def read(self, path: Path) -> BinaryIO:
        """An existing file, if it can be read."""
        if path == self.bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(path)


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
