"""The journal over upgrades and damage, and the sums that it keeps so that nobody counts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edge_component.journal import channels
from edge_component.journal.damage import DamageCheck, set_broken_aside
from edge_component.journal.database import JournalError, open_journal, transaction
from edge_component.journal.schema import VERSION
from edge_component.records.part10 import file_crc32
from edge_component.watching.status import Backlog, backlog
from tests.support.edge.bench import Bench, rows

JOURNALS = Path(__file__).parents[3] / "support" / "edge" / "journals"
DATASET_CRC32 = 1
"""Of each instance in those journals."""
COUNTED = (
    "SELECT count(*) AS number, coalesce(sum(bytes), 0) AS bytes, count(problem) AS problems FROM instance"
)
SERIES = """
SELECT sequence, (SELECT count(*) FROM instance i WHERE i.sequence = t.sequence
                   AND (state = 'sending' OR state = 'assigned' AND i.problem IS NULL)) AS unsent,
       (SELECT count(*) FROM instance i WHERE i.sequence = t.sequence
         AND state = 'assigned' AND i.problem NOT NULL) AS stuck
  FROM series_transfer t WHERE announced_at IS NULL ORDER BY sequence
"""


def written_by(version: int, folder: Path) -> Path:
    """A journal of an older release."""
    path = folder / "journal.sqlite3"
    with closing(sqlite3.connect(path)) as journal:
        journal.executescript((JOURNALS / f"version{version}.sql").read_text())
    return path


def check_sums(journal: sqlite3.Connection) -> None:
    """The running sums are what counting would say."""
    for tally in rows(journal, "SELECT * FROM tally WHERE name NOT LIKE 'series%'"):
        counted = rows(journal, f"{COUNTED} WHERE state = '{tally.pop('name')}'")
        assert [tally] == counted
    found = backlog(journal)
    open_, sealed = journal.execute(
        "SELECT count(*) - count(sealed_at), count(sealed_at) FROM series_transfer WHERE announced_at IS NULL"
    ).fetchone()
    assert (found.series_open, found.series_sealed) == (open_, sealed)
    kept = rows(
        journal, "SELECT sequence, unsent, stuck FROM series_transfer WHERE announced_at IS NULL ORDER BY 1"
    )
    assert kept == rows(journal, SERIES)


def layout(journal: sqlite3.Connection) -> dict[str, list[tuple[str, int, str | None]]]:
    """Every table's columns, and what else there is."""
    things = journal.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    return {
        f"{kind} {name}": sorted(
            (row["name"], row["notnull"], row["dflt_value"])
            for row in journal.execute(f"PRAGMA table_info({name})").fetchall()
        )
        for kind, name in things
    }


@pytest.mark.parametrize("version", range(3, VERSION))
def test_a_journal_of_an_older_release_is_opened_with_everything_in_it(version: int, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with (
        closing(open_journal(written_by(version, tmp_path))) as journal,
        closing(open_journal(tmp_path / "new" / "journal.sqlite3")) as new,
    ):
        assert layout(journal) == layout(new)
        check_sums(journal)
        assert backlog(journal) == Backlog(4, 1000, 10.0, 1, 1, 2)
        states = [tuple(row) for row in journal.execute("SELECT state, unsure, upload_id FROM instance")]
        assert states == [
            ("uploaded", 0, None), ("assigned", 1, "upload-1"), ("assigned", 1, None), ("received", 0, None),
        ]  # fmt: skip
        assert rows(journal, "SELECT sequence FROM series_transfer WHERE built") == [{"sequence": 2}]
        assert rows(journal, "SELECT unsure FROM outbox") == [{"unsure": 1}]
        assert rows(journal, "SELECT sop_instance_uid, file_crc32 FROM receipt") == [
            {"sop_instance_uid": "1.2.1.1", "file_crc32": DATASET_CRC32 if version == 7 else None}
        ]
        for row in rows(journal, "SELECT * FROM instance WHERE state != 'uploaded'"):
            identity = (row["sop_class_uid"], row["sop_instance_uid"], row["transfer_syntax_uid"])
            assert row["file_crc32"] == file_crc32(*identity, row["bytes"], DATASET_CRC32)
        assert journal.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert journal.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_migration_that_is_cut_off_leaves_the_old_journal_as_it_was(tmp_path: Path) -> None:
    path = written_by(3, tmp_path)
    with closing(sqlite3.connect(path)) as journal:
        journal.execute("CREATE TABLE new_instance (instance INTEGER)")  # the step cannot be done
    with pytest.raises(sqlite3.OperationalError):
        open_journal(path)
    with closing(sqlite3.connect(path)) as journal:
        assert journal.execute("PRAGMA user_version").fetchone()[0] == 3
        assert "unsent" not in {row[1] for row in journal.execute("PRAGMA table_info(series_transfer)")}
        journal.execute("DROP TABLE new_instance")
    open_journal(path).close()


def test_a_journal_of_a_newer_release_is_set_aside_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    with closing(open_journal(path)) as journal:
        journal.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(JournalError, match=f"version {VERSION + 1}"):
        open_journal(path)
    aside = set_broken_aside(path)
    assert aside is not None
    assert (aside.exists(), path.exists()) == (True, False)


@pytest.mark.parametrize(("at", "value"), [(0, b"not SQLite"), (18, b"\x09\x09"), (100, b"\xff" * 400)])
def test_a_damaged_header_is_found_at_the_start(at: int, value: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    open_journal(path).close()
    content = bytearray(path.read_bytes())
    content[at : at + len(value)] = value
    path.write_bytes(content)
    assert set_broken_aside(path) is not None


def test_damage_behind_the_header_is_found_while_the_edge_runs_and_the_next_start_makes_the_journal_again(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    sender = bench.associate()
    for number in range(50):
        bench.receive(sender, "1.2", "1.2.1", str(number + 1))
    bench.journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    page = bench.journal.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'instance_state'"
    ).fetchone()[0]
    bench.journal.close()
    path = bench.spool.journal
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 + 200 : page * 4096] = b"\x55" * 3896
    path.write_bytes(content)
    assert set_broken_aside(path) is None  # a look at the header is all that a start waits for
    check = DamageCheck(path)
    check.start()
    check.join()
    assert "damaged" in (check.problem or "")
    assert set_broken_aside(path) is not None
    bench.start()
    assert bench.unsent() == 50
    whole = DamageCheck(path)
    whole.start()
    whole.join()
    assert whole.problem is None


def test_a_channel_fails_from_its_first_failure_until_it_works_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with transaction(bench.journal) as journal:
        channels.succeeded(journal, channels.UPLOAD, 10.0)
        channels.failed(journal, channels.UPLOAD, 20.0, "AccessDenied", "Access Denied")
        channels.failed(journal, channels.UPLOAD, 30.0, "NoSuchBucket", "The specified bucket does not exist")
    bench.receive(bench.associate(), "1.2", "1.2.1", "1")
    upload, announcement = channels.channels(bench.journal)
    assert upload == channels.Channel(
        "upload",
        10.0,
        20.0,
        30.0,
        2,
        "NoSuchBucket",
        "The specified bucket does not exist",
        1,
        bench.clock.now,
    )
    assert announcement == channels.Channel("announcement")
    with transaction(bench.journal) as journal:
        channels.succeeded(journal, channels.UPLOAD, 40.0)
    again = channels.channels(bench.journal)[0]
    assert again == replace(upload, last_success_at=40.0, failing_since=None, tries=0, code="", words="")


def test_a_notice_says_how_often_and_the_last_words(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for moment in (1.0, 2.0):
        channels.notice(bench.journal, "thing", moment, f"words at {moment}")
    assert channels.notices(bench.journal) == [channels.Notice("thing", 2.0, 2, "words at 2.0")]
    assert channels.notices(bench.journal, since=3.0) == []
