"""What leaves the edge is what was received: compared to the last bit, and read as seldom as possible."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zlib_ng.zlib_ng import crc32

from edge_component.journal.instances import Assigned, to_send
from edge_component.records.part10 import file_crc32, part10_head
from edge_component.records.receipt import of_place
from edge_component.sending.answers import UnreadableError
from edge_component.sending.verified import ALTERED, HELD_BYTES, HeldFile, to_be_sent
from edge_component.spool.files import OsFiles
from edge_component.spool.folder import Spool
from edge_component.spool.hashing import AlteredError, Stored, compared, digest
from tests.support.edge.bench import Bench

IDENTITY = ("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1")
SMALL, LARGE = 1024, HELD_BYTES
"""Bytes of pixels."""
HEAD_OF_FILE = part10_head(*IDENTITY)


class Counting(OsFiles):
    def __init__(self) -> None:
        self.reads = 0

    def read(self, path: Path) -> BinaryIO:
        """Counted."""
        self.reads += 1
        return super().read(path)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.journal.close()


def waiting(bench: Bench, size: int = 1024) -> Assigned:
    """An instance with so many bytes of pixels, in its place in a series."""
    sender = bench.associate()
    bench.receive(sender, "1.2", "1.2.1", "1", pixels=size)
    bench.close(sender)
    bench.assembly.run_once()
    [one] = to_send(bench.journal, 10, bulk=False)
    return one


@given(st.binary(max_size=600_000))
def test_the_checksum_of_a_file_follows_from_that_of_its_data_set(data: bytes) -> None:
    size = len(HEAD_OF_FILE) + len(data)
    assert file_crc32(*IDENTITY, size, crc32(data)) == crc32(HEAD_OF_FILE + data)


def test_a_bit_that_flips_anywhere_in_the_head_of_a_file_is_found() -> None:
    content = HEAD_OF_FILE + b"the data set"
    stored = Stored("a/0", len(content), crc32(content))
    assert compared((content[:50], content[50:]), stored).sha256 == hashlib.sha256(content).hexdigest()
    for bit in range(8 * len(HEAD_OF_FILE)):
        altered = bytearray(content)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(AlteredError):
            compared((altered,), stored)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["in memory", "large"])
@pytest.mark.parametrize("at", [100, 200, 900], ids=["preamble", "meta information", "data set"])
def test_an_instance_that_was_altered_in_the_spool_is_not_sent(bench: Bench, size: int, at: int) -> None:
    one = waiting(bench, size)
    bench.alter(one.file, at)
    with pytest.raises(UnreadableError, match=ALTERED):
        to_be_sent(bench.spool, one)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["in memory", "large"])
def test_an_instance_that_is_not_what_was_hashed_before_is_not_sent(bench: Bench, size: int) -> None:
    one = waiting(bench, size)
    bench.journal.execute("UPDATE instance SET file_sha256 = ?", ("0" * 64,))
    [one] = to_send(bench.journal, 10, bulk=False)
    with pytest.raises(UnreadableError, match=ALTERED):  # noqa: SIM117 - either says it
        with to_be_sent(bench.spool, one) as file:
            list(file.pieces(memoryview(bytearray(4096))))


def test_an_instance_that_was_cut_off_is_not_sent(bench: Bench) -> None:
    one = waiting(bench)
    path = bench.spool.segment(of_place(one.file)[0])
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UnreadableError, match=ALTERED):
        to_be_sent(bench.spool, one)


def test_a_small_instance_is_read_once_and_sent_from_memory(bench: Bench) -> None:
    one, files = waiting(bench, 20_000), Counting()
    with to_be_sent(Spool(bench.spool.root, files), one) as file:
        first, second = (b"".join(file.pieces(memoryview(bytearray(4096)))) for _ in range(2))
        assert first == second == file.verified().read()
    assert files.reads == 1
    assert hashlib.sha256(first).hexdigest() == file.sha256


def test_a_large_instance_is_never_in_memory(bench: Bench) -> None:
    one = waiting(bench, LARGE)
    with to_be_sent(bench.spool, one) as file:
        assert not isinstance(file, HeldFile)
        content = b"".join(map(bytes, file.pieces(memoryview(bytearray(4096)))))
    assert (len(content), digest((content,)).sha256) == (one.bytes, file.sha256)


class Fading(OsFiles):
    """Gives another bit from the second time on that it is opened."""

    reads = 0
    at = -1

    def read(self, path: Path) -> BinaryIO:
        """The file, or what has become of it."""
        self.reads += self.at >= 0
        if self.reads < 2:
            return super().read(path)
        content = bytearray(path.read_bytes())
        content[self.at] ^= 1
        return io.BytesIO(content)


def test_what_goes_in_parts_is_what_was_hashed_a_moment_ago(tmp_path: Path) -> None:
    files = Fading()
    bench = Bench(tmp_path, files, multipart_bytes=5 * LARGE, series_patience_seconds=100)
    waiting(bench, 6 * LARGE)
    files.at = 3 * LARGE
    for _ in range(30):
        bench.clock.now += 20
        bench.step()
    [manifest] = bench.manifests()
    assert ([one.reason for one in manifest.missing], manifest.instances) == ([ALTERED], [])
