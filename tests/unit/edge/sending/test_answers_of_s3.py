"""What an answer of S3 means: nothing is released, blamed or announced on a guess."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_component.journal import channels, instances
from edge_component.journal.database import transaction
from edge_component.sending.uploader import FORGET_SECONDS, Uploader
from tests.support.edge.bench import Bench, Crash, rows
from tests.support.edge.stand_ins import HeldPool, client_error, lost, sha256, unreachable

STUDY, SERIES = "1.2", "1.2.1"
PART = 5 * 1024 * 1024
LARGE = 2 * PART + 1000


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, series_patience_seconds=100, multipart_bytes=PART, uploads_in_flight=2)


def send(bench: Bench, *sops: str, content: int = 0, pixels: int = 256) -> None:
    sender = bench.associate()
    for sop in sops:
        bench.receive(sender, STUDY, SERIES, sop, content, pixels=pixels)
    bench.close(sender)


def pass_time(bench: Bench, seconds: float) -> None:
    for _ in range(int(seconds / 5)):
        bench.clock.now += 5
        bench.step()


def once(*errors: BaseException, operation: str = "PutObject") -> Callable[[str, str], BaseException | None]:
    """These errors, one a call of this operation."""
    left = list(errors)
    return lambda called, _key: left.pop(0) if left and called == operation else None


def announced(bench: Bench) -> list[tuple[str, ...]]:
    return [tuple(i.sop_instance_uid for i in manifest.instances) for manifest in bench.manifests()]


def operations(bench: Bench) -> list[str]:
    return [operation for operation, _ in bench.s3.calls]


def transfer_ids(bench: Bench) -> list[str]:
    return [row["transfer_id"] for row in rows(bench.journal, "SELECT transfer_id FROM series_transfer")]


def noticed(bench: Bench) -> list[str]:
    return [notice.name for notice in channels.notices(bench.journal)]


SERVICES = [
    ("KMS.DisabledException", 400),
    ("KMS.NotFoundException", 400),
    ("KMS.KMSInvalidStateException", 400),
    ("ThrottlingException", 400),
    ("TokenRefreshRequired", 400),
    ("ExpiredToken", 400),
    ("InvalidRequest", 400),
    ("BadDigest", 400),
    ("AccessDenied", 403),
    ("NoSuchBucket", 404),
    ("405", 405),
    ("407", 407),
    ("OperationAborted", 409),
    ("413", 413),
    ("451", 451),
    ("InternalError", 500),
]


@pytest.mark.parametrize(("code", "status"), SERVICES)
def test_what_is_wrong_with_the_service_is_never_blamed_on_an_instance(
    bench: Bench, code: str, status: int
) -> None:
    bench.s3.before = lambda operation, _key: client_error(operation, code, status)
    send(bench, "1", "2")
    pass_time(bench, 300)
    assert (bench.manifests(), list(bench.spool.aside.iterdir())) == ([], [])
    assert rows(bench.journal, "SELECT DISTINCT state, problem FROM instance") == [
        {"state": "assigned", "problem": None}
    ]
    upload = channels.channels(bench.journal)[0]
    assert (upload.code, upload.waiting) == (code, 2)
    assert upload.failing_since is not None
    assert upload.tries > 1
    bench.s3.before = lambda _operation, _key: None
    bench.settle()
    assert announced(bench) == [("1", "2")]
    assert channels.channels(bench.journal)[0].failing_since is None


@pytest.mark.parametrize("code", ["EntityTooLarge", "KeyTooLongError"])
def test_what_names_the_object_is_announced_as_missing_and_the_channel_works(bench: Bench, code: str) -> None:
    bench.s3.before = lambda operation, key: (
        client_error(operation, code, 400) if key.endswith("/1.dcm") else None
    )
    send(bench, "1", "2")
    bench.settle()
    [manifest] = bench.manifests()
    assert announced(bench) == [("2",)]
    assert [m.reason for m in manifest.missing] == [f"refused by S3: {code}"]
    assert channels.channels(bench.journal)[0].failing_since is None


def test_a_success_without_a_checksum_is_a_failed_exchange_that_is_tried_again(bench: Bench) -> None:
    """A proxy's page with status 200."""
    answers: list[str | None] = [None, "", None]
    send(bench, "1")
    bench.s3.answer_checksum = lambda body: answers.pop(0) if answers else sha256(body)
    objects = bench.s3.objects
    bench.s3.after = lambda _operation, _key: objects.clear() if answers else None  # S3 never saw it
    bench.step()
    assert channels.channels(bench.journal)[0].code == "NoChecksum"
    assert rows(bench.journal, "SELECT state, problem FROM instance") == [
        {"state": "assigned", "problem": None}
    ]
    bench.settle()
    assert announced(bench) == [("1",)]
    assert bench.manifests()[0].missing == []


@pytest.mark.parametrize("composite", [None, ""])
def test_the_end_of_a_multipart_upload_is_believed_only_with_the_composite_of_its_parts(
    bench: Bench, composite: str | None
) -> None:
    send(bench, "1", pixels=LARGE)
    bench.s3.answer_composite = lambda _ours: composite
    taken = bench.s3.objects
    bench.s3.after = lambda operation, _key: taken.clear() if operation.startswith("Complete") else None
    pass_time(bench, 15)
    assert bench.counters().get("instances_uploaded", 0) == 0
    assert len(bench.stored()) == 1
    assert bench.bus.details() == []
    bench.s3.answer_composite = str
    bench.s3.after = lambda _operation, _key: None
    bench.settle()
    assert announced(bench) == [("1",)]


def test_another_composite_is_another_object(bench: Bench) -> None:
    send(bench, "1", pixels=LARGE)
    wrong = ["bm90IG91cnM=-3"]
    bench.s3.answer_composite = lambda ours: wrong.pop() if wrong else ours
    bench.step()
    [before] = bench.s3.objects
    bench.settle()
    assert bench.manifests()[0].instances[0].key != before
    assert noticed(bench) == ["transfer_redrawn"]


def test_a_lost_answer_to_the_end_of_a_multipart_upload_costs_no_second_sending(bench: Bench) -> None:
    bench.s3.readable = True
    send(bench, "1", pixels=LARGE)
    bench.s3.after = once(lost(), operation="CompleteMultipartUpload")
    bench.settle()
    assert announced(bench) == [("1",)]
    assert (operations(bench).count("UploadPart"), bench.s3.uploads) == (3, {})


def test_a_part_that_s3_has_with_another_checksum_is_sent_again(bench: Bench) -> None:
    send(bench, "1", pixels=LARGE)
    parts = iter(range(9))
    bench.s3.before = lambda operation, _key: lost() if operation == "UploadPart" and next(parts) else None
    bench.step()
    [upload] = bench.s3.uploads.values()
    assert sorted(upload) == [1]
    upload[1] = b"x" * len(upload[1])
    bench.s3.before = lambda _operation, _key: None
    bench.s3.calls.clear()
    bench.settle()
    assert operations(bench).count("UploadPart") == 3
    assert announced(bench) == [("1",)]


def test_where_s3_may_not_be_read_a_second_sending_leaves_no_upload_open(bench: Bench) -> None:
    send(bench, "1", pixels=LARGE)
    bench.s3.after = once(lost(), operation="CompleteMultipartUpload")
    bench.settle()
    assert announced(bench) == [("1",)]
    assert (noticed(bench), bench.s3.uploads) == ([], {})


# An object is there already


def occupy(bench: Bench) -> Any:
    """The first key that is put holds something else: a restored spool, a clone."""

    def before(operation: str, key: str) -> None:
        if operation == "PutObject" and not occupied:
            occupied.append(key)
            bench.s3.objects[key] = b"of another life"

    occupied: list[str] = []
    bench.s3.before = before
    return occupied


@pytest.mark.parametrize("readable", [True, False])
def test_an_object_that_no_attempt_has_sent_gives_the_series_another_transfer_id(
    bench: Bench, readable: bool
) -> None:
    bench.s3.readable = readable
    occupied = occupy(bench)
    send(bench, "1", "2", "3")
    bench.settle()
    [detail] = bench.bus.details()
    [manifest] = bench.manifests()
    assert announced(bench) == [("1", "2", "3")]
    assert detail["transfer_id"] not in occupied[0]
    assert bench.s3.objects[occupied[0]] == b"of another life"
    for found in manifest.instances:
        assert len(bench.s3.objects[found.key]) == found.bytes
    assert noticed(bench) == ["transfer_redrawn"]


def test_a_later_version_still_comes_after_a_series_that_was_given_another_transfer_id(bench: Bench) -> None:
    occupy(bench)
    send(bench, "1", content=1)
    bench.assembly.run_once()
    send(bench, "1", content=2)
    bench.settle()
    first, second = bench.manifests()
    assert second.transfer.after == [first.transfer.transfer_id]


def test_an_object_of_an_attempt_whose_answer_was_lost_is_ours(bench: Bench) -> None:
    send(bench, "1")
    bench.s3.after = once(lost(), lost())
    bench.assembly.run_once()
    before = transfer_ids(bench)
    bench.settle()
    assert (announced(bench), noticed(bench)) == ([("1",)], [])
    assert bench.bus.details()[0]["transfer_id"] == before[0]


def test_an_attempt_is_on_the_disk_before_its_first_byte(bench: Bench) -> None:
    states: list[str] = []
    bench.s3.before = lambda _operation, _key: states.append(
        str(bench.journal.in_transaction or rows(bench.journal, "SELECT state FROM instance")[0]["state"])
    )
    send(bench, "1")
    bench.step()
    assert states[0] == "sending"


def test_an_object_of_an_attempt_that_a_crash_cut_off_is_ours(bench: Bench) -> None:
    send(bench, "1")
    bench.assembly.run_once()
    before = transfer_ids(bench)
    pool = HeldPool()
    Uploader(bench.journal, bench.spool, bench.settings, bench.s3, pool, bench.clock.monotonic).run_once()
    pool.run(1)  # S3 has it, and nobody has heard so
    bench.crash()
    bench.settle()
    assert (announced(bench), noticed(bench)) == ([("1",)], [])
    assert bench.bus.details()[0]["transfer_id"] == before[0]


def test_an_object_with_another_checksum_is_not_ours_whatever_the_journal_says(bench: Bench) -> None:
    bench.s3.readable = True
    send(bench, "1")
    bench.s3.before = once(client_error("PutObject", "InternalError", 500))
    bench.step()
    [row] = rows(bench.journal, "SELECT unsure FROM instance")
    assert row["unsure"] == 1
    occupy(bench)
    bench.settle()
    assert noticed(bench) == ["transfer_redrawn"]


def test_a_definite_refusal_leaves_no_doubt(bench: Bench) -> None:
    send(bench, "1")
    bench.s3.before = lambda operation, _key: client_error(operation, "AccessDenied", 403)
    bench.step()
    assert rows(bench.journal, "SELECT unsure FROM instance") == [{"unsure": 0}]


def test_a_manifest_that_exists_already_gives_the_series_another_transfer_id(bench: Bench) -> None:
    """Its transfer was announced in another life of this spool."""
    send(bench, "1")

    def occupied(_operation: str, key: str) -> None:
        if key.startswith("manifests/") and not taken:
            taken.append(key)
            bench.s3.objects[key] = b"another manifest"

    taken: list[str] = []
    bench.s3.before = occupied
    bench.settle()
    [detail] = bench.bus.details()
    assert detail["manifest_key"] != taken[0]
    assert bench.manifests()[0].instances[0].key.split("/")[1] == detail["transfer_id"]
    assert bench.s3.objects[taken[0]] == b"another manifest"


def test_a_manifest_whose_answer_was_lost_is_ours(bench: Bench) -> None:
    send(bench, "1")
    bench.assembly.run_once()
    before = transfer_ids(bench)
    bench.s3.after = lambda _operation, key: (
        lost() if key.startswith("manifests/") and operations(bench).count("PutObject") < 4 else None
    )
    bench.settle()
    assert (transfer_ids(bench), noticed(bench)) == (before, [])


def test_a_manifest_of_an_attempt_that_a_crash_cut_off_is_ours(bench: Bench) -> None:
    send(bench, "1")
    bench.assembly.run_once()
    before = transfer_ids(bench)
    bench.s3.after = lambda _operation, key: Crash() if key.startswith("manifests/") else None
    with pytest.raises(Crash):
        bench.settle()
    bench.s3.after = lambda _operation, _key: None
    bench.crash()
    bench.settle()
    assert (announced(bench), transfer_ids(bench), noticed(bench)) == ([("1",)], before, [])


@pytest.mark.parametrize("first", [0, 1, 2])
def test_a_manifest_that_s3_has_is_not_put_again_while_the_bus_fails(bench: Bench, first: int) -> None:
    """PUT, HEAD and PutEvents in turn: where each third call fails, it was always PutEvents."""
    calls = itertools.count(first)
    send(bench, "1")
    bench.assembly.run_once()
    bench.uploader.run_once()

    def one_in_three(_operation: str, _key: str) -> Exception | None:
        return lost() if next(calls) % 3 == 0 else None

    bench.s3.before = bench.bus.before = one_in_three
    bench.settle(20)
    assert announced(bench) == [("1",)]


def test_a_manifest_with_another_checksum_in_the_answer_is_not_announced(bench: Bench) -> None:
    send(bench, "1")
    bench.step()
    bench.clock.now += 20
    wrong = ["bm90IG91cnM="]
    bench.s3.answer_checksum = lambda body: wrong.pop() if wrong and body[:2] == b"\x1f\x8b" else sha256(body)
    bench.step()
    assert (wrong, bench.bus.details()) == ([], [])
    bench.settle()
    assert announced(bench) == [("1",)]


def test_a_manifest_without_a_checksum_in_the_answer_is_put_again(bench: Bench) -> None:
    send(bench, "1")
    none: list[str | None] = [None]
    bench.s3.answer_checksum = lambda body: none.pop() if none and body[:2] == b"\x1f\x8b" else sha256(body)
    bench.settle()
    assert (announced(bench), noticed(bench)) == ([("1",)], [])


# In flight


def held(bench: Bench) -> tuple[Uploader, HeldPool]:
    pool = HeldPool()
    monotonic = bench.clock.monotonic
    return Uploader(bench.journal, bench.spool, bench.settings, bench.s3, pool, monotonic), pool


def test_a_series_is_not_announced_while_an_attempt_is_in_flight(bench: Bench) -> None:
    bench.s3.before = once(*[client_error("PutObject", "EntityTooLarge", 400)] * 2)
    send(bench, "1")
    bench.assembly.run_once()
    uploader, pool = held(bench)
    for _ in range(2):
        uploader.run_once()
        pool.run(1)
        uploader.run_once()
        bench.clock.now += 50
        bench.assembly.run_once()
    uploader.run_once()  # the third attempt is under way
    bench.clock.now += 200
    bench.announcer.run_once()
    assert rows(bench.journal, "SELECT state FROM instance") == [{"state": "sending"}]
    pool.run(1)
    uploader.run_once()
    bench.announcer.run_once()
    assert announced(bench) == [("1",)]
    assert bench.manifests()[0].missing == []
    assert bench.counters()["instances_missing"] == 0 if "instances_missing" in bench.counters() else True


def test_a_result_that_comes_after_its_transfer_was_given_up_changes_nothing(bench: Bench) -> None:
    send(bench, "1")
    bench.assembly.run_once()
    uploader, pool = held(bench)
    uploader.run_once()
    [old] = transfer_ids(bench)
    with transaction(bench.journal) as journal:
        assert instances.redraw(journal, 1_800_000_000, old) is not None
        assert instances.redraw(journal, 1_800_000_000, old) is None
    pool.run(1)
    uploader.run_once()
    assert rows(bench.journal, "SELECT state FROM instance") != [{"state": "uploaded"}]
    pool.run(1)
    uploader.run_once()
    bench.clock.now += 20
    bench.assembly.run_once()
    bench.announcer.run_once()
    assert bench.manifests()[0].instances[0].key.split("/")[1] == transfer_ids(bench)[0] != old


def test_what_s3_said_of_an_old_key_says_nothing_of_the_new_one(bench: Bench) -> None:
    send(bench, "1")
    bench.assembly.run_once()
    with transaction(bench.journal) as journal:
        [old] = instances.claim(journal, instances.to_send(journal, 1, bulk=False))
        instances.redraw(journal, old.sequence, old.transfer_id)
        [new] = instances.claim(journal, instances.to_send(journal, 1, bulk=False))
        assert not instances.uploaded(journal, old)
        assert instances.uploaded(journal, new)


def test_an_attempt_that_begins_while_a_series_is_built_stops_the_building(bench: Bench) -> None:
    bench.s3.before = lambda operation, _key: client_error(operation, "EntityTooLarge", 400)
    send(bench, "1")
    bench.step()
    bench.clock.now += 20
    bench.assembly.run_once()
    uploader, _pool = held(bench)
    [row] = rows(bench.journal, "SELECT sequence, stuck FROM series_transfer WHERE sealed_at NOT NULL")
    assert row["stuck"] == 1
    uploader.run_once()
    bench.announcer._build_one(row["sequence"])
    assert rows(bench.journal, "SELECT 1 FROM outbox") == []
    assert rows(bench.journal, "SELECT state FROM instance") == [{"state": "sending"}]


def test_what_was_claimed_and_not_begun_is_handed_back_when_the_service_fails(bench: Bench) -> None:
    bench.s3.before = lambda _operation, _key: unreachable()
    send(bench, *"12345")
    bench.assembly.run_once()
    uploader, pool = held(bench)
    uploader.run_once()
    assert len(rows(bench.journal, "SELECT 1 FROM instance WHERE state = 'sending'")) == 5
    pool.run(2)
    uploader.run_once()
    assert rows(bench.journal, "SELECT DISTINCT state FROM instance") == [{"state": "assigned"}]


def test_an_instance_that_was_announced_as_missing_is_not_remembered_as_failing(bench: Bench) -> None:
    bench.s3.before = lambda operation, key: (
        client_error(operation, "EntityTooLarge", 400) if key.endswith("/1.dcm") else None
    )
    send(bench, "1")
    bench.settle()
    send(bench, "2")
    bench.clock.now += FORGET_SECONDS
    bench.settle()
    assert bench.uploader.failing() == 0


def test_put_events_without_entries_is_a_failed_announcement(bench: Bench) -> None:
    send(bench, "1")
    pages: list[dict[str, Any]] = [{}, {"Entries": []}]
    put_events = bench.bus.put_events
    bench.bus.put_events = lambda **request: pages.pop() if pages else put_events(**request)  # type: ignore[method-assign]
    pass_time(bench, 15)
    assert channels.channels(bench.journal)[1].code == "NoEntries"
    bench.settle()
    assert (announced(bench), pages) == ([("1",)], [])
    assert channels.channels(bench.journal)[1].failing_since is None
