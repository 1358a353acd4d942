"""From instances to image sets: primaries, merges, conflicts, versions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from healthimaging_emulator import ManualClock, Settings

from ..conftest import MakeStand
from ..stand import Stand, instance


def test_a_series_becomes_one_primary_image_set(stand: Stand) -> None:
    uids = {stand.put(f"a/{n}.dcm", instance()) for n in range(3)}
    stand.run("a/")
    (image_set,) = stand.image_sets()
    assert image_set["isPrimary"] is True
    assert image_set["version"] == 1
    assert stand.instances(image_set["imageSetId"]).keys() == uids


def test_an_image_set_event_has_the_fields_of_a_live_one(stand: Stand) -> None:
    stand.put("a/1.dcm", instance())
    stand.run("a/")
    stand.run("a/")
    (image_set,) = stand.image_sets()
    created, updated = stand.events("Image Set")
    store = f"arn:aws:medical-imaging:us-east-1:123456789012:datastore/{stand.datastore_id}"
    assert created["Resources"] == [f"{store}/imageset/{image_set['imageSetId']}"]
    assert (created["DetailType"], updated["DetailType"]) == ("Image Set Created", "Image Set Updated")
    assert created["Detail"] == {
        "imagingVersion": "1.0",
        "isPrimary": True,
        "imageSetVersion": "1",
        "datastoreId": stand.datastore_id,
        "imageSetId": image_set["imageSetId"],
        "imageSetState": "ACTIVE",
        "imageSetWorkflowStatus": "CREATED",
    }
    assert updated["Detail"]["imageSetVersion"] == "2"


def test_each_series_has_its_own_image_set(stand: Stand) -> None:
    stand.put("a/1.dcm", instance())
    stand.put("a/2.dcm", instance(SeriesInstanceUID="1.2.826.0.1.1.2", SeriesNumber="2"))
    summary = stand.summary(stand.run("a/"))
    assert [each["isPrimary"] for each in summary["imageSetsSummary"]] == [True, True]
    assert summary["numberOfGeneratedImageSets"] == 2


def test_a_later_import_of_a_series_makes_a_new_version_of_the_same_image_set(stand: Stand) -> None:
    first = stand.put("a/1.dcm", instance())
    stand.run("a/")
    second = stand.put("b/2.dcm", instance())
    summary = stand.summary(stand.run("b/"))
    (image_set,) = stand.image_sets()
    assert summary["imageSetsSummary"] == [
        {
            "imageSetId": image_set["imageSetId"],
            "imageSetVersion": 2,
            "isPrimary": True,
            "numberOfMatchedSOPInstances": 1,
        }
    ]
    assert stand.instances(image_set["imageSetId"]).keys() == {first, second}
    assert stand.instances(image_set["imageSetId"], "1").keys() == {first}


def test_an_instance_imported_again_replaces_the_older_one_in_a_new_version(stand: Stand) -> None:
    uid = stand.put("a/1.dcm", instance(InstanceNumber="1"))
    stand.run("a/")
    stand.put("b/1.dcm", instance(SOPInstanceUID=uid, InstanceNumber="7"))
    stand.run("b/")
    (image_set,) = stand.image_sets()

    def number(version: str | None) -> str:
        return str(stand.instances(image_set["imageSetId"], version)[uid]["DICOM"]["InstanceNumber"])

    assert (number("1"), number("2"), number(None)) == ("1 ", "7 ", "7 ")


def test_of_two_files_with_one_uid_in_a_job_the_last_key_wins(stand: Stand) -> None:
    uid = stand.put("a/1.dcm", instance(InstanceNumber="1"))
    stand.put("a/2.dcm", instance(SOPInstanceUID=uid, InstanceNumber="2"))
    summary = stand.summary(stand.run("a/"))
    assert summary["numberOfImportedFiles"] == 2
    assert summary["imageSetsSummary"][0]["numberOfMatchedSOPInstances"] == 1
    (image_set,) = stand.image_sets()
    assert stand.instances(image_set["imageSetId"])[uid]["DICOM"]["InstanceNumber"] == "2 "


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("StudyDate", "20260203"),
        ("AccessionNumber", "A2"),
        ("PatientID", "P2"),
        ("StudyInstanceUID", "1.2.826.0.1.9"),
        ("StudyID", "S2"),
        ("SeriesNumber", "2"),
    ],
)
def test_a_conflicting_attribute_makes_a_non_primary_image_set(
    stand: Stand, keyword: str, value: str
) -> None:
    stand.put("a/1.dcm", instance())
    stand.run("a/")
    stand.put("b/2.dcm", instance(**{keyword: value}))
    job = stand.run("b/")
    (created,) = stand.summary(job)["imageSetsSummary"]
    assert created["isPrimary"] is False
    assert [each["isPrimary"] for each in stand.image_sets()] == [True, False]
    (line,) = stand.lines(job, "SUCCESS/success.ndjson")
    assert line["importResponse"]["isPrimary"] is False
    assert [event["Detail"]["isPrimary"] for event in stand.events("Image Set")] == [True, False]


@pytest.mark.parametrize("keyword", ["PatientName", "StudyTime", "SeriesDescription", "Modality"])
def test_other_attributes_do_not_conflict(stand: Stand, keyword: str) -> None:
    stand.put("a/1.dcm", instance())
    stand.run("a/")
    stand.put("b/2.dcm", instance(**{keyword: "112233" if keyword == "StudyTime" else "MR"}))
    stand.run("b/")
    assert [(each["isPrimary"], each["version"]) for each in stand.image_sets()] == [(True, 2)]


def test_padding_is_no_conflict(stand: Stand) -> None:
    stand.put("a/1.dcm", instance(SeriesNumber="1 "))
    stand.put("a/2.dcm", instance(SeriesNumber="1"))
    assert stand.summary(stand.run("a/"))["numberOfGeneratedImageSets"] == 1


def test_variants_within_one_job_the_first_key_is_primary(stand: Stand) -> None:
    stand.put("a/1.dcm", instance(PatientID="P2"))
    stand.put("a/2.dcm", instance())
    stand.put("a/3.dcm", instance(PatientID="P2"))
    summary = stand.summary(stand.run("a/"))
    found = [(s["isPrimary"], s["numberOfMatchedSOPInstances"]) for s in summary["imageSetsSummary"]]
    assert found == [(True, 2), (False, 1)]


def test_each_job_makes_its_own_non_primary_image_set(stand: Stand) -> None:
    stand.put("a/1.dcm", instance())
    stand.put("b/2.dcm", instance(PatientID="P2"))
    for prefix in ("a/", "b/", "b/"):
        stand.run(prefix)
    assert [each["isPrimary"] for each in stand.image_sets()] == [True, False, False]


def test_another_series_of_a_study_conflicts_on_study_level(stand: Stand) -> None:
    stand.put("a/1.dcm", instance())
    stand.put("b/2.dcm", instance(SeriesInstanceUID="1.2.826.0.1.1.2", PatientID="P2"))
    stand.run("a/")
    (created,) = stand.summary(stand.run("b/"))["imageSetsSummary"]
    assert created["isPrimary"] is False


def test_another_series_of_a_study_does_not_conflict_when_so_set(make_stand: MakeStand) -> None:
    stand = make_stand(Settings.fast(behaviour={"conflict_scope": "series"}))
    stand.put("a/1.dcm", instance())
    stand.put("b/2.dcm", instance(SeriesInstanceUID="1.2.826.0.1.1.2", PatientID="P2"))
    stand.run("a/")
    (created,) = stand.summary(stand.run("b/"))["imageSetsSummary"]
    assert created["isPrimary"] is True


def test_the_newest_import_gives_the_levels_above_the_instance(stand: Stand) -> None:
    stand.put("a/1.dcm", instance(PatientName="Old"))
    stand.put("b/2.dcm", instance(PatientName="New"))
    stand.run("a/")
    stand.run("b/")
    (image_set,) = stand.image_sets()
    assert stand.metadata(image_set["imageSetId"])["Patient"]["DICOM"]["PatientName"] == "New"
    assert stand.metadata(image_set["imageSetId"], "1")["Patient"]["DICOM"]["PatientName"] == "Old"
    assert image_set["DICOMTags"]["DICOMPatientName"] == "New"


def test_the_first_import_keeps_the_levels_when_so_set(make_stand: MakeStand) -> None:
    stand = make_stand(Settings.fast(behaviour={"normalised_levels": "first"}))
    stand.put("a/1.dcm", instance(PatientName="Old"))
    stand.put("b/2.dcm", instance(PatientName="New"))
    stand.run("a/")
    stand.run("b/")
    (image_set,) = stand.image_sets()
    assert stand.metadata(image_set["imageSetId"])["Patient"]["DICOM"]["PatientName"] == "Old"


def test_jobs_for_one_series_at_the_same_time_lose_nothing(stand: Stand) -> None:
    uids = {stand.put(f"{n}/x.dcm", instance()) for n in range(8)}
    for job_id in [stand.start(f"{n}/") for n in range(8)]:
        stand.wait_for_status(job_id, "COMPLETED")
    (image_set,) = stand.image_sets()
    assert image_set["version"] == 8
    assert stand.instances(image_set["imageSetId"]).keys() == uids


def test_all_versions_are_listed_newest_first(stand: Stand) -> None:
    stand.put("a/1.dcm", instance())
    for _ in range(3):
        stand.run("a/")
    (image_set,) = stand.image_sets()
    pages = stand.client.get_paginator("list_image_set_versions").paginate(
        datastoreId=stand.datastore_id,
        imageSetId=image_set["imageSetId"],
        PaginationConfig={"PageSize": 2},
    )
    versions = [each for page in pages for each in page["imageSetPropertiesList"]]
    assert [each["versionId"] for each in versions] == ["3", "2", "1"]
    assert [each["ImageSetWorkflowStatus"] for each in versions] == ["UPDATED", "UPDATED", "CREATED"]
    assert all(each["imageSetState"] == "ACTIVE" and each["isPrimary"] for each in versions)


def test_every_version_has_the_image_sets_creation_time_and_the_first_was_never_updated(
    make_stand: MakeStand,
) -> None:
    clock = ManualClock()
    stand = make_stand(clock=clock)
    stand.put("a/1.dcm", instance())
    for _ in range(3):
        stand.run("a/")
        clock.advance(10)
    (image_set,) = stand.image_sets()
    key = {"datastoreId": stand.datastore_id, "imageSetId": image_set["imageSetId"]}
    created = image_set["createdAt"]
    versions = stand.client.list_image_set_versions(**key)["imageSetPropertiesList"]
    assert [each["createdAt"] for each in versions] == [created] * 3
    assert [each.get("updatedAt") for each in versions] == [
        created + timedelta(seconds=20), created + timedelta(seconds=10), None,
    ]  # fmt: skip
    assert stand.client.get_image_set(**key)["createdAt"] == created
    assert "updatedAt" not in stand.client.get_image_set(**key, versionId="1")


def test_a_version_that_does_not_exist_is_not_found(stand: Stand) -> None:
    stand.put("a/1.dcm", instance())
    stand.run("a/")
    (image_set,) = stand.image_sets()
    for version in ("2", "99999999999999999999"):
        with pytest.raises(stand.client.exceptions.ResourceNotFoundException):
            stand.client.get_image_set(
                datastoreId=stand.datastore_id, imageSetId=image_set["imageSetId"], versionId=version
            )


def test_an_import_of_many_series_finds_the_files_of_each_by_an_index(stand: Stand) -> None:
    """Without one, each of 5,000 series looks through all 5,000 files."""
    stand.put("a/1.dcm", instance())
    asked: list[str] = []
    with stand.emulator._core.store.transaction() as db:
        db.set_trace_callback(asked.append)
    stand.run("a/")
    with stand.emulator._core.store.transaction() as db:
        db.set_trace_callback(None)
        of_a_series = [sql for sql in asked if "staged" in sql and "UPDATE" in sql]
        plans = [row["detail"] for sql in of_a_series for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert [plan for plan in plans if "staged" in plan and "(job_id=? AND " not in plan] == []
    assert len(plans) > 1
