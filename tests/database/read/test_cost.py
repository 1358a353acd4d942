"""Money from measured counts, on real PostgreSQL: per month, edge and sender, with prices that can be set."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from dicom_ingest.db.server.connection import Database
from dicom_ingest.operators.cost import (
    PRICES,
    TRANSITIONS,
    TRANSITIONS_A_POLL,
    UnknownPriceError,
    costs,
    least_bytes,
    with_changes,
)
from dicom_ingest.operators.read.state.usage import usage
from statemachines.history import ordinary
from tests.support.workflow.series import Announced, new_uid
from tests.support.workflow.workers import index_series

GB = 1_000_000_000


def used(database: Database) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        return usage(connection, least_bytes(with_changes({})))


def row(month: str, **more: Any) -> dict[str, Any]:
    """A month of one sender."""
    nothing = {
        "month": month, "edge": "edge", "calling_ae": "CT1", "series": 0, "instances": 0, "stored_bytes": 0,
        "imported": 0, "imported_bytes": 0, "imports": 0, "import_seconds": 0.0, "executions": 0,
        "shared_imports": 0, "shared_import_seconds": 0.0,
    }  # fmt: skip
    return {**nothing, **more}


def test_what_was_used_is_summed_up_per_month_edge_and_sender(database: Database) -> None:
    december = datetime(2026, 12, 1, 8, tzinfo=timezone.utc)
    for announced in (
        Announced(calling_ae="CT2"),
        Announced(calling_ae="CT2", sop_instance_uids=(new_uid(),)),
        Announced(calling_ae="CT2", received_at=december),
        Announced(calling_ae="MR1", edge="dicom-ingest-edge2"),
    ):
        index_series(database, announced)
    found = used(database)
    assert [(r["month"], r["edge"][-5:], r["calling_ae"], r["series"], r["instances"]) for r in found] == [
        ("2026-11", "edge1", "CT2", 2, 3),
        ("2026-11", "edge2", "MR1", 1, 2),
        ("2026-12", "edge1", "CT2", 1, 2),
    ]
    assert all(r["imports"] == r["imported_bytes"] == 0 for r in found), "nothing was imported yet"


def test_an_import_is_counted_once_and_its_images_as_5_mb_at_least(database: Database) -> None:
    announced = Announced()
    index_series(database, announced)
    with database.transaction() as connection:
        connection.run(
            "INSERT INTO semaphore (datastore_id, capacity, start_rate, start_burst) VALUES ('d', 1, 1, 1)"
        )
        connection.run("UPDATE series_transfer SET imported = 2")
        connection.run(
            """INSERT INTO ahlijob (datastore_id, series_transfer_pk, transfer_id, series_instance_uid,
                   priority, owner_execution, fence, state, outcome, import_id, running_at, import_over_at,
                   over_at, earlier_imports)
               SELECT 'd', pk, transfer_id, series_instance_uid, 0, 'x', 1, 'DONE', 'COMPLETED', 'i', now(),
                   now() + interval '90 seconds', now(), '[{"import_id": "h"}]' FROM series_transfer"""
        )
    [found] = used(database)
    assert (found["imports"], found["imported"], found["imported_bytes"]) == (2, 2, 5_000_000)
    assert found["import_seconds"] == pytest.approx(90)


def test_storage_is_paid_every_month_and_requests_once() -> None:
    prices = with_changes(
        {"s3_gb_month": 1, "s3_put": 0.001, "s3_get": 0, "healthimaging_archive_gb_month": 0}
    )
    months = [
        row("2026-11", series=1, instances=9, stored_bytes=10 * GB, executions=1),
        row("2027-01", series=1, instances=9, stored_bytes=10 * GB, executions=1),
    ]
    found = costs(months, prices)
    assert [each["month"] for each in found] == ["2026-11", "2026-12", "2027-01"]
    assert [each["s3_storage"] for each in found] == [5, 10, 15]
    assert [each["s3_requests"] for each in found] == pytest.approx([0.011, 0, 0.011])


def test_images_move_to_the_archive_after_30_days() -> None:
    changes = {"healthimaging_frequent_gb_month": 100, "healthimaging_archive_gb_month": 1}
    months = [row("2026-01", imported_bytes=GB), row("2026-03")]
    found = [each["healthimaging_storage"] for each in costs(months, with_changes(changes))]
    assert found == [50, 50.5, 1]
    read_on = costs(months, with_changes({**changes, "frequent_share": 1}))
    assert [each["healthimaging_storage"] for each in read_on] == [50, 100, 100]


def test_transitions_are_those_of_the_state_machine() -> None:
    for polls in (1, 2, 7):
        assert ordinary(polls).transitions == TRANSITIONS + polls * TRANSITIONS_A_POLL


def test_a_long_import_is_looked_at_more_often_and_costs_more() -> None:
    short, long = (
        costs([row("2026-11", executions=1, imports=1, import_seconds=seconds)], with_changes({}))[0]
        for seconds in (5.0, 600.0)
    )
    assert long["transitions"] > short["transitions"]
    assert long["dollars"] > short["dollars"]


def test_series_that_share_an_import_share_its_looks() -> None:
    alone = costs([row("2026-11", executions=45, imports=45, import_seconds=45 * 60.0)], with_changes({}))[0]
    shared = row("2026-11", executions=45, imports=1, shared_imports=1, shared_import_seconds=454.0)
    assert costs([shared], with_changes({}))[0]["transitions"] < 0.7 * alone["transitions"]


def test_every_price_has_its_page_and_day_and_makes_a_difference() -> None:
    everything = row(
        "2026-11", series=1, instances=9, stored_bytes=GB, imported=9, imported_bytes=GB, imports=1,
        import_seconds=9.0, executions=1,
    )  # fmt: skip
    months = [everything, row("2026-12"), row("2027-01")]

    def dollars(changes: dict[str, float]) -> float:
        prices = with_changes(changes)
        return float(sum(each["dollars"] for each in costs(months, prices))) + least_bytes(prices)

    for name, price in PRICES.items():
        assert price.source
        assert price.seen.startswith("2026-")
        assert dollars({name: price.value * 1000 + 0.5}) != dollars({}), name
    with pytest.raises(UnknownPriceError, match="s3_gb_mont is not a price; there is s3_gb_month"):
        with_changes({"s3_gb_mont": 1})
