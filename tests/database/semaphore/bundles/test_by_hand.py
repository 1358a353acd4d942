"""What people do while series share an import: replays, reindexing, cancelling, another data store."""

from __future__ import annotations

from typing import Any, cast

import pytest

from console.pages.sharing import import_of
from console.pages.sharing import members as members_of
from console.pages.study import study as study_page
from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.series import shares
from dicom_ingest.db.series.shares import Uneven
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.operators.read.series.places import places
from dicom_ingest.operators.read.series.shared import members, shared, starts
from dicom_ingest.operators.read.series.timeline import timeline
from dicom_ingest.operators.read.state.usage import usage
from dicom_ingest.upkeep import audit
from tests.database.conftest import DATASTORE
from tests.support.workflow.bundles import (
    bundle,
    capacity,
    end,
    finish,
    held,
    lines,
    open_,
    outcomes,
    queue_up,
    redo,
    tickets,
    transfer,
)
from tests.support.workflow.series import BUCKET, STACK, Announced
from tests.support.workflow.steps import Run, Steps

ANOTHER = "e" * 32


def end_well(flow: Steps, runs: list[Run]) -> None:
    """Their import ends, and each goes its way."""
    end(flow, runs)
    runs[0].check()
    assert runs[0].record()["name"] == "COMPLETED"
    runs[0].release()
    assert [finish(run)["name"] for run in runs[1:]] == ["COMPLETED"] * (len(runs) - 1)


def cancel(flow: Steps, runs: list[Run], number: int) -> None:
    pk = tickets(flow, runs)[number]["pk"]
    with flow.world.database.transaction() as connection:
        assert queue.cancel(connection, pk, "not wanted") == [pk]


@pytest.mark.parametrize("number", [0, 1], ids=["leader", "member"])
def test_reindexing_a_series_leaves_the_import_that_it_shares_alone(flow: Steps, number: int) -> None:
    runs = bundle(flow)
    runs[0].start()
    again = flow.announce(runs[number].announced, **{"replay-name": "reindex-a"})
    assert again.index_series()["outcome"]["name"] == "INDEXED"
    end_well(flow, runs)
    later = flow.announce(runs[number].announced, **{"replay-name": "reindex-b"})
    assert later.index_series()["outcome"]["name"] == "INDEXED"
    assert outcomes(runs) == ["COMPLETED"] * 3
    assert len(flow.world.imaging.jobs) == 1


@pytest.mark.parametrize("number", [0, 1], ids=["leader", "member"])
@pytest.mark.parametrize("replay", [None, "force-a"])
def test_a_series_that_shares_an_import_is_not_imported_beside_it(
    flow: Steps, number: int, replay: str | None
) -> None:
    runs = bundle(flow)
    runs[0].start()
    again = flow.announce(runs[number].announced, **({"replay-name": replay} if replay else {}))
    state = again.index_series()
    if replay:
        assert state["wait_seconds"] > 0, "it waits for the owner"
    else:
        assert state["outcome"]["name"] == "IN_PROGRESS_ELSEWHERE"
    end_well(flow, runs)
    assert len(flow.world.imaging.jobs) == 1


def test_reprocessing_the_series_that_failed_in_a_shared_import_imports_it_alone(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    end(flow, runs, imported=4, success=lines([runs[0], runs[2]]))
    runs[0].check()
    runs[0].record()
    runs[0].release()
    for run in runs[1:]:
        finish(run)
    assert outcomes(runs) == ["COMPLETED", "FAILED", "COMPLETED"]
    assert flow.announce(runs[1].announced).ingest()["name"] == "COMPLETED"
    assert [flow.announce(run.announced).ingest()["name"] for run in runs[::2]] == ["DUPLICATE"] * 2
    assert len(flow.world.imaging.jobs) == 2


def test_cancelling_the_leader_before_the_start_dissolves_the_bundle(flow: Steps) -> None:
    runs = bundle(flow)
    cancel(flow, runs, 0)
    with pytest.raises(Exception, match="ticket"):
        runs[0].start()
    runs[0].fail("SlotLostError")
    runs[0].release()
    redo(flow, runs[1:])
    assert outcomes(runs) == ["FAILED", "COMPLETED", "COMPLETED"]


@pytest.mark.parametrize("number", [0, 1])
def test_when_a_series_is_cancelled_that_still_waits_the_others_go_one_by_one(
    flow: Steps, number: int
) -> None:
    runs = queue_up(flow, transfer(3))
    cancel(flow, runs, number)
    cancelled = runs.pop(number)
    cancelled.fail("TicketCancelled")
    cancelled.release()
    open_(flow)
    redo(flow, runs)
    assert outcomes(runs) == ["COMPLETED"] * 2


def replace_data_store(flow: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    flow.rows(
        "INSERT INTO semaphore (datastore_id, capacity, start_rate, start_burst, bundles) "
        "VALUES (:id, 9, 99, 99, true)",
        id=ANOTHER,
    )
    monkeypatch.setenv("DATASTORE_ID", ANOTHER)


def test_an_import_that_series_share_ends_in_the_data_store_in_which_it_was_started(
    flow: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = bundle(flow)
    runs[0].start()
    replace_data_store(flow, monkeypatch)
    end_well(flow, runs)
    assert {t["datastore_id"] for t in tickets(flow, runs)} == {DATASTORE}
    assert len(flow.world.imaging.jobs) == 1


def test_a_transfer_that_is_moved_to_the_new_data_store_shares_an_import_there(
    flow: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = queue_up(flow, transfer(3))
    replace_data_store(flow, monkeypatch)
    with flow.world.database.transaction() as connection:
        assert len(queue.move(connection, None)) == 3
    flow.announce(Announced()).release()
    assert [run.told() for run in runs] == [True, False, False]
    assert runs[0].start()["status"] == "SUBMITTED"
    end_well(flow, runs)
    assert len(flow.world.imaging.jobs) == 1


def test_while_granting_is_paused_no_bundle_is_granted(flow: Steps) -> None:
    runs = queue_up(flow, transfer(3))
    with flow.world.database.transaction() as connection:
        queue.set_paused(connection, DATASTORE, paused=True)
    open_(flow)
    assert not any(run.told() for run in runs)
    with flow.world.database.transaction() as connection:
        queue.set_paused(connection, DATASTORE, paused=False)
    flow.announce(Announced()).release()
    assert (runs[0].told(), held(flow)) == (True, 1)


def study(connection: Connection, study_instance_uid: str) -> list[Any]:
    """The parts of its page."""
    return list(study_page(connection, study_instance_uid, [], None).parts)


# --- what operators see ------------------------------------------------------------------------------------


def test_lists_and_pages_say_whose_import_a_series_shares(flow: Steps) -> None:
    runs = bundle(flow)
    alone = flow.announce(Announced())
    capacity(flow, 5)
    alone.ingest()
    for _ in range(2):  # while they share it, and when it has ended
        leader = runs[0].announced.series_instance_uid
        with flow.world.database.transaction() as connection:
            rows = {row["series_instance_uid"]: row for row in places(connection)}
            said = [rows[r.announced.series_instance_uid][name] for r in runs for name in
                    ("shared_by", "led_by_series")]  # fmt: skip
            assert said == [3, None, None, leader, None, leader]
            own = rows[alone.announced.series_instance_uid]
            assert (own["shared_by"], own["led_by_series"]) == (None, None)
            found = timeline(connection, rows[runs[1].announced.series_instance_uid]["pk"])
            shown = "".join(str(each) for each in study(connection, runs[0].announced.study_instance_uid))
        assert found is not None
        assert [row["series_instance_uid"] for row in found.shares] == [
            run.announced.series_instance_uid for run in runs
        ]
        assert (shown.count("shared by 3 series"), shown.count("shared: see its leader")) == (1, 2)
        assert f'href="/?q={runs[0].announced.transfer_id}"' in shown
        page = f"{import_of(found)}{members_of(found)}"
        for run in runs:
            assert f"/series/{run.announced.transfer_id}/{run.announced.series_instance_uid}" in page
        assert "Series that share its import (3)" in page
        if "import" not in runs[0].state:
            assert "not started" in page
            runs[0].start()
            end_well(flow, runs)


def test_the_ledger_says_how_many_series_an_import_took_and_which(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    end(flow, runs, "FAILED")
    runs[0].check()
    runs[0].start()
    redo(flow, runs)  # one import that failed, and one for each
    others = bundle(flow, 2)
    others[0].start()
    end_well(flow, others)
    with flow.world.database.transaction() as connection:
        (row,) = starts(connection)
        (one,) = shared(connection)
        listed = members(connection, one["bundle"], 10)
        (used,) = usage(connection, 0)
    assert (row["imports_started"], row["series_imported"], row["series_that_shared"]) == (5, 5, 5)
    assert (used["imports"], used["shared_imports"], used["imported"]) == (5, 1, 10)
    assert row["series_per_start"] == 1.0
    assert (one["series"], one["series_over"]) == (2, 2)
    assert one["instances"] == one["scanned"] == one["imported"] == 4
    assert one["led_by_series"] == others[0].announced.series_instance_uid
    assert [each["leads"] for each in listed] == [True, False]


def uneven(flow: Steps, runs: list[Run]) -> list[Uneven]:
    with flow.world.database.transaction() as connection:
        return shares.uneven(connection, runs[0].announced.edge, 1)


def test_a_shared_import_that_was_divided_rightly_is_no_finding(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    assert uneven(flow, runs) == [], "it has not ended"
    end_well(flow, runs)
    assert uneven(flow, runs) == []


def test_instances_of_an_import_that_no_series_explains_are_found(flow: Steps) -> None:
    runs = bundle(flow)
    runs[0].start()
    end(flow, runs, imported=9)
    runs[0].check()
    runs[0].record()
    runs[0].release()
    for run in runs[1:]:
        finish(run)
    (found,) = uneven(flow, runs)
    assert "scanned 9 and imported 9; by the lines of its series these are 6 and 6" in found.words()
    said = audit.compare(flow.world.database, cast("Any", flow.world.s3), BUCKET, STACK, days=1)
    (finding,) = [each for each in said.findings if each.kind == "shared_import_uneven"]
    (job,) = flow.world.imaging.jobs
    assert (finding.command, finding.detail) == (f"where {job}", found.words())


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE series_transfer SET scanned = 1 WHERE pk = :member", "1 are COMPLETED with other counts"),
        ("UPDATE ahliimageset SET image_set_id = 'one' WHERE series_transfer_pk > 0", "1 image sets belong"),
        ("UPDATE ahlijob SET import_id = 'x' WHERE series_transfer_pk = :member", "they name 2 imports"),
        ("UPDATE ahlijob SET leads = true WHERE series_transfer_pk = :member", "2 of them lead it"),
        (
            "UPDATE ahlijob SET bundle = NULL WHERE series_transfer_pk = :member",
            "transfer has 3 series",
        ),
    ],
)
def test_a_shared_import_that_does_not_add_up_is_found(flow: Steps, damage: str, words: str) -> None:
    runs = bundle(flow)
    runs[0].start()
    end_well(flow, runs)
    flow.rows(damage, **({"member": runs[1].row()["pk"]} if ":member" in damage else {}))
    (found,) = uneven(flow, runs)
    assert words in found.words()
