"""UpdateImageSetMetadata, CopyImageSet, DeleteImageSet: locks, versions, outcomes, constraints."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from healthimaging_emulator import ManualClock, Settings, Timing

from ..conftest import MakeStand
from ..stand import Stand, instance, wait_for

SERIES = "1.2.826.0.1.1.1"


def imported(stand: Stand, **attributes: Any) -> tuple[str, str]:
    """An image set with one instance; its id and the SOP Instance UID."""
    dataset = instance(**attributes)
    uid = stand.put(f"{dataset.SOPInstanceUID}/1.dcm", dataset)
    job = stand.run(f"{uid}/")
    return stand.summary(job)["imageSetsSummary"][0]["imageSetId"], uid


def non_primary(stand: Stand) -> tuple[str, str]:
    imported(stand)
    return imported(stand, PatientID="P2")


def update(stand: Stand, image_set_id: str, version: str = "1", **more: Any) -> Any:
    documents = {
        name: json.dumps(more.pop(name)).encode()
        for name in ("updatableAttributes", "removableAttributes")
        if name in more
    }
    updates = {"DICOMUpdates": documents} if documents else {"revertToVersionId": more.pop("revert")}
    return stand.client.update_image_set_metadata(
        datastoreId=stand.datastore_id,
        imageSetId=image_set_id,
        latestVersionId=version,
        updateImageSetMetadataUpdates=updates,  # type: ignore[arg-type]
        **more,
    )


def get(stand: Stand, image_set_id: str) -> Any:
    return stand.client.get_image_set(datastoreId=stand.datastore_id, imageSetId=image_set_id)


def copy(stand: Stand, source: str, version: str = "1", **more: Any) -> Any:
    information: dict[str, Any] = {"sourceImageSet": {"latestVersionId": version}}
    if "only" in more:
        instances: dict[str, Any] = {uid: {} for uid in more.pop("only")}
        subset = json.dumps({"SchemaVersion": "1.1", "Study": {"Series": {SERIES: {"Instances": instances}}}})
        information["sourceImageSet"]["DICOMCopies"] = {"copiableAttributes": subset}
    if "to" in more:
        image_set_id, latest = more.pop("to")
        information["destinationImageSet"] = {"imageSetId": image_set_id, "latestVersionId": latest}
    return stand.client.copy_image_set(
        datastoreId=stand.datastore_id,
        sourceImageSetId=source,
        copyImageSetInformation=information,  # type: ignore[arg-type]
        **more,
    )


def study(**attributes: Any) -> dict[str, Any]:
    return {"SchemaVersion": "1.1", "Study": {"DICOM": attributes}}


def of_instance(uid: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"Study": {"Series": {SERIES: {"Instances": {uid: content}}}}}


def test_an_update_locks_the_image_set_and_then_shows_as_a_new_version(make_stand: MakeStand) -> None:
    clock = ManualClock()
    timing = Timing(submitted=0, import_base=0, import_per_file=0, write=10)
    stand = make_stand(Settings.fast(timing=timing), clock=clock)
    image_set_id, _ = imported(stand)
    answer = update(stand, image_set_id, updatableAttributes=study(StudyDescription="Head"))
    assert (answer["imageSetState"], answer["imageSetWorkflowStatus"]) == ("LOCKED", "UPDATING")
    assert answer["latestVersionId"] == "2"
    assert get(stand, image_set_id)["imageSetState"] == "LOCKED"
    with pytest.raises(stand.client.exceptions.ConflictException):
        update(stand, image_set_id, "2", updatableAttributes=study(StudyDescription="Foot"))
    with pytest.raises(stand.client.exceptions.ConflictException):
        stand.client.delete_image_set(datastoreId=stand.datastore_id, imageSetId=image_set_id)
    clock.advance(10)
    wait_for(lambda: get(stand, image_set_id)["imageSetState"] == "ACTIVE" or None, "the update")
    assert get(stand, image_set_id)["imageSetWorkflowStatus"] == "UPDATED"
    assert stand.metadata(image_set_id)["Study"]["DICOM"]["StudyDescription"] == "Head"
    assert "StudyDescription" not in stand.metadata(image_set_id, "1")["Study"]["DICOM"]


def test_an_import_waits_for_a_locked_image_set(make_stand: MakeStand) -> None:
    clock = ManualClock()
    timing = Timing(submitted=0, import_base=0, import_per_file=0, write=10)
    stand = make_stand(Settings.fast(timing=timing), clock=clock)
    image_set_id, _ = imported(stand)
    update(stand, image_set_id, updatableAttributes=study(StudyDescription="Head"))
    stand.put("later/1.dcm", instance())
    job_id = stand.start("later/")
    stand.wait_for_status(job_id, "IN_PROGRESS")
    assert get(stand, image_set_id)["versionId"] == "2"

    def ended() -> Any:
        clock.advance(1)
        job = stand.job(job_id)
        return job if job["jobStatus"] == "COMPLETED" else None

    wait_for(ended, "the import")
    assert get(stand, image_set_id)["versionId"] == "3"


def test_an_update_of_an_old_version_is_refused_in_the_services_words(stand: Stand) -> None:
    image_set_id, _ = imported(stand)
    with pytest.raises(ClientError) as failure:
        update(stand, image_set_id, "7", updatableAttributes=study(StudyDescription="Head"))
    assert failure.value.response["Error"] == {
        "Code": "ResourceNotFoundException",
        "Message": "Requested version(s) of ImageSet(s) is not the latest.",
    }


def test_attributes_and_instances_can_be_removed(stand: Stand) -> None:
    image_set_id, uid = imported(stand)
    update(stand, image_set_id, removableAttributes=study(StudyTime={}))
    assert "StudyTime" not in stand.metadata(image_set_id)["Study"]["DICOM"]
    update(stand, image_set_id, "2", removableAttributes=of_instance(uid, {}))
    assert stand.instances(image_set_id) == {}
    assert stand.instances(image_set_id, "2").keys() == {uid}


def test_an_update_can_be_reverted_by_a_further_version(stand: Stand) -> None:
    image_set_id, uid = imported(stand)
    before = stand.metadata(image_set_id)
    update(stand, image_set_id, updatableAttributes=study(StudyDescription="Head"))
    update(stand, image_set_id, "2", removableAttributes=of_instance(uid, {}))
    update(stand, image_set_id, "3", revert="1")
    assert get(stand, image_set_id)["versionId"] == "4"
    assert stand.metadata(image_set_id) == before


def test_an_instance_can_get_a_private_attribute_and_another_uid_by_force(stand: Stand) -> None:
    image_set_id, uid = non_primary(stand)
    document = of_instance(
        uid, {"DICOM": {"001910F9": "97", "SOPInstanceUID": "1.2.3"}, "DICOMVRs": {"001910F9": "DS"}}
    )
    update(stand, image_set_id, updatableAttributes=document, force=True)
    (found,) = stand.instances(image_set_id).items()
    assert found[0] == "1.2.3"
    assert found[1]["DICOM"]["001910F9"] == "97"
    assert found[1]["DICOMVRs"]["001910F9"] == "DS"
    assert get(stand, image_set_id)["overrides"] == {"forced": True}


@pytest.mark.parametrize(
    "document",
    [
        study(SchemaVersion="2"),
        study(PatientName="Wrong^Level"),
        study(StudyDate="no date"),
        study(StudyID="S2"),
        study(NameOfPhysiciansReadingStudy=["A"]),
        study(ProcedureCodeSequence=[{"CodeValue": "1"}]),
        study(NoSuchKeyword="x"),
        {"Study": {"Series": {"1.2.3": {"DICOM": {"Modality": "MR"}}}}},
        of_instance("1.2.3", {"DICOM": {"ImageComments": "x"}}),
    ],
)
def test_a_forbidden_update_fails_later_with_a_message(stand: Stand, document: Any) -> None:
    image_set_id, _ = non_primary(stand)
    before = stand.metadata(image_set_id)
    update(stand, image_set_id, updatableAttributes=document)
    found = get(stand, image_set_id)
    assert (found["imageSetState"], found["imageSetWorkflowStatus"]) == ("ACTIVE", "UPDATE_FAILED")
    assert found["message"].startswith("INVALID_REQUEST: ")
    assert stand.metadata(image_set_id) == before


@pytest.mark.parametrize(
    "document", [{"Patient": {"DICOM": {"PatientName": "X"}}}, study(StudyInstanceUID="1.2.3")]
)
def test_a_primary_image_set_is_protected_even_from_force(stand: Stand, document: Any) -> None:
    image_set_id, _ = imported(stand)
    update(stand, image_set_id, updatableAttributes=document, force=True)
    assert get(stand, image_set_id)["imageSetWorkflowStatus"] == "UPDATE_FAILED"


@pytest.mark.parametrize("document", [b"no JSON", b"[]", b'{"Instances": {}}', b'{"Study": {"Series": 1}}'])
def test_an_update_that_is_no_metadata_is_refused_at_once(stand: Stand, document: bytes) -> None:
    image_set_id, _ = imported(stand)
    with pytest.raises(stand.client.exceptions.ValidationException):
        stand.client.update_image_set_metadata(
            datastoreId=stand.datastore_id,
            imageSetId=image_set_id,
            latestVersionId="1",
            updateImageSetMetadataUpdates={"DICOMUpdates": {"updatableAttributes": document}},
        )
    assert get(stand, image_set_id)["imageSetState"] == "ACTIVE"


def test_an_update_beyond_10_kb_is_refused_with_402(stand: Stand) -> None:
    image_set_id, _ = imported(stand)
    with pytest.raises(stand.client.exceptions.ServiceQuotaExceededException):
        update(stand, image_set_id, updatableAttributes=study(StudyDescription="x" * 11_000))


def test_an_update_can_reach_all_image_sets_of_the_study(stand: Stand) -> None:
    first, _ = imported(stand)
    other, _ = imported(stand, SeriesInstanceUID="1.2.826.0.1.1.2")
    update(stand, first, updatableAttributes=study(StudyDescription="Head"), includeStudyImageSets=True)
    assert get(stand, other)["versionId"] == "2"
    assert stand.metadata(other)["Study"]["DICOM"]["StudyDescription"] == "Head"


def test_a_copy_is_a_new_non_primary_image_set(make_stand: MakeStand) -> None:
    clock = ManualClock()
    timing = Timing(submitted=0, import_base=0, import_per_file=0, write=10)
    stand = make_stand(Settings.fast(timing=timing), clock=clock)
    source, uid = imported(stand)
    answer = copy(stand, source)
    states = [
        (answer[name]["imageSetState"], answer[name]["imageSetWorkflowStatus"])
        for name in ("sourceImageSetProperties", "destinationImageSetProperties")
    ]
    assert states == [("LOCKED", "COPYING_WITH_READ_ONLY_ACCESS"), ("LOCKED", "COPYING")]
    assert stand.instances(source).keys() == {uid}
    clock.advance(10)
    destination = answer["destinationImageSetProperties"]["imageSetId"]
    wait_for(lambda: get(stand, source)["imageSetState"] == "ACTIVE" or None, "the copy")
    found = get(stand, destination)
    assert (found["imageSetWorkflowStatus"], found["isPrimary"]) == ("COPIED", False)
    assert stand.instances(destination) == stand.instances(source)
    (copied,) = [e for e in stand.events("Image Set Copied") if "sourceImageSetArn" in e["Detail"]]
    assert copied["Detail"]["sourceImageSetArn"].endswith(f"/imageset/{source}")


def test_frames_of_a_copy_outlive_the_original(stand: Stand) -> None:
    source, uid = imported(stand)
    destination = copy(stand, source)["destinationImageSetProperties"]["imageSetId"]
    stand.client.delete_image_set(datastoreId=stand.datastore_id, imageSetId=source)
    (frame,) = stand.instances(destination)[uid]["ImageFrames"]
    assert len(stand.frame(destination, frame["ID"])[0]) == frame["FrameSizeInBytes"]


def test_a_subset_can_be_copied_into_another_image_set(stand: Stand) -> None:
    source, uid = imported(stand)
    _, second = imported(stand)
    destination = copy(stand, source, "2", only=[uid])["destinationImageSetProperties"]["imageSetId"]
    assert stand.instances(destination).keys() == {uid}
    answer = copy(stand, source, "2", only=[second], to=(destination, "1"))
    assert answer["destinationImageSetProperties"]["latestVersionId"] == "2"
    assert stand.instances(destination).keys() == {uid, second}
    assert stand.instances(destination, "1").keys() == {uid}


def test_a_copy_into_a_different_series_fails_unless_forced(stand: Stand) -> None:
    source, uid = imported(stand)
    other, _ = imported(stand, SeriesInstanceUID="1.2.826.0.1.1.2")
    copy(stand, source, to=(other, "1"))
    found = get(stand, other)
    assert found["imageSetWorkflowStatus"] == "COPY_FAILED"
    assert found["message"] == (
        "INVALID_REQUEST:  Series of SourceImageSet and DestinationImageSet don't match."
    )
    assert get(stand, source)["imageSetWorkflowStatus"] == "CREATED"
    copy(stand, source, to=(other, "2"), force=True)
    assert uid in stand.instances(other)


def test_a_copy_of_more_than_1000_frames_is_refused_with_402(make_stand: MakeStand) -> None:
    stand = make_stand(Settings.fast(limits={"rates": {}, "frames_per_copy": 1}))
    imported(stand)
    source, _ = imported(stand)
    with pytest.raises(stand.client.exceptions.ServiceQuotaExceededException):
        copy(stand, source, "2")
    assert get(stand, source)["imageSetState"] == "ACTIVE"


def test_a_corrected_image_set_can_be_promoted(stand: Stand) -> None:
    primary, _ = imported(stand)
    conflicting, uid = imported(stand, PatientID="P2")
    with pytest.raises(stand.client.exceptions.ConflictException):
        copy(stand, conflicting, promoteToPrimary=True)
    update(stand, conflicting, updatableAttributes={"Patient": {"DICOM": {"PatientID": "P1"}}})
    answer = copy(stand, conflicting, "2", promoteToPrimary=True)
    assert answer["destinationImageSetProperties"]["imageSetId"] == primary
    assert uid in stand.instances(primary)


def test_a_series_without_primary_gets_one_by_promotion(stand: Stand) -> None:
    primary, _ = imported(stand)
    conflicting, _ = imported(stand, PatientID="P2")
    stand.client.delete_image_set(datastoreId=stand.datastore_id, imageSetId=primary)
    destination = copy(stand, conflicting, promoteToPrimary=True)["destinationImageSetProperties"]
    assert destination["imageSetId"] != conflicting
    assert get(stand, destination["imageSetId"])["isPrimary"] is True


def test_a_deleted_image_set_is_gone_from_search_and_from_disk(stand: Stand) -> None:
    image_set_id, uid = imported(stand)
    (frame,) = stand.instances(image_set_id)[uid]["ImageFrames"]
    answer = stand.client.delete_image_set(datastoreId=stand.datastore_id, imageSetId=image_set_id)
    assert (answer["imageSetState"], answer["imageSetWorkflowStatus"]) == ("LOCKED", "DELETING")
    assert stand.image_sets() == []
    found = get(stand, image_set_id)
    assert (found["imageSetState"], found["imageSetWorkflowStatus"]) == ("DELETED", "DELETED")
    with pytest.raises(stand.client.exceptions.ResourceNotFoundException):
        stand.metadata(image_set_id)
    with pytest.raises(stand.client.exceptions.ResourceNotFoundException):
        stand.frame(image_set_id, frame["ID"])
    assert [e["DetailType"] for e in stand.events("Image Set")][-2:] == [
        "Image Set Deleting",
        "Image Set Deleted",
    ]


def test_a_series_imported_after_deletion_starts_afresh(stand: Stand) -> None:
    first, _ = imported(stand)
    stand.client.delete_image_set(datastoreId=stand.datastore_id, imageSetId=first)
    second, _ = imported(stand)
    assert second != first
    assert get(stand, second)["versionId"] == "1"


def test_a_data_store_must_be_empty_to_be_deleted(stand: Stand) -> None:
    image_set_id, _ = imported(stand)
    with pytest.raises(stand.client.exceptions.ConflictException):
        stand.client.delete_datastore(datastoreId=stand.datastore_id)
    stand.client.delete_image_set(datastoreId=stand.datastore_id, imageSetId=image_set_id)
    answer = stand.client.delete_datastore(datastoreId=stand.datastore_id)
    assert answer["datastoreStatus"] == "DELETING"
    found = stand.client.get_datastore(datastoreId=stand.datastore_id)["datastoreProperties"]
    assert found["datastoreStatus"] == "DELETED"
