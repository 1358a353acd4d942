"""How a series transfer ends: counted from HealthImaging's own results, with words that help."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from dicom_ingest.contracts.messages.outcomes import Outcome, Verdict
from dicom_ingest.contracts.messages.steps import OutcomeState
from dicom_ingest.db.semaphore import releasing
from dicom_ingest.db.series import ending
from dicom_ingest.db.server.connection import Database
from dicom_ingest.healthimaging.results import ImageSet, ImportResults, InstanceResult
from tests.database.conftest import DATASTORE
from tests.support.workflow.leftovers import World
from tests.support.workflow.series import Announced, element, new_uid
from tests.support.workflow.workers import Execution

IMAGE_SET = "a" * 32


@pytest.fixture
def world(database: Database) -> World:
    return World.around(database, DATASTORE)


def imported(series: Announced, **changes: Any) -> list[InstanceResult]:
    """A success line per instance."""
    line = InstanceResult("", Verdict.IMPORTED, IMAGE_SET, version=1, is_primary=True)
    return [replace(line, sop_instance_uid=sop, **changes) for sop in series.sop_instance_uids]


def results(lines: list[InstanceResult], **changes: Any) -> ImportResults:
    good = sum(line.verdict in (Verdict.IMPORTED, Verdict.WARNED) for line in lines)
    made = ImportResults(
        scanned=len(lines),
        imported=good,
        image_sets=[ImageSet(IMAGE_SET, 1, is_primary=True, matched_instances=good)],
        instances=lines,
    )
    return replace(made, **changes)


def record(
    world: World, series: Announced, found: ImportResults, *, release: bool = False
) -> tuple[OutcomeState, Execution]:
    execution = world.begin(series)
    said = world.record(execution, world.start(execution), found)
    if release:
        with world.database.transaction() as connection:
            releasing.release(connection, execution.ref, execution.arn)
            ending.over(connection, execution.ref, execution.arn)
    return said, execution


def verdicts(world: World, series: Announced) -> list[tuple[str, str | None, str | None]]:
    with world.database.transaction() as connection:
        rows = connection.run(
            "SELECT i.verdict, i.image_set_id, i.message FROM instance_transfer i "
            "JOIN series_transfer t ON t.pk = i.series_transfer_pk WHERE t.transfer_id = :id "
            "ORDER BY i.sop_instance_uid",
            id=series.transfer_id,
        )
    return [(row["verdict"], row["image_set_id"], row["message"]) for row in rows]


def test_completed_needs_scanned_imported_and_announced_to_agree(world: World) -> None:
    series = Announced()
    said, execution = record(world, series, results(imported(series)))
    assert (said.name, said.scanned, said.imported) == (Outcome.COMPLETED, 2, 2)
    assert world.transfer(execution)["warned"] == 0


def test_more_objects_scanned_than_announced_are_said(world: World) -> None:
    series = Announced()
    said, _ = record(world, series, results(imported(series), scanned=3))
    assert (said.name, said.detail) == (
        Outcome.PARTIAL,
        "2 of 2 instances imported, HealthImaging scanned 3",
    )


def test_an_absent_success_file_is_legal_where_the_counts_agree(world: World) -> None:
    """C3: COMPLETED without a success file crashed the reference implementation each minute."""
    series = Announced()
    said, _ = record(world, series, results([], scanned=2, imported=2))
    assert (said.name, said.imported) == (Outcome.COMPLETED, 2)
    assert verdicts(world, series) == [("IMPORTED", IMAGE_SET, None)] * 2


def test_an_absent_success_file_proves_nothing_where_the_counts_differ(world: World) -> None:
    series = Announced()
    said, _ = record(world, series, results([], scanned=2, imported=1))
    assert (said.name, said.imported) == (Outcome.FAILED, 0)


def test_only_warnings_and_no_success_file_is_legal(world: World) -> None:
    series = Announced()
    first = replace(imported(series)[0], verdict=Verdict.WARNED, warning_code=45330, message="offset table")
    said, _ = record(world, series, results([first], scanned=2, imported=2))
    assert (said.name, said.imported, said.warned) == (Outcome.COMPLETED, 2, 1)


def test_failures_keep_healthimagings_words_and_missing_ones_the_edges(world: World) -> None:
    """C5: failure lines, counts and isPrimary were never read."""
    series = Announced(sop_instance_uids=("1.1", "1.2"), missing=("1.3",))
    good, bad = imported(series)
    bad = replace(bad, verdict=Verdict.FAILED, image_set_id=None, message="ValidationException: no SOP class")
    said, _ = record(world, series, results([good, bad]))
    assert (said.name, said.imported, said.failed, said.instances) == (Outcome.PARTIAL, 1, 1, 3)
    assert said.detail == "1 of 3 instances imported, 1 failed, 1 missing, HealthImaging scanned 2"
    assert verdicts(world, series) == [
        ("IMPORTED", IMAGE_SET, None),
        ("FAILED", None, "ValidationException: no SOP class"),
        ("MISSING", None, "unreadable"),
    ]


def test_one_series_in_two_image_sets_is_two_rows(world: World) -> None:
    """C7: one image set a series, the last wins."""
    series = Announced()
    two = [ImageSet(uuid4().hex, 1, is_primary=primary, matched_instances=1) for primary in (True, False)]
    record(world, series, results(imported(series), image_sets=two))
    with world.database.transaction() as connection:
        rows = connection.run("SELECT image_set_id, is_primary FROM ahliimageset ORDER BY pk")
    assert [(row["image_set_id"], row["is_primary"]) for row in rows] == [
        (each.image_set_id, each.is_primary) for each in two
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"patient_id": "other"}, "PatientID differs"),
        ({"attributes": lambda _: {"00080050": element("SH", "A-2")}}, "AccessionNumber differs"),
        (
            {"attributes": lambda _: {"00080020": element("DA", "20261122"), "00200011": element("IS", 9)}},
            "SeriesNumber, StudyDate differ",
        ),
    ],
)
def test_non_primary_says_which_attribute_differs_from_what(
    world: World, change: dict[str, Any], words: str
) -> None:
    first = Announced(patient_id="one")
    record(world, first, results(imported(first)), release=True)
    second = replace(first, transfer_id=str(uuid4()), sequence=2, sop_instance_uids=(new_uid(),), **change)
    apart = [ImageSet(uuid4().hex, 1, is_primary=False, matched_instances=1)]
    lines = imported(second, image_set_id=apart[0].image_set_id, is_primary=False)
    said, _ = record(world, second, results(lines, image_sets=apart))
    assert said.name is Outcome.NON_PRIMARY
    assert said.detail == (
        f"1 of 1 in non-primary image sets; {words} from primary image set {IMAGE_SET} "
        f"of series {first.series_instance_uid}"
    )
    assert "other" not in said.detail, "attributes are named, values are not"


def test_results_that_were_lost_are_unknown_not_failed(world: World) -> None:
    said, _ = record(world, Announced(), ImportResults(lost=True))
    assert said.name is Outcome.UNKNOWN


def test_a_new_try_forgets_what_the_earlier_one_said(world: World) -> None:
    series = Announced()
    _, execution = record(world, series, ImportResults(), release=True)
    assert world.transfer(execution)["outcome"] == "FAILED"
    with world.database.transaction() as connection:
        ending.under_way(connection, execution.ref, execution.arn)
    assert world.transfer(execution)["outcome"] is None


def findings(world: World, series: Announced) -> list[str]:
    found: list[str] = world.transfer(world.begin(series))["findings"]
    return found


def test_nothing_is_odd_about_an_ordinary_series(world: World) -> None:
    assert findings(world, Announced()) == []


def test_a_series_whose_instances_name_different_patients_is_reported(world: World) -> None:
    mixed = Announced(attributes=lambda number: {"00100020": element("LO", f"P{number}")})
    assert findings(world, mixed) == ["its instances carry 2 different values of PatientID"]


def test_the_same_series_from_two_edges_is_reported(world: World) -> None:
    first = Announced()
    findings(world, first)
    again = replace(first, edge="dicom-ingest-edge2", transfer_id=str(uuid4()))
    assert findings(world, again) == ["edge dicom-ingest-edge1 has sent this series, too"]


def test_two_studies_with_one_series_uid_are_two_series_and_are_reported(world: World) -> None:
    first = Announced()
    findings(world, first)
    second = Announced(series_instance_uid=first.series_instance_uid)
    assert findings(world, second) == [f"its series UID is in study {first.study_instance_uid}, too"]
    with world.database.transaction() as connection:
        rows = connection.run("SELECT number_of_series_related_instances AS n FROM series")
    assert rows == [{"n": 2}, {"n": 2}]
