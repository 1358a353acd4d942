"""Copies of refused instances: each under a name of its own, all of them within a bound."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from edge_component.receiving.store import Store, StoreCommand
from edge_component.records.rows import AssociationRow
from edge_component.spool import quarantine
from edge_component.spool.folder import Spool
from edge_component.spool.quarantine import MOST_FILES, Quarantine
from tests.support.edge.dicom import encoded, instance
from tests.support.edge.stand_ins import settings

SENDER = AssociationRow("a1", "SENDER", "EDGE", "127.0.0.1", 0.0)


class Roomy:
    """A disk without end, a journal without rows."""

    def refusal(self, *, bulk: bool) -> None: ...

    def refusal_now(self, *, bulk: bool) -> None: ...

    def answer_after(self, *, bulk: bool) -> float:
        return float(bulk)

    def ready(self) -> None: ...

    def seal(self, segment: str, records: int) -> None:
        raise AssertionError((segment, records))

    def add_instance(self, *row: object) -> None:
        raise AssertionError(row)

    def refused(self, code: int, calling_ae: str = "", reason: str = "") -> None: ...


def store_at(root: Path, most_bytes: int | None = None) -> Store:
    spool = Spool(root, spares=1)
    spool.prepare()
    spool.refused.most_bytes = most_bytes
    return Store(spool, Roomy(), Roomy())


def refuse(store: Store, ds: Dataset) -> None:
    """Its command names another instance."""
    reception = store.begin(SENDER, StoreCommand(str(ds.SOPClassUID), "1.2.3", "1.2.840.10008.1.2.1"))
    reception.write(encoded(ds))
    assert reception.finish().code == 0xA900
    reception.settle()


def copies(store: Store) -> list[Path]:
    return sorted(store.spool.quarantine.glob("*.dcm"))


def test_every_refused_instance_has_a_copy_of_its_own(tmp_path: Path) -> None:
    """A refused place in a segment is used again."""
    store, datasets = store_at(tmp_path), [instance() for _ in range(5)]
    for ds in datasets:
        refuse(store, ds)
    assert len(copies(store)) == 5
    found = b"".join(path.read_bytes() for path in copies(store))
    assert all(str(ds.SOPInstanceUID).encode() in found for ds in datasets)
    assert all(path.with_suffix(".json").exists() for path in copies(store))


def test_a_sender_that_repeats_a_bad_instance_fills_no_disk(tmp_path: Path) -> None:
    most = settings(tmp_path, quarantine_max_bytes=200_000).quarantine_max_bytes
    store = store_at(tmp_path, most)
    for number in range(60):
        refuse(store, instance(pixels=8192))
        for path in copies(store):  # the order of their names says nothing of their age
            if path.stat().st_mtime > 2_000_000_000 or path.stat().st_mtime < 1_000_000_000:
                continue
            os.utime(path, (number, number))
        assert sum(path.stat().st_size for path in copies(store)) <= 200_000
    ages = [path.stat().st_mtime for path in copies(store)]
    assert len(ages) > 10
    assert min(ages) >= 60 - len(ages) - 1
    assert len(list(store.spool.quarantine.iterdir())) == 2 * len(ages)


def test_what_would_take_most_of_it_is_not_copied(tmp_path: Path) -> None:
    store = store_at(tmp_path, 20_000)
    refuse(store, instance(pixels=8192))
    assert copies(store) == []


def test_the_number_of_files_has_a_bound_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MOST_FILES", 32)
    store = store_at(tmp_path, 2**40)
    for _ in range(50):
        refuse(store, instance())
    assert len(copies(store)) <= 33


def test_without_a_setting_it_is_a_hundredth_of_the_disk(tmp_path: Path) -> None:
    total = os.statvfs(tmp_path).f_frsize * os.statvfs(tmp_path).f_blocks
    assert Quarantine(tmp_path).bound == total // 100
    assert MOST_FILES == 10_000
