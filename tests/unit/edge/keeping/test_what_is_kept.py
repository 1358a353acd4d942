"""What was acknowledged stays until S3 has it, whatever a disk, a copy, a manifest or a release does."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from zlib_ng.zlib_ng import crc32

from edge_component.announcing.aside import ask_again, take_again
from edge_component.announcing.retention import DAY, Retention
from edge_component.assembling.adoption import adopt
from edge_component.assembling.rules import Arrival, Begin, Rules, Version, assign
from edge_component.commands.aside import cannot_be_sent_again
from edge_component.journal import channels
from edge_component.journal.database import open_journal, transaction
from edge_component.journal.instances import StateError, announced
from edge_component.journal.instances import assign as give_place
from edge_component.journal.intake import Intake
from edge_component.records.commitment import Reference, Request, judge
from edge_component.records.part10 import read_head
from edge_component.records.receipt import UnknownReceiptError, decode_receipt, encode_receipt
from edge_component.records.rows import AssociationRow, InstanceRow
from edge_component.spool.files import OsFiles
from edge_component.spool.folder import Spool
from edge_component.spool.hashing import Stored, digest_of
from tests.support.edge.bench import Bench, rows
from tests.support.edge.disk import RecordingFiles
from tests.support.edge.stand_ins import client_error
from tests.support.machine.waiting import wait_until

STUDY, SERIES = "1.2", "1.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"


class Disk(OsFiles):
    """Reads fail while told to; what is done is noted."""

    def __init__(self) -> None:
        self.failing: Callable[[Path], int | None] = lambda _path: None
        self.done: list[str] = []

    def read(self, path: Path) -> BinaryIO:
        """An existing file, if it can be read."""
        if number := self.failing(path):
            raise OSError(number, os.strerror(number))
        return super().read(path)

    def remove(self, path: Path) -> None:
        """Gone."""
        self.done.append(f"remove {path.name}")
        super().remove(path)

    def sync_folder(self, path: Path) -> None:
        """Durable."""
        self.done.append(f"sync {path.name}")
        super().sync_folder(path)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def bench(tmp_path: Path, disk: Disk) -> Bench:
    return Bench(tmp_path, disk, series_patience_seconds=100)


def send(bench: Bench, *sops: str, content: int = 0) -> None:
    sender = bench.associate()
    for sop in sops:
        bench.receive(sender, STUDY, SERIES, sop, content)
    bench.close(sender)


def sent(bench: Bench) -> list[list[str]]:
    return [[i.sop_instance_uid for i in manifest.instances] for manifest in bench.manifests()]


# Reading


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM, errno.EIO])
@pytest.mark.parametrize("which", ["first", "second"])
def test_a_read_that_fails_is_tried_again_before_an_instance_counts_as_another_version(
    bench: Bench, disk: Disk, number: int, which: str
) -> None:
    """Both are read: neither was needed before."""
    send(bench, "1", "2")
    bench.assembly.run_once()
    send(bench, "1")
    failures = [number] if which == "first" else [number, 0]
    disk.failing = lambda _path: failures.pop() or None if failures else None
    bench.assembly.run_once()
    assert not failures
    [again] = rows(bench.journal, "SELECT state FROM instance ORDER BY instance DESC LIMIT 1")
    assert again["state"] == "received"
    bench.settle()
    assert sent(bench) == [["1", "2"]]
    assert bench.manifests()[0].missing == []
    assert bench.counters()["instances_duplicate"] == 1


def test_a_read_that_fails_while_it_is_sent_is_tried_again_and_condemns_nothing(
    bench: Bench, disk: Disk
) -> None:
    send(bench, "1", "2")
    bench.assembly.run_once()
    failures = [errno.EIO]
    disk.failing = lambda _path: failures.pop() if failures else None
    bench.settle()
    assert not failures
    assert sent(bench) == [["1", "2"]]
    assert bench.manifests()[0].missing == []


def test_an_instance_gets_its_place_without_being_read(bench: Bench, disk: Disk) -> None:
    disk.failing = lambda _path: errno.EIO
    send(bench, "1", "2")
    bench.assembly.run_once()
    query = "SELECT DISTINCT state, file_sha256, problem FROM instance"
    assert rows(bench.journal, query) == [{"state": "assigned", "file_sha256": None, "problem": None}]


def test_the_manifest_has_the_hash_of_what_was_sent(bench: Bench) -> None:
    send(bench, "1", "2")
    bench.settle()
    [manifest] = bench.manifests()
    for one in manifest.instances:
        sent_bytes = bench.s3.objects[one.key]
        assert one.file_sha256 == one.dataset_sha256 == hashlib.sha256(sent_bytes).hexdigest()


def test_versions_keep_their_order_while_the_first_cannot_be_read(bench: Bench, disk: Disk) -> None:
    send(bench, "1", content=1)
    first = bench.segment_of("1")
    bench.spool.segments.seal_idle(0.0)
    send(bench, "1", content=2)
    bench.spool.segments.seal_idle(0.0)
    disk.failing = lambda path: errno.EIO if path == first else None
    for _ in range(5):
        bench.assembly.run_once()
        bench.clock.now += 5
    assert rows(bench.journal, "SELECT DISTINCT state FROM instance") == [{"state": "received"}]
    disk.failing = lambda _path: None
    bench.settle()
    contents = [m.instances[0].attributes["00200013"]["Value"][0] for m in bench.manifests()]
    assert contents == [1, 2]


def test_a_copy_of_what_cannot_be_read_is_sent_too_and_the_first_when_it_can_be_read(
    bench: Bench, disk: Disk
) -> None:
    send(bench, "1")
    bench.assembly.run_once()
    first = bench.segment_of("1")
    bench.spool.segments.seal_idle(0.0)
    send(bench, "1")
    disk.failing = lambda path: errno.EIO if path == first else None
    for _ in range(25):
        bench.clock.now += 5
        bench.assembly.run_once()
    disk.failing = lambda _path: None
    bench.settle()
    assert sent(bench) == [["1"], ["1"]]
    assert [manifest.missing for manifest in bench.manifests()] == [[], []]


def test_two_instances_without_a_hash_are_not_the_same() -> None:
    """What nobody compared is never let go as a duplicate."""
    arrival, version = Arrival("1", None, 10, 0.0), Version(1, "t", None, None)
    rules = Rules(1, 1, 1, 1, 3600)
    assert isinstance(assign(arrival, [version], [], rules, lambda: (2, "u")), Begin)


def test_what_cannot_be_read_for_the_whole_patience_does_not_keep_its_series(
    bench: Bench, disk: Disk
) -> None:
    send(bench, "1")
    bad = bench.segment_of("1")
    bench.spool.segments.seal_idle(0.0)
    send(bench, "2")
    disk.failing = lambda path: errno.EIO if path == bad else None
    for _ in range(80):
        bench.clock.now += 5
        bench.step()
    assert sent(bench) == [["2"]]
    [missing] = bench.manifests()[0].missing
    assert "cannot be read" in missing.reason
    assert bad.exists()


def test_the_edges_own_shortage_is_not_blamed_on_an_instance(bench: Bench, disk: Disk) -> None:
    send(bench, "1")
    bench.assembly.run_once()
    disk.failing = lambda _path: errno.EMFILE
    for _ in range(60):
        bench.clock.now += 5
        bench.step()
    assert rows(bench.journal, "SELECT state, problem FROM instance") == [
        {"state": "assigned", "problem": None}
    ]
    assert channels.channels(bench.journal)[0].code == "EMFILE"
    disk.failing = lambda _path: None
    bench.settle()
    assert sent(bench) == [["1"]]


def test_an_intact_file_that_could_not_be_read_may_be_sent_again_by_its_crc(bench: Bench, disk: Disk) -> None:
    send(bench, "1")
    bad = bench.segment_of("1")
    disk.failing = lambda path: errno.EIO if path == bad else None
    for _ in range(60):
        bench.clock.now += 5
        bench.step()
    disk.failing = lambda _path: None
    for _ in range(20):
        bench.clock.now += 5
        bench.step()
    [aside] = bench.spool.aside.glob("*.dcm")
    ask_again(bench.spool, aside)
    assert take_again(bench.journal, bench.spool, bench.clock)
    bench.settle()
    assert sent(bench)[-1] == ["1"]


# Copies


def test_a_second_copy_stays_until_the_first_is_in_s3_and_replaces_it_when_it_rots(bench: Bench) -> None:
    bench.s3.before = lambda operation, _key: client_error(operation, "SlowDown", 503)
    send(bench, "1")
    bench.step()
    place = bench.place_of("1")
    send(bench, "1")
    bench.step()
    assert rows(bench.journal, "SELECT state FROM instance ORDER BY instance") == [
        {"state": "assigned"}, {"state": "duplicate"}
    ]  # fmt: skip
    assert len(bench.stored()) == 2
    bench.alter(place)
    bench.s3.before = lambda _operation, _key: None
    for _ in range(6):
        bench.clock.now += 5
        bench.step()
    assert sent(bench) == [["1"]]  # it does not wait for the patience with the first
    bench.settle()
    assert [len(manifest.missing) for manifest in bench.manifests()] == [0]
    assert (bench.counters()["instances_duplicate"], bench.stored()) == (1, [])


def test_a_second_copy_goes_when_the_first_is_in_s3(bench: Bench) -> None:
    bench.s3.before = lambda operation, _key: client_error(operation, "SlowDown", 503)
    send(bench, "1")
    bench.step()
    send(bench, "1")
    bench.step()
    assert bench.counters().get("instances_duplicate", 0) == 0
    bench.s3.before = lambda _operation, _key: None
    bench.settle()
    assert (sent(bench), bench.counters()["instances_duplicate"], bench.stored()) == ([["1"]], 1, [])


def test_a_state_changes_only_from_the_state_it_is_in(bench: Bench) -> None:
    send(bench, "1")
    [row] = rows(bench.journal, "SELECT * FROM instance")
    bench.assembly.run_once()
    with pytest.raises(StateError):
        give_place(bench.journal, row["instance"], 1, digest_of(bench.spool, stored_of(row)).sha256)
    with pytest.raises(StateError), transaction(bench.journal) as journal:
        announced(journal, bench.journal.execute("SELECT max(sequence) FROM instance").fetchone()[0], 1.0)
    assert bench.unsent() == 1


def stored_of(row: dict[str, Any]) -> Stored:
    return Stored(row["file"], row["bytes"], row["file_crc32"])


# Commitment


def test_an_instance_that_was_announced_as_missing_is_reported_failed(bench: Bench) -> None:
    bench.s3.before = lambda operation, key: (
        client_error(operation, "EntityTooLarge", 400) if key.endswith(".dcm") else None
    )
    send(bench, "1")
    bench.settle()
    verdicts = judge(bench.journal, [Reference(CT, "1")])
    assert (verdicts.committed, len(verdicts.failed)) == ((), 1)


# Announcing


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"vr": "LO", "Value": ["x"]}
    for _ in range(levels):
        value = {"vr": "SQ", "Value": [{"00081032": value}]}
    return value


def describe(bench: Bench, sop: str, attributes: str) -> None:
    bench.journal.execute("UPDATE instance SET attributes = ? WHERE sop_instance_uid = ?", (attributes, sop))


@pytest.mark.parametrize(
    "attributes",
    [
        json.dumps({"00100020": {"vr": "LO", "Value": ["P1"]}, "00081032": deep(70)}),
        json.dumps({"00100020": {"vr": "LO", "Value": ["P1"]}, "00081032": deep(90)}),
    ],
    ids=["too deep for a reader", "too deep for a writer"],
)
def test_a_series_that_cannot_be_described_goes_without_the_culprits_attribute(
    bench: Bench, attributes: str
) -> None:
    send(bench, "1", "2")
    bench.assembly.run_once()
    describe(bench, "1", attributes)
    bench.step()
    bench.clock.now += 20
    bench.step()
    [series] = rows(bench.journal, "SELECT problem FROM series_transfer")
    assert series["problem"]
    bench.settle()
    [manifest] = bench.manifests()
    assert [sorted(i.attributes) for i in manifest.instances] == [["00100020"], ["00200013"]]
    [notice] = channels.notices(bench.journal)
    assert (notice.name, "1 00081032" in notice.words) == ("attributes_dropped", True)
    assert rows(bench.journal, "SELECT problem FROM series_transfer") == [{"problem": None}]


def test_attributes_that_are_no_json_do_not_keep_a_series(bench: Bench) -> None:
    send(bench, "1")
    bench.assembly.run_once()
    describe(bench, "1", "{")
    bench.settle()
    assert bench.manifests()[0].instances[0].attributes == {}


def test_missing_instances_that_cannot_be_put_aside_keep_nothing_behind_them(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_component.announcing.releasing.ASIDE", 2)
    bench = Bench(tmp_path, disk, series_patience_seconds=100)
    bench.s3.before = lambda operation, key: (
        client_error(operation, "EntityTooLarge", 400) if "/1.2.9/" in key and key.endswith(".dcm") else None
    )
    sender = bench.associate()
    for number in range(8):
        bench.receive(sender, STUDY, "1.2.9", f"9.{number + 1}")
    bench.close(sender)
    put_aside = bench.spool.put_aside
    refused: set[str] = set()
    full = [True]

    def refuse(file: str, size: int) -> None:
        if full[0] and (len(refused) < 3 or file in refused):
            refused.add(file)
            raise OSError(errno.ENOSPC, "No space left on device")
        put_aside(file, size)

    monkeypatch.setattr(bench.spool, "put_aside", refuse)
    bench.settle()
    bench.spool.segments.seal_idle(0.0)
    send(bench, "1")
    bench.settle()
    for _ in range(10):
        bench.step()
    for _ in range(20):
        bench.clock.now += 20
        bench.step()
    assert (len(refused), len(list(bench.spool.aside.glob("*.dcm")))) == (3, 5)
    full[0] = False
    for _ in range(20):
        bench.clock.now += 20
        bench.step()
    assert (bench.stored(), len(list(bench.spool.aside.glob("*.dcm")))) == ([], 8)


def test_a_segment_is_forgotten_only_after_its_name_is_gone_for_good(bench: Bench, disk: Disk) -> None:
    send(bench, "1")
    [name] = bench.written(bench.spool.run)
    bench.settle()
    said: list[str] = []
    send(bench, "2")
    disk.done.clear()
    bench.journal.set_trace_callback(
        lambda statement: disk.done.append("forget") if statement.startswith("DELETE FROM segment") else None
    )
    bench.settle()
    bench.journal.set_trace_callback(None)
    said = [done for done in disk.done if done != f"remove {name}"]
    removed = next(at for at, done in enumerate(said) if done.startswith("remove") and "segment" in done)
    assert said[removed + 1 :][:2] == ["sync instances", "forget"]


# The disk


def test_the_names_in_a_folder_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def noting(fd: int) -> None:
        name = Path(f"/proc/self/fd/{fd}")
        synced.append(str(name.readlink()) if name.exists() else "")
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noting)
    OsFiles().sync_folder(tmp_path)
    assert synced in ([str(tmp_path)], [""])


def test_a_files_content_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    name = "fdatasync" if hasattr(os, "fdatasync") else "fsync"
    monkeypatch.setattr(os, name, synced.append)
    file = OsFiles().create(tmp_path / "f")
    file.write(0, b"x")
    assert synced == []
    file.sync()
    file.close()
    assert len(synced) == 1


@pytest.mark.parametrize("pixels", [100, 70_000, 300_000])
def test_every_instance_that_was_acknowledged_survives_a_power_cut_whatever_its_size(pixels: int) -> None:
    """Its head is on the disk with the sync that its answer waits for."""
    disk = RecordingFiles()
    spool = Spool(Path("/spool"), disk, spares=1)
    sender = AssociationRow("a", "CT1", "EDGE", "127.0.0.1", 1.0)
    file = spool.receive(CT, "1.2.3", "1.2.840.10008.1.2.1")
    for at in range(0, pixels, 50_000):
        file.write(bytes(min(50_000, pixels - at)))
    row = InstanceRow(
        "a", file.place, 1.0, "1.2", "1.2.1", "1.2.3", CT, "1.2.840.10008.1.2.1", "CT",
        file.bytes, file.file_crc32,
    )  # fmt: skip
    file.keep(encode_receipt(sender, row))
    [(name, content)] = [found for found in disk.after_power_cut().items() if found[1]]
    again = RecordingFiles()
    target = Spool(Path("/spool"), again, spares=1)
    segment = name.removesuffix(".segment")
    with_content = again.create(target.segment(segment))
    with_content.write(0, content)
    assert [record.row for record in target.records(segment)] == [row]


# Starting


def test_adopted_associations_count_as_aborted(bench: Bench) -> None:
    send(bench, "1")
    bench.journal.close()
    for path in bench.spool.root.glob("journal.sqlite3*"):
        path.unlink()
    bench.start()
    assert rows(bench.journal, "SELECT aborted, closed_at IS NULL AS open FROM association") == [
        {"aborted": 1, "open": 0}
    ]


def test_a_start_looks_only_into_segments_that_the_journal_does_not_know_whole(
    bench: Bench, disk: Disk
) -> None:
    send(bench, "1", "2")
    bench.spool.segments.seal_idle(0.0)
    looked: list[str] = []
    disk.failing = lambda path: looked.append(path.name)
    assert adopt(bench.journal, bench.spool, bench.epoch, bench.clock) == 0
    known = list(looked)
    bench.journal.execute("DELETE FROM instance WHERE sop_instance_uid = '2'")
    assert adopt(bench.journal, bench.spool, bench.epoch, bench.clock) == 1
    assert len(looked) > len(known)


def test_a_receipt_with_fields_of_a_newer_release_is_read_and_one_of_an_older_has_defaults(
    bench: Bench,
) -> None:
    send(bench, "1")
    [record] = [found for name in bench.spool.segment_names() for found in bench.spool.records(name)]
    text = encode_receipt(record.sender, record.row)
    head, _, attributes = text.partition(b"\n")
    sender, row = json.loads(head)
    newer = json.dumps([{**sender, "shoe_size": 43}, {**row, "colour": "blue"}]).encode() + b"\n" + attributes
    assert decode_receipt(newer) == (record.sender, record.row)
    del row["uid_findings"]
    older = json.dumps([sender, row]).encode() + b"\n" + attributes
    assert decode_receipt(older) == (record.sender, record.row)
    del row["file_crc32"]
    with bench.spool.read(record.row.file, record.row.bytes) as stream:
        read_head(stream)
        row["crc32"] = crc32(stream.read())  # of the data set, until 0.2
    before = json.dumps([sender, row]).encode() + b"\n" + attributes
    assert decode_receipt(before) == (record.sender, record.row)
    del row["crc32"]
    with pytest.raises(UnknownReceiptError):
        decode_receipt(json.dumps([sender, row]).encode() + b"\n" + attributes)


def test_a_file_is_not_taken_again_over_another_segment(bench: Bench) -> None:
    bench.s3.before = lambda operation, key: (
        client_error(operation, "EntityTooLarge", 400) if key.endswith("/1.dcm") else None
    )
    send(bench, "1")
    bench.settle()
    [aside] = bench.spool.aside.glob("*.dcm")
    occupied = bench.spool.segment(aside.stem)
    occupied.write_bytes(b"another")
    ask_again(bench.spool, aside)
    assert not take_again(bench.journal, bench.spool, bench.clock)
    assert (occupied.read_bytes(), aside.exists()) == (b"another", True)


def test_a_receipt_stays_until_its_place_is_released(bench: Bench) -> None:
    send(bench, "1")
    bench.settle()
    bench.journal.execute("UPDATE receipt SET file = 'x/0'")
    bench.clock.now += bench.settings.receipt_days * DAY + 1
    retention = Retention(bench.journal, bench.spool, bench.settings, bench.clock, bench.clock.monotonic)
    retention.run_once()
    assert len(rows(bench.journal, "SELECT 1 FROM receipt")) == 1
    bench.journal.execute("UPDATE receipt SET file = NULL")
    bench.clock.now += DAY
    retention.run_once()
    assert rows(bench.journal, "SELECT 1 FROM receipt") == []


def test_a_folder_in_quarantine_stops_no_housekeeping(bench: Bench) -> None:
    folder, old = bench.spool.quarantine / "folder", bench.spool.quarantine / "old.dcm"
    folder.mkdir()
    old.touch()
    for path in (folder, old):
        os.utime(path, (1.0, 1.0))
    Retention(bench.journal, bench.spool, bench.settings, bench.clock, bench.clock.monotonic).run_once()
    assert (folder.exists(), old.exists()) == (True, False)


# The journal's writer


def test_a_commitment_request_is_answered_only_when_it_is_on_the_disk(tmp_path: Path) -> None:
    intake = Intake(tmp_path / "journal.sqlite3")
    sender = AssociationRow("a", "CT1", "EDGE", "127.0.0.1", 1.0)
    request = Request("1.2.3", (Reference("1.2", "1.2.3.4"),))
    reader = open_journal(tmp_path / "journal.sqlite3")
    held = threading.Event()
    intake._post(lambda _journal: held.wait(10))
    answered = threading.Thread(target=intake.request_commitment, args=(request, sender))
    answered.start()
    answered.join(0.05)
    assert answered.is_alive()
    held.set()
    answered.join(10)
    assert rows(reader, "SELECT transaction_uid FROM commitment") == [{"transaction_uid": "1.2.3"}]
    reader.close()
    intake.close()


def test_a_commit_that_somebody_waits_for_is_synced(tmp_path: Path) -> None:
    intake = Intake(tmp_path / "journal.sqlite3")
    levels: list[int] = []

    def level(journal: sqlite3.Connection) -> None:
        levels.append(journal.execute("PRAGMA synchronous").fetchone()[0])

    intake._post(level)
    wait_until(lambda: levels, "what nobody waits for is written")
    intake.commit(level)
    intake.close()
    assert levels == [1, 2]  # NORMAL, FULL: https://sqlite.org/pragma.html#pragma_synchronous


def test_an_altered_copy_aside_is_not_sent_again(bench: Bench) -> None:
    send(bench, "1")
    [row] = rows(bench.journal, "SELECT * FROM instance")
    bench.alter(row["file"])
    bench.settle()
    found = InstanceRow(
        **{**{name: row[name] for name in InstanceRow._fields}, "file_crc32": row["file_crc32"] ^ 1}
    )
    assert "altered" in (cannot_be_sent_again(bench.journal, found, "0") or "")
