"""SearchImageSets: filters, order, pages, summaries."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError
from healthimaging_emulator import ManualClock, Settings

from ..conftest import MakeStand
from ..stand import Stand, instance

DAY_ONE = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(DAY_ONE.timestamp())


@pytest.fixture
def filled(make_stand: MakeStand, clock: ManualClock) -> Stand:
    """Three studies, imported a day after each other."""
    stand = make_stand(clock=clock)
    for number in (1, 2, 3):
        dataset = instance(
            StudyInstanceUID=f"1.2.{number}",
            SeriesInstanceUID=f"1.2.{number}.1",
            PatientID=f"P{number}",
            AccessionNumber=f"A{number}",
            StudyID=f"S{number}",
            StudyDate=f"2026010{number}",
            StudyTime="120000",
        )
        stand.put(f"{number}/1.dcm", dataset)
        stand.run(f"{number}/")
        clock.advance(24 * 3600)
    return stand


def found(stand: Stand, *filters: Any, **sort: str) -> list[str]:
    criteria: Any = {"filters": list(filters)} if filters else {}
    if sort:
        criteria["sort"] = sort
    answer = stand.client.search_image_sets(datastoreId=stand.datastore_id, searchCriteria=criteria)
    return [each["DICOMTags"]["DICOMPatientId"] for each in answer["imageSetsMetadataSummaries"]]


def equal(**value: Any) -> dict[str, Any]:
    return {"operator": "EQUAL", "values": [value]}


def between(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    return {"operator": "BETWEEN", "values": [low, high]}


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("DICOMPatientId", "P2"),
        ("DICOMAccessionNumber", "A2"),
        ("DICOMStudyId", "S2"),
        ("DICOMStudyInstanceUID", "1.2.2"),
        ("DICOMSeriesInstanceUID", "1.2.2.1"),
    ],
)
def test_an_attribute_finds_its_image_set(filled: Stand, attribute: str, value: str) -> None:
    assert found(filled, equal(**{attribute: value})) == ["P2"]
    assert found(filled, equal(**{attribute: "9.9"})) == []


def test_both_filters_must_hold(filled: Stand) -> None:
    primary = equal(isPrimary=True)
    assert found(filled, equal(DICOMPatientId="P2"), primary) == ["P2"]
    assert found(filled, equal(DICOMPatientId="P2"), equal(DICOMStudyId="S3")) == []
    assert found(filled, equal(isPrimary=False)) == []


def test_without_criteria_everything_is_found_newest_first(filled: Stand) -> None:
    answer = filled.client.search_image_sets(datastoreId=filled.datastore_id)
    assert answer["sort"] == {"sortField": "updatedAt", "sortOrder": "DESC"}
    assert found(filled) == ["P3", "P2", "P1"]


def test_dates_are_found_between_two_bounds(filled: Stand) -> None:
    low, high = DAY_ONE - timedelta(hours=1), DAY_ONE + timedelta(days=1, hours=1)
    for field in ("createdAt", "updatedAt"):
        assert found(filled, between({field: low}, {field: high})) == ["P2", "P1"]


def test_study_dates_are_found_with_or_without_time(filled: Stand) -> None:
    def at(date: str, time: str | None = None) -> dict[str, Any]:
        return {
            "DICOMStudyDateAndTime": {"DICOMStudyDate": date} | ({"DICOMStudyTime": time} if time else {})
        }

    assert found(filled, between(at("20260101"), at("20260102"))) == ["P1"]
    assert found(filled, between(at("20260101"), at("20260102", "120000.000000"))) == ["P2", "P1"]


def test_the_order_can_be_chosen(filled: Stand) -> None:
    assert found(filled, sortField="DICOMStudyDateAndTime", sortOrder="ASC") == ["P1", "P2", "P3"]
    assert found(filled, sortField="createdAt", sortOrder="DESC") == ["P3", "P2", "P1"]


def test_results_come_in_pages(filled: Stand) -> None:
    pages = filled.client.get_paginator("search_image_sets").paginate(
        datastoreId=filled.datastore_id, PaginationConfig={"PageSize": 2}
    )
    assert [len(page["imageSetsMetadataSummaries"]) for page in pages] == [2, 1]


@pytest.mark.parametrize(
    "bad",
    [
        {"operator": "EQUAL", "values": [{"DICOMPatientId": "a"}, {"DICOMPatientId": "b"}]},
        {"operator": "BETWEEN", "values": [{"createdAt": 1}]},
        {"operator": "BETWEEN", "values": [{"DICOMPatientId": "a"}, {"DICOMPatientId": "b"}]},
        {"operator": "BETWEEN", "values": [{"createdAt": 1}, {"updatedAt": 2}]},
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(stand: Stand, bad: Any) -> None:
    with pytest.raises(ClientError) as failure:
        found(stand, bad)
    assert failure.value.response["Error"]["Code"] == "ValidationException"


def test_a_summary_tells_what_the_model_knows(stand: Stand) -> None:
    dataset = instance(
        PatientBirthDate="19700101", PatientSex="F", StudyDescription="Head", BodyPartExamined="HEAD"
    )
    stand.put("a/1.dcm", dataset)
    stand.put("a/2.dcm", instance())
    stand.put("a/3.dcm", instance(SeriesInstanceUID="1.2.826.0.1.1.2", SeriesNumber="2", Modality="MR"))
    stand.run("a/1.dcm"[:2])
    summary = next(each for each in stand.image_sets() if each["DICOMTags"]["DICOMSeriesModality"] == "CT")
    assert summary["storageTier"] == "FREQUENT_ACCESS"
    tags = summary["DICOMTags"]
    assert tags["DICOMNumberOfStudyRelatedSeries"] == 2
    assert tags["DICOMNumberOfStudyRelatedInstances"] == 3
    assert tags["DICOMSeriesNumber"] == 1
    assert tags["DICOMPatientName"] == "Phantom^Test"


def test_search_can_lag_behind_imports(make_stand: MakeStand) -> None:
    clock = ManualClock()
    stand = make_stand(Settings.fast(behaviour={"search_delay_seconds": 5}), clock=clock)
    stand.put("a/1.dcm", instance())
    stand.run("a/")
    assert stand.image_sets() == []
    clock.advance(5)
    assert len(stand.image_sets()) == 1
