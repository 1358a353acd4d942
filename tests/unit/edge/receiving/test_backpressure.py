"""Where the spool fills, `bulk` senders give way first, in steps; live ones are refused last."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from edge_component.dimse.admission import CONGESTED, CONGESTED_BULK, Applicant
from edge_component.dimse.codec import Identity
from edge_component.dimse.limits import Limits
from edge_component.receiving.associations import Associations
from edge_component.receiving.pressure import Pressure, Pressures
from edge_component.receiving.readers.connection import Connection
from edge_component.receiving.readers.interfaces import Services
from edge_component.receiving.readers.messages import Admission
from edge_component.receiving.readers.pace import Memory, Pace
from edge_component.receiving.store import Store
from edge_component.receiving.watermark import FULL, KEPT_FREE, Disk, Watermark, room_for
from edge_component.records.rows import AssociationRow, InstanceRow
from edge_component.settings import SettingsError, load_settings
from edge_component.spool.folder import Spool
from tests.support.edge.dicom import encoded, instance
from tests.support.edge.network.wire import EXPLICIT, associate_rq, fragment, store_command
from tests.support.edge.stand_ins import settings
from tests.unit.edge.receiving.test_associations import Journal
from tests.unit.edge.receiving.test_connection import ROW, pair
from tests.unit.edge.receiving.test_connection import Desk as ConnectionDesk
from tests.unit.edge.receiving.test_store import Journal as StoreJournal
from tests.unit.edge.running.test_settings import LEAST

STEPS: dict[str, Any] = {
    "watermark_bulk_slow_percent": 50,
    "watermark_bulk_refuse_percent": 70,
    "bulk_slow_down_seconds": 4,
}
BULK = [{"calling_ae": "OLD", "priority": "bulk"}]


def watermark(root: Path, percent: float, **changes: Any) -> Watermark:
    given = settings(root, disk_reserve_bytes=0, slow_down_seconds=0.25, **changes)
    found = Watermark(given, lambda: 0, lambda _path: Disk(1000, round(1000 - 10 * percent)))
    found.measure()
    return found


@pytest.mark.parametrize(
    ("percent", "live", "bulk", "step"),
    [
        (49, Pressure(), Pressure(), "normal"),
        (50, Pressure(), Pressure(answer=0.4), "slow"),
        (60, Pressure(), Pressure(answer=2.0), "slow"),
        (69.9, Pressure(), Pressure(answer=3.98), "slow"),
        (70, Pressure(), Pressure(KEPT_FREE), "refuse"),
        (91, Pressure(before=0.25), Pressure(KEPT_FREE, before=0.25), "refuse"),
        (96, Pressure(FULL), Pressure(FULL), "normal"),  # what is done to all
    ],
)
def test_bulk_senders_wait_longer_the_fuller_it_is_and_are_refused_before_live_ones(
    tmp_path: Path, percent: float, live: Pressure, bulk: Pressure, step: str
) -> None:
    found = watermark(tmp_path, percent, **STEPS)
    assert (found.pressures, found.bulk_step) == (Pressures(live, bulk), step)


@pytest.mark.parametrize("percent", [10, 85, 92, 99])
def test_by_default_all_senders_are_alike(tmp_path: Path, percent: float) -> None:
    found = watermark(tmp_path, percent)
    assert (found.pressures.bulk, found.bulk_step) == (found.pressures.live, "normal")


def test_slow_answers_alone_rise_up_to_the_mark_where_all_are_refused(tmp_path: Path) -> None:
    found = watermark(tmp_path, 94, watermark_bulk_slow_percent=50, bulk_slow_down_seconds=4)
    assert found.pressures.bulk == Pressure(before=0.25, answer=3.911)


@pytest.mark.parametrize(
    ("changes", "free", "held", "room"),
    [
        ({}, 500, 0, 450),  # refused at 95 %
        ({"disk_reserve_bytes": 200}, 500, 0, 300),
        ({"spool_max_bytes": 100}, 500, 60, 35),
        ({"spool_max_bytes": 100}, 500, 99, 0),
    ],
)
def test_the_room_ends_where_instances_are_refused(
    tmp_path: Path, changes: dict[str, Any], free: int, held: int, room: int
) -> None:
    given = settings(tmp_path, **{"disk_reserve_bytes": 0, **changes})
    assert room_for(given, Disk(1000, free), held) == room


SLOW, REFUSE = "EDGE_WATERMARK_BULK_SLOW_PERCENT", "EDGE_WATERMARK_BULK_REFUSE_PERCENT"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({SLOW: "80", REFUSE: "70"}, "not 80, 70, 95"),
        ({REFUSE: "96"}, "not 96, 95"),
        ({"EDGE_BULK_SLOW_DOWN_SECONDS": "11"}, "EDGE_BULK_SLOW_DOWN_SECONDS: Input should be less than or"),
        ({SLOW: "80", "EDGE_NETWORK_TIMEOUT": "8"}, "must be below half of network_timeout, not 5"),
    ],
)
def test_steps_that_cannot_be_are_named(changes: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings({**LEAST, **changes})
    assert said in str(error.value)


def test_a_new_association_of_a_bulk_sender_is_rejected_for_now_and_a_live_one_is_welcome(
    tmp_path: Path,
) -> None:
    associations = Associations(settings(tmp_path, senders=BULK), Journal(), sleep=lambda _seconds: None)
    associations.congested_bulk = CONGESTED_BULK

    def admit(calling_ae: str) -> object:
        visitor = associations.arrived("192.0.2.1")
        assert visitor is not None
        found = associations.admit(visitor.number, Applicant(visitor.peer, calling_ae, "EDGE"))
        return found.bulk if isinstance(found, Admission) else found

    assert admit("OLD") is CONGESTED_BULK
    assert admit("CT1") is False
    assert dict(associations.bulk_rejected) == {"OLD": 1}
    assert associations.rejections == {CONGESTED_BULK.reason: 1}
    assert (CONGESTED_BULK.result, CONGESTED_BULK.source) == (2, 3)  # transient (PS3.8 Table 9-21)
    associations.congested = CONGESTED
    assert (admit("OLD"), admit("CT1")) == (CONGESTED, CONGESTED)
    associations.congested = associations.congested_bulk = None
    assert (admit("OLD"), admit("CT1")) == (True, False)


class Rows(StoreJournal):
    """What is in the journal."""

    def add_instance(self, _sender: AssociationRow, row: InstanceRow, /) -> None:
        self.rows.append(row)


class BulkDesk(ConnectionDesk):
    """Everyone is welcome, and can wait."""

    def admit(self, _applicant: object) -> Admission:
        return Admission(ROW, bulk=True)


def test_an_instance_whose_answer_waits_is_in_the_journal_before_and_can_be_sent(tmp_path: Path) -> None:
    journal = Rows()
    spool = Spool(tmp_path)
    spool.prepare()
    during: list[int] = []
    room = watermark(tmp_path, 60, **STEPS)
    services = Services(
        *(Store(spool, journal, room), Limits(), Identity("1.2.3", "TEST"), lambda: None),
        *(Pace(), Memory(), lambda _seconds: during.append(len(journal.rows))),
    )
    ours, theirs = pair()
    ds = instance("1.2", "1.2.1")
    theirs.sendall(
        associate_rq([(1, ds.SOPClassUID, [EXPLICIT])])
        + fragment(1, store_command(ds.SOPClassUID, ds.SOPInstanceUID), command=True, last=True)
        + fragment(1, encoded(ds), command=False, last=True)
    )
    theirs.shutdown(socket.SHUT_WR)
    Connection(ours, "127.0.0.1", services, BulkDesk()).run(tls=False)
    theirs.close()
    assert during == [1]
