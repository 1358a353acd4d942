"""Many small instances: zeros lie ahead of them in their segment, and are never taken for anything else."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from edge_component.records.receipt import ALIGNMENT, aligned
from edge_component.spool.segments import MANY, ROOM, SMALL_BYTES
from tests.support.edge.disk import PowerCut, RecordingFiles
from tests.unit.edge.keeping.test_segments import begin, found_at_start, story
from tests.unit.edge.receiving.test_store import Journal, in_spool, receive, store_at

BUSY = [("store", 256)] * (MANY + 1)
"""The last one writes zeros behind itself."""


def file_of(files: dict[str, bytes]) -> tuple[str, bytes]:
    [found] = [(name, content) for name, content in files.items() if content]
    return found


def test_the_next_instances_take_the_place_of_zeros(tmp_path: Path) -> None:
    disk, journal = RecordingFiles(), Journal()
    store = store_at(tmp_path, journal, disk)
    sizes = []
    for number in range(MANY + 20):
        assert receive(*begin(store, f"1.{number}", 256)).stored
        sizes.append(len(file_of(disk.after_a_kill())[1]))
    assert len(set(sizes[MANY:])) == 1
    assert sizes[MANY] - sizes[MANY - 1] > len(ROOM)
    assert [name for name in disk.operations if "sync" in name] == ["sync_folder", *["sync"] * (MANY + 20)]
    assert len(in_spool(store.spool)) == MANY + 20


def test_there_is_room_again_when_it_is_used_up(tmp_path: Path) -> None:
    disk, journal = RecordingFiles(), Journal()
    store = store_at(tmp_path, journal, disk)
    sizes = []
    for number in range(MANY + 40):
        assert receive(*begin(store, f"1.{number}", 32 * 1024)).stored
        sizes.append(len(file_of(disk.after_a_kill())[1]))
    grown = [number for number, size in enumerate(sizes) if size not in sizes[:number]]
    assert len(grown) < MANY + 5
    assert len(in_spool(store.spool)) == MANY + 40


@pytest.mark.parametrize(("more", "room"), [(MANY, False), (MANY + 1, True)])
def test_there_is_room_again_many_instances_after_one_that_was_cut_off(
    tmp_path: Path, more: int, *, room: bool
) -> None:
    """Where every second one is cut off, zeros would be written behind every other."""
    disk = RecordingFiles()
    story(store_at(tmp_path, Journal(), disk), [*BUSY, ("abandon", 256), *[("store", 256)] * more], [])
    _, content = file_of(disk.after_a_kill())
    assert content.endswith(ROOM) == room


def test_room_is_no_cut_off_reception(tmp_path: Path) -> None:
    disk = RecordingFiles()
    story(store_at(tmp_path, Journal(), disk), BUSY, [])
    assert len(found_at_start(tmp_path / "start", disk.after_a_kill())) == len(BUSY)
    assert list((tmp_path / "start" / "quarantine").iterdir()) == []


@pytest.mark.parametrize(
    ("before", "pixels"), [(MANY - 1, 256), (MANY, 2 * SMALL_BYTES)], ids=["few", "large"]
)
def test_neither_a_few_instances_nor_a_large_one_have_zeros_behind_them(
    tmp_path: Path, before: int, pixels: int
) -> None:
    disk, journal = RecordingFiles(), Journal()
    store = store_at(tmp_path, journal, disk)
    story(store, [*[("store", 256)] * before, ("store", pixels)], [])
    _, content = file_of(disk.after_a_kill())
    [*_, last] = store.spool.records(store.spool.segment_names()[0])
    assert len(content) == last.end


@pytest.mark.parametrize("idle", [False, True])
def test_no_room_is_left_in_a_segment_that_is_sealed(tmp_path: Path, *, idle: bool) -> None:
    store = store_at(tmp_path, Journal())
    story(store, BUSY, [])
    if idle:
        store.spool.segments.seal_idle(0.0)
    else:
        store.spool.close()
    [segment] = store.spool.segment_names()
    [*_, last] = store.spool.records(segment)
    assert store.spool.segment(segment).stat().st_size == aligned(last.end)


@pytest.mark.parametrize("then", ["store", "abandon", "refuse"])
def test_a_power_cut_or_a_kill_at_any_operation_in_the_room_loses_nothing(tmp_path: Path, then: str) -> None:
    steps = [*BUSY, ("store", 3072), (then, 9216), ("store", 300_000), (then, 256), ("store", 256)]
    whole = RecordingFiles()
    story(store_at(tmp_path / "whole", Journal(), whole), BUSY, [])
    first = len(whole.operations) - 1
    story(store_at(tmp_path / "more", Journal(), more := RecordingFiles()), steps, [])
    for cut_at in range(first, len(more.operations) + 1):
        disk, acknowledged = RecordingFiles(cut_at), list[str]()
        with suppress(PowerCut):
            story(store_at(tmp_path / f"{cut_at}", Journal(), disk), steps, acknowledged)
        for how, files in (("cut", disk.after_power_cut()), ("kill", disk.after_a_kill())):
            found = dict(found_at_start(tmp_path / f"{cut_at}{how}", files))
            assert set(acknowledged) <= set(found)


@pytest.mark.parametrize("seed", range(40))
def test_what_a_power_cut_leaves_of_an_instance_over_zeros_is_none_and_harms_none(
    tmp_path: Path, seed: int
) -> None:
    """A disk writes blocks in any order, and some of them not at all."""
    disk, journal, random = RecordingFiles(), Journal(), Random(seed)
    store = store_at(tmp_path, journal, disk)
    story(store, BUSY, [])
    name, before = file_of(disk.after_a_kill())
    assert receive(*begin(store, "1.99", 20_000)).stored
    _, after = file_of(disk.after_a_kill())
    blocks = range(0, len(before), ALIGNMENT)
    changed = [at for at in blocks if before[at : at + ALIGNMENT] != after[at : at + ALIGNMENT]]
    assert len(changed) > 4
    left = set(random.sample(changed, random.randrange(1, len(changed))))
    torn = b"".join((before if at in left else after)[at : at + ALIGNMENT] for at in blocks)
    found = dict(found_at_start(tmp_path / "start", {name: torn}))
    assert set(found) == {f"1.{number}" for number in range(len(BUSY))}
