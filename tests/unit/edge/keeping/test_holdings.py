"""What an edge holds can be asked for from the first instance on, by whatever a person knows of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_component.journal.senders import KEPT_SECONDS, MOST_SENDERS, Rhythm
from edge_component.watching import heartbeat as beats
from edge_component.watching.heartbeat import Heartbeat
from edge_component.watching.holdings import find, held
from tests.support.edge.bench import Bench
from tests.support.edge.stand_ins import unreachable

STUDY, SERIES, SOP = "1.2", "1.2.1", "1.2.1.1"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.s3.before = lambda _operation, _key: unreachable()
    return made


def receive(bench: Bench, series: str = SERIES, sop: str = SOP) -> None:
    sender = bench.associate("CT1")
    bench.receive(sender, STUDY, series, sop)
    attributes = {"00100020": {"vr": "LO", "Value": ["P-1"]}, "00080050": {"vr": "SH", "Value": ["A-1"]}}
    bench.journal.execute("UPDATE instance SET attributes = ?", (json.dumps(attributes),))
    bench.close(sender)


@pytest.mark.parametrize("term", [STUDY, SERIES, SOP, "A-1", "P-1", "CT1"])
@pytest.mark.parametrize("assigned", [False, True])
def test_it_is_found_by_any_term_assigned_or_not(bench: Bench, term: str, *, assigned: bool) -> None:
    receive(bench)
    if assigned:
        bench.step()
    [series] = find(bench.journal, term)
    assert (series.series_instance_uid, series.instances, series.instances_uploaded) == (SERIES, 1, 0)
    assert series.state == ("open" if assigned else "received")
    assert (series.patient_id, series.accession_number, series.calling_ae) == ("P-1", "A-1", "CT1")
    assert find(bench.journal, "unheard-of") == find(bench.journal, "9.9") == []


@pytest.mark.parametrize("announced", [False, True])
def test_the_beginning_of_a_study_or_series_uid_is_enough_and_a_whole_one_means_that_one(
    bench: Bench, *, announced: bool
) -> None:
    for series in ("1.2.840.1", "1.2.840.10", "1.2.841"):
        receive(bench, series, f"{series}.7")
    if announced:
        bench.s3.before = lambda _operation, _key: None
        bench.settle()

    def found(term: str) -> set[str]:
        return {row.series_instance_uid for row in find(bench.journal, term)}

    assert found("1.2.840.") == {"1.2.840.1", "1.2.840.10"}
    assert found("1.2.84") == {"1.2.840.1", "1.2.840.10", "1.2.841"}
    assert found("1.2.840.1") == {"1.2.840.1"}
    assert found("1.2.840.1.7") == {"1.2.840.1"}
    assert found("1.2.842") == found("1.2.840.1.") == found("1") == set()
    assert len(find(bench.journal, "1.2.84", limit=2)) == 2


def asked(bench: Bench, term: str) -> list[str]:
    """What the journal is asked for a term."""
    statements: list[str] = []
    bench.journal.set_trace_callback(statements.append)
    find(bench.journal, term)
    bench.journal.set_trace_callback(None)
    return statements


def test_a_uid_and_how_it_begins_are_looked_for_in_indexes(bench: Bench) -> None:
    """A million series that were announced, or are held, make no difference."""
    receive(bench)
    for term in ("1.2.", SERIES):
        plans = [
            row[3] for sql in asked(bench, term) for row in bench.journal.execute(f"EXPLAIN QUERY PLAN {sql}")
        ]
        searched = [plan for plan in plans if "series_transfer " in plan and "PRIMARY KEY" not in plan]
        assert searched
        assert all("instance_uid>? AND" in plan or "(transfer_id=?)" in plan for plan in searched)
        assert not [
            plan for plan in plans if plan.startswith(("SCAN instance", "SCAN receipt", "SCAN i", "SCAN r"))
        ]


def test_series_without_a_place_are_read_in_one_go(bench: Bench) -> None:
    receive(bench)
    one = len(asked(bench, "1.2."))
    receive(bench, "1.2.2", "2.1")
    receive(bench, "1.2.3", "3.1")
    assert len(asked(bench, "1.2.")) == one
    assert [row.series_instance_uid for row in find(bench.journal, "1.2.")] == [SERIES, "1.2.2", "1.2.3"]


def test_a_number_without_a_dot_is_no_uid(bench: Bench) -> None:
    receive(bench)
    bench.journal.execute("UPDATE instance SET attributes = replace(attributes, 'A-1', '1234567')")
    assert [series.accession_number for series in find(bench.journal, "1234567")] == ["1234567"]


def test_what_is_announced_is_known_by_its_uids_and_held_no_more(bench: Bench) -> None:
    bench.s3.before = lambda _operation, _key: None
    receive(bench)
    bench.settle()
    assert held(bench.journal, 10) == ([], 0)
    for term in (STUDY, SERIES, SOP):
        [series] = find(bench.journal, term)
        assert (series.state, series.instances_uploaded, series.waits_for([])) == ("announced", 1, None)


def test_a_long_list_goes_in_several_events_and_says_how_many_more_there_are(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beats, "MAX_SERIES", 5)
    monkeypatch.setattr(beats, "SERIES_AN_EVENT", 2)
    for number in range(7):
        receive(bench, f"{SERIES}.{number}", f"{SOP}.{number}")
    bench.step()
    heartbeat = Heartbeat(bench.journal, bench.spool, bench.settings, bench.bus, bench.clock)
    heartbeat.run_once()
    pages = bench.bus.details("Edge Holdings")
    assert [(page["page"], page["pages"], len(page["series"])) for page in pages] == [
        (1, 3, 2),
        (2, 3, 2),
        (3, 3, 1),
    ]
    assert {page["series_more"] for page in pages} == {2}
    assert "P-1" not in json.dumps(pages)


def test_of_senders_that_call_themselves_anything_only_so_many_are_remembered(bench: Bench) -> None:
    now = bench.clock()
    old = [("OLD", now - KEPT_SECONDS - 1), *((f"AE{n}", now - n) for n in range(MOST_SENDERS + 50))]
    bench.journal.executemany("INSERT INTO sender VALUES (?, ?)", old)
    Rhythm(bench.journal, bench.clock).remember()
    kept = {row[0] for row in bench.journal.execute("SELECT calling_ae FROM sender")}
    assert len(kept) == MOST_SENDERS
    assert "AE0" in kept
    assert "OLD" not in kept
