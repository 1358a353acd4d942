"""The conformance report on real PostgreSQL: who sends what HealthImaging will not like, by day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from dicom_ingest.contracts.preflight import RULES
from dicom_ingest.db.server.connection import Database
from dicom_ingest.operators.read.modalities import findings, senders, words
from tests.support.workflow.series import MORNING, Announced, new_uid
from tests.support.workflow.workers import index_series, new_execution

LONG = {"code": "value_length", "tag": "00081030", "length": 80}
DAY = MORNING.date()


def foretold(*about: dict[str, Any]) -> Any:
    return lambda _: {"foretold": list(about)}


def report(database: Database, *days: date, **more: Any) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        return findings(connection, *days, **more)


def test_the_report_says_who_sends_what_how_often(database: Database) -> None:
    uids = tuple(new_uid() for _ in range(3))
    index_series(database, Announced(calling_ae="CT2", sop_instance_uids=uids, described=foretold(LONG)))
    index_series(database, Announced(calling_ae="CT1"))
    [found] = report(database)
    assert found["words"] == "CT2 sends 3 instances a day with a StudyDescription of 80 characters"
    assert (found["consequence"], found["modality"], found["instances"]) == ("warned", "CT", 3)
    with database.transaction() as connection:
        rows = {row["calling_ae"]: (row["instances"], row["foretold"]) for row in senders(connection)}
    assert rows == {"CT1": (2, 0), "CT2": (3, 3)}


def test_lengths_and_days_are_summed_up_and_can_be_told_apart(database: Database) -> None:
    for number, length in enumerate((70, 120)):
        at = MORNING + timedelta(days=number)
        about = foretold({**LONG, "length": length})
        index_series(database, Announced(calling_ae="CT2", received_at=at, described=about))
    [found] = report(database)
    assert (found["instances"], found["days"]) == (4, 2)
    assert found["words"].endswith("2 instances a day with a StudyDescription of 70 to 120 characters")
    by_day = report(database, by_day=True)
    assert [(row["day"], row["instances"]) for row in by_day] == [(DAY + timedelta(days=1), 2), (DAY, 2)]
    assert [row["longest"] for row in report(database, DAY, DAY)] == [70]
    assert report(database, DAY + timedelta(days=2)) == []


def test_an_instance_of_another_sender_of_the_series_is_counted_as_its_own(database: Database) -> None:
    announced = Announced(
        calling_ae="CT1",
        described=lambda number: {"foretold": [LONG], "calling_ae": f"CT{number}"},
        more_aes=("CT2",),
    )
    index_series(database, announced)
    assert {row["calling_ae"]: row["instances"] for row in report(database)} == {"CT1": 1, "CT2": 1}


def test_an_index_that_is_written_again_counts_nothing_twice(database: Database) -> None:
    announced, execution = Announced(described=foretold(LONG)), new_execution()
    index_series(database, announced, execution)
    index_series(database, announced, execution)
    assert [row["instances"] for row in report(database)] == [2]


def test_every_rule_has_its_words() -> None:
    for code, rule in RULES.items():
        row = {
            "calling_ae": "CT1", "instances": 1, "days": 1, "code": code, "tag": "00280010",
            "shortest": 3, "longest": 3,
        }  # fmt: skip
        said = words(row)
        assert said.startswith("CT1 sends 1 instance a day ")
        assert "None" not in said
        assert rule.source.startswith("https://docs.aws.amazon.com/")
    assert "of_a_later_release" in words(
        {**row, "code": "of_a_later_release", "tag": None, "shortest": None, "longest": None}
    )


def test_a_private_element_is_named_by_its_tag() -> None:
    row = {"calling_ae": "CT1", "instances": 9, "days": 2, "code": "value_length", "shortest": 70}
    assert words({**row, "tag": "00291010", "longest": 70}) == (
        "CT1 sends 5 instances a day with a (0029,1010) of 70 characters"
    )
