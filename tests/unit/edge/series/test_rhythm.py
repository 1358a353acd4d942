"""A sender that falls silent against its own rhythm, over a real journal and simulated weeks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from dicom_ingest.contracts.messages.events import EdgeHeartbeat
from edge_component.journal.database import open_journal
from edge_component.journal.senders import HOUR, MOST_SENDERS, WEEK, Rhythm, heard
from edge_component.watching.heartbeat import Heartbeat
from edge_component.watching.status import JournalNumbers
from tests.support.edge.bench import Bench
from tests.support.edge.stand_ins import Clock

MONDAY = 1_800_230_400.0
"""2027-01-18, 00:00 UTC."""
DAY = 24 * HOUR
Hears = Callable[[float], bool]
"""Whether the sender opens an association at this second of the week."""


def office_hours(second: float) -> bool:
    return second // DAY < 5 and 8 * HOUR <= second % DAY < 18 * HOUR


@pytest.fixture
def clock() -> Clock:
    return Clock(MONDAY)


@pytest.fixture
def journal(tmp_path: Path) -> sqlite3.Connection:
    opened = open_journal(tmp_path / "journal.db")
    opened.execute("PRAGMA synchronous = OFF")  # weeks in seconds; what is on the disk is tested elsewhere
    return opened


def live(
    journal: sqlite3.Connection, clock: Clock, until: float, hears: Hears, rhythm: Rhythm
) -> list[float]:
    """Heartbeats and associations up to this moment; when CT1 was called silent."""
    alarms = []
    while clock.now < until:
        if hears((clock.now - MONDAY) % WEEK) and clock.now % 3600 < 1800:
            journal.execute("INSERT OR REPLACE INTO sender VALUES ('CT1', ?)", (clock.now,))
        rhythm.remember()
        if rhythm.silent():
            alarms.append(clock.now)
        clock.now += 900
    return alarms


def test_nights_and_weekends_are_part_of_the_rhythm(journal: sqlite3.Connection, clock: Clock) -> None:
    assert live(journal, clock, MONDAY + 5 * WEEK, office_hours, Rhythm(journal, clock)) == []


def test_a_working_day_without_it_is_noticed_within_hours_and_over_when_it_is_back(
    journal: sqlite3.Connection, clock: Clock
) -> None:
    rhythm = Rhythm(journal, clock)
    live(journal, clock, MONDAY + 3 * WEEK, office_hours, rhythm)
    alarms = live(journal, clock, MONDAY + 3 * WEEK + DAY, lambda _: False, rhythm)
    assert 9 * HOUR <= alarms[0] - MONDAY - 3 * WEEK <= 10 * HOUR
    assert live(journal, clock, MONDAY + 3 * WEEK + DAY + 8 * HOUR, office_hours, rhythm) != []
    assert live(journal, clock, MONDAY + 3 * WEEK + DAY + 18 * HOUR, office_hours, rhythm)[1:] == []


def test_a_newcomer_has_no_rhythm(journal: sqlite3.Connection, clock: Clock) -> None:
    rhythm = Rhythm(journal, clock)
    live(journal, clock, MONDAY + 1 * WEEK, office_hours, rhythm)
    assert live(journal, clock, MONDAY + 2 * WEEK, lambda _: False, rhythm) == []


def test_who_is_gone_for_good_is_expected_no_more(journal: sqlite3.Connection, clock: Clock) -> None:
    rhythm = Rhythm(journal, clock)
    live(journal, clock, MONDAY + 3 * WEEK, office_hours, rhythm)
    assert live(journal, clock, MONDAY + 4 * WEEK, lambda _: False, rhythm)
    clock.now = MONDAY + 6 * WEEK
    assert live(journal, clock, MONDAY + 6 * WEEK + DAY, lambda _: False, rhythm) == []


def test_it_remembers_over_a_restart_and_does_not_blame_a_sender_for_the_edges_own_rest(
    journal: sqlite3.Connection, clock: Clock
) -> None:
    live(journal, clock, MONDAY + 3 * WEEK, office_hours, Rhythm(journal, clock))
    clock.now = MONDAY + 3 * WEEK + 12 * HOUR  # the edge was off all morning
    restarted = Rhythm(journal, clock)
    assert restarted.silent() == []
    assert live(journal, clock, MONDAY + 3 * WEEK + 18 * HOUR, lambda _: False, restarted) != []


def test_a_journal_of_the_release_before_gains_the_table(journal: sqlite3.Connection, clock: Clock) -> None:
    assert Rhythm(journal, clock).silent() == Rhythm(journal, clock).silent() == []


def test_the_heartbeat_and_the_status_name_who_fell_silent(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    heartbeat = Heartbeat(bench.journal, bench.spool, bench.settings, bench.bus, bench.clock)
    numbers = JournalNumbers(bench.spool.journal, bench.clock)
    start = bench.clock.now
    for week in range(2):
        for quarter in range(8):
            bench.clock.now = start + week * WEEK + quarter * 900
            bench.journal.execute("INSERT OR REPLACE INTO sender VALUES ('CT1', ?)", (bench.clock.now,))
            heartbeat.detail()
    bench.clock.now = start + 2 * WEEK + 2 * HOUR
    said = heartbeat.detail()
    assert (said.silent_aes, said.silent_senders) == (["CT1"], 1)
    assert numbers.silent() == ["CT1"], "the edge's own status says the same"
    numbers.close()
    assert EdgeHeartbeat.model_validate(said.model_dump(mode="json")) == said


def test_titles_that_differ_each_time_are_not_all_remembered(journal: sqlite3.Connection) -> None:
    for number in range(MOST_SENDERS + 50):
        heard(journal, f"AE{number}", float(number))
    heard(journal, "AE50", 9999.0)
    [known, first] = journal.execute(
        "SELECT count(*), min(last_association_at) FROM sender WHERE calling_ae LIKE 'AE%'"
    ).fetchone()
    assert (known, first) == (MOST_SENDERS, 51.0)
