"""A person looks into a spool: whether its edge runs or not, with a journal or without."""

from __future__ import annotations

import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import pytest
from pydicom import dcmread

from edge_component.__main__ import build_parser, main
from edge_component.commands import spool as spool_commands
from edge_component.commands.contents import Contents
from edge_component.commands.spool import export
from edge_component.journal.reading import open_to_read
from edge_component.records.part10 import part10_head
from edge_component.records.receipt import HEAD, Record, encode_head, encode_receipt, of_place
from edge_component.spool.folder import Spool
from tests.support.edge.bench import EXPLICIT, Bench
from tests.support.edge.dicom import encoded, instance
from tests.support.edge.stand_ins import client_error

STUDY, SERIES = "1.2", "1.2.1"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "spool", series_patience_seconds=100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where to export to; it is not there yet."""
    return tmp_path / "somewhere" / "else"


def send(bench: Bench, *sops: str, content: int = 0) -> None:
    sender = bench.associate("CT1")
    for sop in sops:
        bench.receive(sender, STUDY, SERIES, sop, content)
    bench.close(sender)


def spool(bench: Bench, *words: str | Path) -> int:
    words = ("spool", "--spool", bench.spool.root, *words)
    return spool_commands.run(build_parser().parse_args([str(word) for word in words]), {})


def listed(bench: Bench, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The state of each, by its UID."""
    assert spool(bench, "list") == 0
    lines = capsys.readouterr().out.splitlines()
    return {line.split("  ")[0]: line.split("  ")[-1] for line in lines}


def received(sop: str, content: int = 0) -> bytes:
    return encoded(instance(STUDY, SERIES, sop, pixels=256, InstanceNumber=content))


def spoil(bench: Bench, sop: str) -> None:
    """Another last byte of the data set."""
    record = next(
        r for name in bench.written() for r in bench.spool.records(name) if r.row.sop_instance_uid == sop
    )
    path, last = bench.segment_of(sop), record.at + HEAD.size + record.row.bytes - 1
    body = bytearray(path.read_bytes())
    body[last] ^= 1
    path.write_bytes(body)


def fingerprint(root: Path) -> dict[str, tuple[int, float]]:
    """All but what SQLite keeps beside a journal."""
    found = {str(p): (p.stat().st_size, p.stat().st_mtime) for p in root.rglob("*") if p.is_file()}
    return {name: facts for name, facts in found.items() if not name.endswith(("-shm", "-wal"))}


def test_the_list_says_what_where_and_who(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    send(bench, "1", "2")
    assert spool(bench, "list") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"1  {bench.place_of('1')}  \d+ bytes  CT1  2027-01-15T[^ ]+  received", first)
    assert second.startswith(f"2  {bench.place_of('2')}  ")
    assert "Marker" not in first + second


def test_the_list_says_how_far_each_has_come(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """From the row of its own over the receipt to what waits for its neighbours alone."""
    bench.s3.before = lambda operation, key: (
        client_error(operation, "EntityTooLarge", 400) if key.endswith("/2.dcm") else None
    )
    bench.bus.refuse = lambda _entry: True
    send(bench, "1", "2")
    assert listed(bench, capsys) == {"1": "received", "2": "received"}
    bench.assembly.run_once()
    assert listed(bench, capsys) == {"1": "assigned", "2": "assigned"}
    for _ in range(10):
        bench.clock.now += 20
        bench.step()
    assert listed(bench, capsys) == {"1": "uploaded", "2": "missing"}
    bench.spool.aside.rmdir()  # it cannot be put aside now
    bench.bus.refuse = lambda _entry: False
    for _ in range(10):
        bench.clock.now += 20
        bench.step()
    assert bench.unsent() == 0
    assert listed(bench, capsys) == {"1": "released", "2": "missing"}
    bench.journal.execute("UPDATE receipt SET uploaded = 1")
    assert listed(bench, capsys)["2"] == "announced"


def test_what_has_no_row_yet_is_listed(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    send(bench, "1", "2")
    bench.journal.execute("DELETE FROM instance WHERE sop_instance_uid = '2'")
    assert listed(bench, capsys) == {"1": "received", "2": "no row"}


def test_exported_files_are_what_was_received(
    bench: Bench, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    send(bench, "1", "2")
    assert spool(bench, "export", folder) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["1.dcm", "2.dcm"]
    for sop in ("1", "2"):
        ds = dcmread(folder / f"{sop}.dcm")
        assert (ds.SOPInstanceUID, ds.file_meta.TransferSyntaxUID) == (sop, EXPLICIT)
        head = part10_head(str(ds.SOPClassUID), sop, EXPLICIT)
        assert (folder / f"{sop}.dcm").read_bytes() == head + received(sop)
    assert capsys.readouterr().out.count("  CT1  ") == 2
    assert stat.S_IMODE((folder / "1.dcm").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_nothing_is_overwritten_and_versions_lie_side_by_side(bench: Bench, folder: Path) -> None:
    send(bench, "1")
    send(bench, "1", content=7)
    folder.mkdir(parents=True)
    (folder / "1.dcm").write_bytes(b"of somebody else")
    assert spool(bench, "export", folder) == 0
    assert (folder / "1.dcm").read_bytes() == b"of somebody else"
    assert [dcmread(folder / f"1-{number}.dcm").InstanceNumber for number in (2, 3)] == [0, 7]


def test_only_what_is_named_is_exported(bench: Bench, folder: Path) -> None:
    send(bench, "1", "2", "3")
    assert spool(bench, "export", folder, "3", "1") == 0
    assert sorted(path.name for path in folder.iterdir()) == ["1.dcm", "3.dcm"]


def test_a_name_that_is_not_there_is_named(
    bench: Bench, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    send(bench, "1")
    assert spool(bench, "export", folder, "1", "1.2.3.4") == 1
    assert "1.2.3.4: no such instance" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["1.dcm"]


def test_an_altered_instance_is_exported_with_a_mark(
    bench: Bench, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    send(bench, "1", "2")
    spoil(bench, "1")
    assert spool(bench, "export", folder) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert re.search(
        r"^1\.dcm  .*  ALTERED: \d+ bytes with CRC [0-9a-f]{8}, not \d+ with [0-9a-f]{8}$", first
    )
    assert second.endswith("  CRC-32 ok")
    assert (folder / "1.dcm").read_bytes()[:-1].endswith(received("1")[:-1])


def test_without_a_journal_everything_that_lies_there_is_found(
    bench: Bench, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    send(bench, "1")
    bench.journal.close()
    for path in bench.spool.root.glob("journal.sqlite3*"):
        path.unlink()
    assert spool(bench, "list") == 0
    said = capsys.readouterr()
    assert said.out.endswith("  no journal\n")
    assert "no journal can be read: unable to open" in said.err
    assert spool(bench, "export", folder) == 0
    assert (folder / "1.dcm").read_bytes().endswith(received("1"))
    assert list(bench.spool.root.glob("journal.sqlite3*")) == []


@pytest.mark.parametrize(
    ("statement", "why"),
    [("PRAGMA user_version = 2", "is a journal of version 2"), (None, "not a database")],
)
def test_a_journal_that_cannot_be_read_is_no_obstacle(
    bench: Bench, statement: str | None, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    send(bench, "1")
    if statement:
        bench.journal.execute(statement)
    bench.journal.close()
    if not statement:
        bench.spool.journal.write_bytes(b"rubbish" * 1000)
    assert spool(bench, "list") == 0
    said = capsys.readouterr()
    assert said.out.endswith("  no journal\n")
    assert why in said.err


def test_a_journal_that_fails_on_the_way_is_done_without(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    send(bench, "1", "2")
    bench.journal.execute("DROP TABLE released")
    assert listed(bench, capsys) == {"1": "no journal", "2": "no journal"}


class Vanishing(Spool):
    """Whose edge announces everything, and removes its segment, when this much has been looked at."""

    def __init__(self, bench: Bench, when: str) -> None:
        super().__init__(bench.spool.root)
        self._bench = bench
        self._when = when

    def records(self, segment: str) -> Iterator[Record]:
        self._now("names")
        for record in super().records(segment):
            self._now("a record")
            yield record

    def read(self, file: str, size: int) -> BinaryIO:
        self._now("its row")
        return super().read(file, size)

    def _now(self, when: str) -> None:
        if when == self._when:
            self._bench.settle()


@pytest.mark.parametrize("when", ["names", "a record", "its row"])
def test_a_segment_that_goes_meanwhile_is_passed_over(
    bench: Bench, folder: Path, when: str, capsys: pytest.CaptureFixture[str]
) -> None:
    send(bench, "1", "2")
    leaving = Vanishing(bench, when)
    with closing(Contents(leaving)) as contents:
        assert export(leaving, contents, folder, set()) == 0
    assert (bench.written(), list(folder.iterdir())) == ([], [])
    assert capsys.readouterr() == ("", "")
    assert spool(bench, "export", folder, "1") == 1


def test_what_the_journal_forgot_with_its_segment_is_no_instance_without_a_row(bench: Bench) -> None:
    send(bench, "1", "2")
    with closing(Contents(Vanishing(bench, "a record"))) as contents:
        assert list(contents.instances()) == []


def test_a_running_edge_does_not_notice(bench: Bench, folder: Path) -> None:
    send(bench, "1", "2")
    before = fingerprint(bench.spool.root)
    assert spool(bench, "list") == spool(bench, "export", folder) == 0
    assert fingerprint(bench.spool.root) == before
    bench.settle()
    assert [len(manifest.instances) for manifest in bench.manifests()] == [2]


def test_a_reception_under_way_is_not_listed(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    send(bench, "1")
    coming = bench.spool.receive("1.2.840.10008.5.1.4.1.1.2", "2", EXPLICIT)
    coming.write(received("2"))
    assert listed(bench, capsys) == {"1": "received"}
    coming.abandon()


def test_a_uid_that_is_a_path_stays_in_the_folder(bench: Bench, folder: Path) -> None:
    """Nothing of the kind is acknowledged; but a disk that was taken out may hold anything."""
    send(bench, "1")
    [record] = bench.spool.records(*bench.written())
    row = record.row
    fields = {name: getattr(row, name) for name in type(row).__annotations__}
    name = "f" * 16 + "-1"
    forged = type(row)(
        **{**fields, "sop_instance_uid": "../1", "file": f"{name}/0", "bytes": 200, "file_crc32": 1}
    )
    receipt = encode_receipt(record.sender, forged)
    bench.spool.segment(name).write_bytes(encode_head(f"{name}/0", 200, receipt) + bytes(200) + receipt)
    assert spool(bench, "export", folder) == 1  # altered, of course
    assert sorted(path.name for path in folder.iterdir()) == ["1.dcm", f"{name}-0.dcm"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_folder_that_cannot_be_written_to_is_named(
    bench: Bench, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    send(bench, "1")
    folder.parent.mkdir()
    folder.write_text("a file")
    assert spool(bench, "export", folder) == 1
    assert f"{folder}: " in capsys.readouterr().err
    assert spool(bench, "export", bench.spool.aside) == 1  # a start or an operator would take it for ours
    assert "is in the spool" in capsys.readouterr().err
    assert list(bench.spool.aside.iterdir()) == []


def test_a_segment_that_the_disk_does_not_give_back_hides_no_other(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    send(bench, "1")
    bench.spool.segments.seal_idle(0.0)
    send(bench, "2")
    broken = bench.segment_of("1")
    broken.unlink()
    broken.mkdir()
    assert of_place(bench.place_of("2"))[0] != broken.stem
    assert spool(bench, "list") == 1
    said = capsys.readouterr()
    assert said.out.startswith("2  ")
    assert f"segment {broken.stem} cannot be read" in said.err


def test_a_journal_is_opened_to_read_only(bench: Bench) -> None:
    with (
        closing(open_to_read(bench.spool.journal)) as journal,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        journal.execute("DELETE FROM instance")


def test_a_folder_that_is_no_spool_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spool", "--spool", str(tmp_path), "list"]) == 1
    assert f"{tmp_path} is not the spool" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_a_spool_the_settings_say_where_it_is(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "edge.yaml"
    file.write_text(f"{{stack: s, name: e, bucket: bbb, event_bus: b, spool: {bench.spool.root}}}")
    assert main(["--config", str(file), "spool", "list"]) == 0


def test_a_reader_that_has_seen_enough_is_no_error(bench: Bench) -> None:
    """As `spool list | head` does."""
    send(bench, "1", "2", "3")
    command = [sys.executable, "-m", "edge_component", "spool", "--spool", str(bench.spool.root), "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        listing.stdout.close()
        assert listing.stderr.read() == ""
