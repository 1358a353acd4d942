"""Data stores and tags: life, idempotency, quotas, events."""

from __future__ import annotations

import pytest
from healthimaging_emulator import ManualClock, Settings, Timing

from ..conftest import MakeStand
from ..stand import Stand, instance, wait_for


def status(stand: Stand, datastore_id: str) -> str:
    return stand.client.get_datastore(datastoreId=datastore_id)["datastoreProperties"]["datastoreStatus"]


def test_a_data_store_is_created_and_deleted_in_its_own_time(make_stand: MakeStand) -> None:
    clock = ManualClock()
    stand = make_stand(Settings.fast(timing=Timing(datastore=60)), clock=clock)
    made = stand.client.create_datastore(datastoreName="new", clientToken="t")
    datastore_id = made["datastoreId"]
    assert made["datastoreStatus"] == status(stand, datastore_id) == "CREATING"
    clock.advance(60)
    wait_for(lambda: status(stand, datastore_id) == "ACTIVE" or None, "the store")
    stand.client.delete_datastore(datastoreId=datastore_id)
    assert status(stand, datastore_id) == "DELETING"
    clock.advance(60)
    wait_for(lambda: status(stand, datastore_id) == "DELETED" or None, "the deletion")
    found = [event for event in stand.events("Data Store") if event["Detail"]["datastoreId"] == datastore_id]
    assert [(event["DetailType"], event["Detail"]["datastoreStatus"]) for event in found] == [
        ("Data Store Creating", "CREATING"),
        ("Data Store Created", "ACTIVE"),
        ("Data Store Deleting", "DELETING"),
        ("Data Store Deleted", "DELETED"),
    ]


def test_the_same_token_makes_one_data_store(stand: Stand) -> None:
    first = stand.client.create_datastore(datastoreName="new", clientToken="t")["datastoreId"]
    assert stand.client.create_datastore(datastoreName="new", clientToken="t")["datastoreId"] == first
    assert stand.client.create_datastore(datastoreName="new", clientToken="u")["datastoreId"] != first


def test_data_stores_beyond_the_quota_are_refused_with_402(make_stand: MakeStand) -> None:
    stand = make_stand(Settings.fast(limits={"rates": {}, "datastores": 1}))
    with pytest.raises(stand.client.exceptions.ServiceQuotaExceededException):
        stand.client.create_datastore(clientToken="t")


def test_data_stores_are_listed_by_status(stand: Stand) -> None:
    other = stand.client.create_datastore(datastoreName="other", clientToken="t")["datastoreId"]
    listed = stand.client.list_datastores(datastoreStatus="ACTIVE")["datastoreSummaries"]
    assert {each["datastoreId"] for each in listed} == {stand.datastore_id, other}
    stand.client.delete_datastore(datastoreId=other)
    listed = stand.client.list_datastores(datastoreStatus="ACTIVE")["datastoreSummaries"]
    assert [each["datastoreId"] for each in listed] == [stand.datastore_id]


def test_a_named_data_store_is_found_again(stand: Stand) -> None:
    assert stand.emulator.ensure_datastore("tests") == stand.datastore_id
    assert stand.emulator.ensure_datastore("x", "0" * 32) == "0" * 32
    assert stand.emulator.ensure_datastore("x", "0" * 32) == "0" * 32


def test_a_data_store_with_a_running_import_cannot_be_deleted(make_stand: MakeStand) -> None:
    stand = make_stand(Settings.fast(timing=Timing(submitted=60)), clock=ManualClock())
    stand.start("a/")
    with pytest.raises(stand.client.exceptions.ConflictException):
        stand.client.delete_datastore(datastoreId=stand.datastore_id)


def test_tags_are_kept_on_data_stores_and_image_sets(stand: Stand) -> None:
    stand.put("a/1.dcm", instance())
    image_set_id = stand.summary(stand.run("a/"))["imageSetsSummary"][0]["imageSetId"]
    store = f"arn:aws:medical-imaging:us-east-1:123456789012:datastore/{stand.datastore_id}"
    for arn in (store, f"{store}/imageset/{image_set_id}"):
        stand.client.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
        stand.client.tag_resource(resourceArn=arn, tags={"b": "3"})
        stand.client.untag_resource(resourceArn=arn, tagKeys=["a", "none"])
        assert stand.client.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "3"}


def test_a_resource_has_at_most_50_tags(stand: Stand) -> None:
    store = f"arn:aws:medical-imaging:us-east-1:123456789012:datastore/{stand.datastore_id}"
    letters = [f"{a}{b}" for a in "abcdefg" for b in "abcdefgh"]
    stand.client.tag_resource(resourceArn=store, tags=dict.fromkeys(letters[:50], ""))
    stand.client.tag_resource(resourceArn=store, tags={letters[0]: "again"})
    with pytest.raises(stand.client.exceptions.ValidationException):
        stand.client.tag_resource(resourceArn=store, tags={letters[50]: ""})


def test_an_arn_of_another_account_is_not_found(stand: Stand) -> None:
    arn = f"arn:aws:medical-imaging:us-east-1:999999999999:datastore/{stand.datastore_id}"
    with pytest.raises(stand.client.exceptions.ResourceNotFoundException):
        stand.client.list_tags_for_resource(resourceArn=arn)
