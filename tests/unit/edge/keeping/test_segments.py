"""Instances one behind the other in few files: what a power cut leaves, and when a file goes."""

from __future__ import annotations

import errno
import io
import tempfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from edge_component.assembling.adoption import adopt
from edge_component.journal.database import open_journal, transaction
from edge_component.journal.releases import emptied, forget, let_go, seal
from edge_component.receiving.store import Reception, Store
from edge_component.records.receipt import ALIGNMENT, HEAD, MARK, aligned, of_place, records
from edge_component.spool.files import OsFiles
from edge_component.spool.folder import Spool
from edge_component.spool.segments import FULL_BYTES, IDLE_SECONDS, SEGMENT
from tests.support.edge.bench import Bench, rows
from tests.support.edge.dicom import encoded, instance
from tests.support.edge.disk import PowerCut, RecordingFiles
from tests.support.machine.waiting import wait_until
from tests.unit.edge.receiving.test_store import (
    SENDER,
    Journal,
    Room,
    command_of,
    in_spool,
    receive,
    store_at,
)

STEPS = ("store", "abandon", "refuse", "idle")


@lru_cache
def made(sop: str, pixels: int) -> tuple[Dataset, bytes]:
    """The same, each time it is asked for."""
    ds = instance(sop=sop, pixels=pixels)
    return ds, encoded(ds)


def begin(store: Store, sop: str, pixels: int, **changes: str) -> tuple[Reception, bytes]:
    ds, data = made(sop, pixels)
    return store.begin(SENDER, command_of(ds, **changes)), data


def story(store: Store, steps: list[tuple[str, int]], acknowledged: list[str]) -> None:
    """`acknowledged` grows as the answers go out."""
    for number, (step, pixels) in enumerate(steps):
        sop = f"1.{number}"
        if step == "idle":
            store.spool.segments.seal_idle(0.0)
        elif step == "abandon":
            reception, data = begin(store, sop, pixels)
            reception.write(data[: len(data) // 2])
            reception.abandon()
        elif step == "refuse":
            reception, data = begin(store, sop, pixels, sop_instance_uid="1.2.3")
            assert not receive(reception, data).stored
        else:
            reception, data = begin(store, sop, pixels)
            reception.write(data)
            assert reception.finish().stored
            acknowledged.append(sop)
            reception.settle()


def found_at_start(root: Path, files: dict[str, bytes]) -> list[tuple[str, bytes]]:
    """What a start adopts from these files, with the bytes of each."""
    spool = Spool(root)
    spool.prepare()
    for name, content in files.items():
        (spool.instances / name).write_bytes(content)
    journal = open_journal(spool.journal)
    journal.execute("INSERT INTO epoch (started_at) VALUES (0)")
    adopt(journal, spool, 1)
    found = []
    for row in rows(journal, "SELECT * FROM instance"):
        with spool.read(row["file"], row["bytes"]) as stream:
            found.append((row["sop_instance_uid"], stream.read()))
    journal.close()
    return found


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from([256, 3072, 9216])), min_size=1, max_size=4)
)
def test_a_power_cut_at_any_operation_loses_nothing_that_was_acknowledged(
    steps: list[tuple[str, int]],
) -> None:
    """E15: a row without its file, or an answer without both, must not exist."""
    with tempfile.TemporaryDirectory() as folder:
        whole = RecordingFiles()
        story(store_at(Path(folder) / "whole", Journal(), whole), steps, [])
        for cut_at in range(len(whole.operations) + 1):
            disk, journal, acknowledged = RecordingFiles(cut_at), Journal(), list[str]()
            root = Path(folder) / f"cut{cut_at}"
            with suppress(PowerCut):
                story(store_at(root, journal, disk), steps, acknowledged)
            for how, files in (("cut", disk.after_power_cut()), ("kill", disk.after_a_kill())):
                found = dict(found_at_start(root / how, files))
                assert set(acknowledged) <= set(found)
                assert {row.sop_instance_uid for row in journal.rows} <= set(found)
                for sop, content in found.items():
                    _, pixels = steps[int(sop.partition(".")[2])]
                    assert content.endswith(made(sop, pixels)[1])


def test_many_instances_lie_in_one_file_and_each_costs_one_sync(tmp_path: Path) -> None:
    disk, journal = RecordingFiles(), Journal()
    store = store_at(tmp_path, journal, disk)
    story(store, [("store", 3000)] * 5, [])
    assert [name for name in disk.operations if "sync" in name] == ["sync_folder", *["sync"] * 5]
    assert disk.operations.count("create") == 1
    assert len({of_place(row.file)[0] for row in journal.rows}) == 1
    assert all(of_place(row.file)[1] % ALIGNMENT == 0 for row in journal.rows)


def test_two_at_a_time_have_two_files_and_the_next_two_have_the_same(tmp_path: Path) -> None:
    journal = Journal()
    store = store_at(tmp_path, journal)
    for turn in range(2):
        under_way = [begin(store, f"1.{turn}.{number}", 64) for number in range(2)]
        for reception, data in under_way:
            reception.write(data)
        for reception, _ in under_way:
            assert reception.finish().stored
            reception.settle()
    assert len(store.spool.segment_names()) == 2
    assert len(in_spool(store.spool)) == 4


def test_a_full_segment_is_sealed_behind_its_rows(tmp_path: Path) -> None:
    journal = Journal()
    store = store_at(tmp_path, journal)
    while not journal.sealed:
        story(store, [("store", FULL_BYTES // 5)], [])
    [(segment, records)] = journal.sealed
    assert [of_place(row.file)[0] for row in journal.rows] == [segment] * records
    story(store, [("store", 64)], [])
    assert of_place(journal.rows[-1].file)[0] != segment


def test_an_idle_segment_is_sealed_and_not_before(tmp_path: Path) -> None:
    journal = Journal()
    store = store_at(tmp_path, journal)
    story(store, [("store", 64)], [])
    store.spool.segments.seal_idle()
    assert journal.sealed == []
    store.spool.segments.keep()
    wait_until(lambda: len(journal.sealed) == 1, f"it is sealed after {IDLE_SECONDS} s")
    store.spool.close()
    assert len(store.spool.segment_names()) == 1


def test_files_are_made_ahead_of_need_and_go_when_nobody_needs_them(tmp_path: Path) -> None:
    spool = Spool(tmp_path, spares=4)
    spool.prepare()
    store = Store(spool, Journal(), Room())
    spool.segments.keep()
    wait_until(lambda: len(spool.segment_names()) >= 4, "files are made")
    under_way = [begin(store, f"1.{number}", 64)[0] for number in range(4)]
    wait_until(lambda: len(spool.segment_names()) > 4, "more are made")
    for reception in under_way:
        reception.abandon()
    story(store, [("store", 64)], [])
    spool.close()
    assert len(spool.segment_names()) == 1


def test_a_segment_that_the_disk_would_not_sync_is_not_written_to_again(tmp_path: Path) -> None:
    whole = RecordingFiles()
    story(store_at(tmp_path, Journal(), whole), [("store", 64)] * 2, [])
    second = len(whole.operations) - 1
    disk, journal = RecordingFiles(full_at=second), Journal()
    store = store_at(tmp_path, journal, disk)
    story(store, [("store", 64)], [])
    assert receive(*begin(store, "1.9", 64)).code == 0xA700
    assert journal.sealed == [(of_place(journal.rows[0].file)[0], 1)]


def test_a_segment_that_would_not_take_a_refused_instance_is_not_written_to_again(tmp_path: Path) -> None:
    """A refused instance is written for the quarantine only: an error of the disk is one all the same."""
    disk, journal = RecordingFiles(), Journal()
    store = store_at(tmp_path, journal, disk)
    story(store, [("store", 64)], [])
    disk.full_at = len(disk.operations)
    refused, data = begin(store, "1.9", 64, sop_instance_uid="1.2.3")
    assert receive(refused, data).code == 0xA900
    assert journal.sealed == [(of_place(journal.rows[0].file)[0], 1)]


def test_a_data_set_that_looks_like_a_record_is_none(tmp_path: Path) -> None:
    """Whoever sends may put anything into a data set, and break off."""
    bench = Bench(tmp_path)
    bench.receive(bench.associate(), "1.2", "1.2.3", "1")
    [record] = bench.spool.records(*bench.written())
    path = bench.segment_of("1")
    body = path.read_bytes()
    path.write_bytes(body.ljust(aligned(record.end), b"\0") + body)  # a record, but not of this place
    assert len(list(bench.spool.records(*bench.written()))) == 1
    bench.crash()
    assert bench.unsent() == 1
    assert len(list(bench.spool.quarantine.glob("*.dcm"))) == 1


class Reads(io.BytesIO):
    """Counts what is read."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Counted."""
        data = super().read(size)
        self.taken += len(data)
        return data


def test_a_data_set_full_of_heads_is_passed_over_in_one_read() -> None:
    """Whoever sends it while the power goes must not keep the next start busy for hours."""
    size = 256 * ALIGNMENT
    stream = Reads(HEAD.pack(MARK, 0, size // 2, 1).ljust(ALIGNMENT, b"\0") * 256)
    assert list(records(stream, "a")) == []
    assert stream.taken < 2 * size


def test_what_was_cut_off_goes_to_quarantine_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.receive(bench.associate(), "1.2", "1.2.3", "1")
    path = bench.segment_of("1")
    size = path.stat().st_size
    path.write_bytes(path.read_bytes().ljust(aligned(size) + HEAD.size, b"\0") + b"DICM" * 99)
    bench.crash()
    [cut_off] = bench.spool.quarantine.glob("*.dcm")
    assert cut_off.read_bytes() == b"DICM" * 99
    cut_off.unlink()
    bench.crash()
    assert (bench.unsent(), list(bench.spool.quarantine.glob("*.dcm"))) == (1, [])


def test_a_record_whose_bytes_a_power_cut_kept_back_was_not_acknowledged(tmp_path: Path) -> None:
    """A disk may write head and receipt before what lies between them; the sync waits for all."""
    bench = Bench(tmp_path)
    sender = bench.associate()
    for sop in ("1", "2"):
        bench.receive(sender, "1.2", "1.2.3", sop, pixels=9216)
    path, at = bench.segment_of("2"), of_place(bench.place_of("2"))[1]
    content = bytearray(path.read_bytes())
    content[at + ALIGNMENT : at + 2 * ALIGNMENT] = bytes(ALIGNMENT)
    path.write_bytes(content)
    bench.journal.execute("DELETE FROM instance")  # neither row was written yet
    bench.crash()
    bench.settle()
    assert [[i.sop_instance_uid for i in manifest.instances] for manifest in bench.manifests()] == [["1"]]
    assert bench.manifests()[0].missing == []
    assert len(list(bench.spool.quarantine.glob("*.dcm"))) == 1


@pytest.mark.parametrize("journal_lost", [False, True])
def test_a_broken_head_hides_nothing_that_lies_behind_it(tmp_path: Path, journal_lost: bool) -> None:
    bench = Bench(tmp_path, series_patience_seconds=100)
    sender = bench.associate()
    for sop in ("1", "2", "3"):
        bench.receive(sender, "1.2", "1.2.3", sop)
    path, at = bench.segment_of("2"), of_place(bench.place_of("2"))[1]
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    bench.journal.close()
    if journal_lost:
        bench.spool.journal.unlink()
    bench.start()
    bench.settle()
    [manifest] = bench.manifests()
    expected = ["1", "3"] if journal_lost else ["1", "2", "3"]
    assert [i.sop_instance_uid for i in manifest.instances] == expected
    assert len(list(bench.spool.quarantine.glob("*.dcm"))) == journal_lost
    assert bench.written() == []


@pytest.mark.parametrize("size", [1 << 50, (1 << 64) - 1])
def test_a_head_with_an_impossible_length_hides_nothing_that_lies_behind_it(
    tmp_path: Path, size: int
) -> None:
    """No file of this disk is so long, or no file at all: a start must not fail with it."""
    bench = Bench(tmp_path)
    sender = bench.associate()
    for sop in ("1", "2", "3"):
        bench.receive(sender, "1.2", "1.2.3", sop)
    path, at = bench.segment_of("2"), of_place(bench.place_of("2"))[1]
    content = bytearray(path.read_bytes())
    content[at + 8 : at + 16] = size.to_bytes(8, "little")
    path.write_bytes(content)
    bench.journal.execute("DELETE FROM instance")  # no row was written yet
    bench.crash()
    assert [row["sop_instance_uid"] for row in rows(bench.journal, "SELECT * FROM instance")] == ["1", "3"]


def test_a_segment_goes_when_every_one_of_its_records_was_let_go(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.sqlite3")
    with transaction(journal):
        let_go(journal, ["a/0", "a/4096", "a/0", "b/0"])
        assert emptied(journal) == []  # neither is sealed
        seal(journal, "a", 3)
        seal(journal, "b", 1)
        assert emptied(journal) == ["b"]
        let_go(journal, ["a/8192"])
        assert sorted(emptied(journal)) == ["a", "b"]
        forget(journal, ["a", "b"])
    assert (emptied(journal), rows(journal, "SELECT * FROM released")) == ([], [])
    journal.close()


def test_what_was_announced_is_not_taken_again_while_its_segment_waits_for_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for series, sop in (("1.2.1", "1"), ("1.2.2", "2")):
        sender = bench.associate()
        bench.receive(sender, "1.2", series, sop)
        bench.close(sender)
    bench.bus.refuse = lambda entry: '"1.2.2"' in entry["Detail"]
    for _ in range(20):
        bench.clock.now += 20
        bench.step()
    assert (bench.unsent(), len(bench.stored())) == (1, 2)
    bench.crash()
    assert bench.unsent() == 1
    bench.bus.refuse = lambda _entry: False
    bench.settle()
    assert [len(manifest.instances) for manifest in bench.manifests()] == [1, 1]
    assert bench.written() == []


def test_an_instance_that_cannot_be_put_aside_now_stays_until_it_can(tmp_path: Path) -> None:
    bench = Bench(tmp_path, series_patience_seconds=100)
    sender = bench.associate()
    bench.receive(sender, "1.2", "1.2.3", "1")
    bench.close(sender)
    bench.journal.execute("UPDATE instance SET file_crc32 = file_crc32 + 1")  # not what was received
    bench.spool.aside.rmdir()
    for _ in range(20):
        bench.clock.now += 20
        bench.step()
    assert (bench.unsent(), len(bench.stored())) == (0, 1)
    bench.spool.aside.mkdir()
    for _ in range(20):
        bench.clock.now += 20
        bench.step()
    assert (bench.stored(), len(list(bench.spool.aside.glob("*.dcm")))) == ([], 1)


def test_a_segment_that_cannot_be_removed_now_goes_later(tmp_path: Path) -> None:
    """Windows removes no file that somebody reads."""
    files = Held()
    bench = Bench(tmp_path, files)
    for sop in ("1", "2"):
        sender = bench.associate()
        bench.receive(sender, "1.2", "1.2.3", sop)
        bench.close(sender)
        bench.settle()
    assert (bench.unsent(), [bench.spool.segment(name) for name in bench.written()]) == (0, [files.held])
    files.over = True
    bench.clock.now += 3600
    bench.step()
    assert bench.written() == []


class Held(OsFiles):
    """The first segment that is to be removed is being read."""

    def __init__(self) -> None:
        self.held: Path | None = None
        self.over = False

    def remove(self, path: Path) -> None:
        """Not that one."""
        if path.suffix == SEGMENT:
            self.held = self.held or path
        if path == self.held and not self.over:
            raise PermissionError(errno.EACCES, "Permission denied")
        super().remove(path)
