"""When a transfer is closed, what says so, and how bulk senders fill theirs."""

from __future__ import annotations

import uuid
from pathlib import Path

from dicom_ingest.contracts.messages.manifest import Manifest
from edge_component.journal import instances
from edge_component.journal.database import transaction
from tests.support.edge.bench import Bench

BULK = [{"calling_ae": "ARCHIVE", "priority": "bulk"}]


def send(bench: Bench, calling_ae: str, study: str, series: dict[str, int]) -> None:
    """So many instances of each series, over one association that is closed."""
    sender = bench.associate(calling_ae)
    for uid, count in series.items():
        for number in range(count):
            bench.receive(sender, study, uid, f"{uid}.{number + 1}")
    bench.close(sender)


def transfers(bench: Bench) -> dict[str, list[Manifest]]:
    """What was announced, by transfer."""
    found: dict[str, list[Manifest]] = {}
    for manifest in bench.manifests():
        found.setdefault(manifest.transfer.transfer_id, []).append(manifest)
    return found


def said(manifests: list[Manifest]) -> list[int]:
    """How many series the transfer has, wherever one says it."""
    return [m.transfer.transfer_series for m in manifests if m.transfer.transfer_series is not None]


def test_the_last_series_of_a_transfer_says_how_many_there_are(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    send(bench, "CT", "1.2", {"1.2.1": 2, "1.2.2": 1, "1.2.3": 1})
    bench.settle()
    [manifests] = transfers(bench).values()
    assert (len(manifests), said(manifests)) == (3, [3])
    events = [detail["transfer_series"] for detail in bench.bus.details()]
    assert [count for count in events if count is not None] == [3], "the event says it, too"


def test_a_series_that_comes_to_a_closed_transfer_begins_another(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    send(bench, "CT", "1.2", {"1.2.1": 1, "1.2.2": 1})
    bench.settle()
    send(bench, "CT", "1.2", {"1.2.3": 1})
    bench.settle()
    assert sorted(said(manifests) for manifests in transfers(bench).values()) == [[1], [2]]


def test_a_transfer_is_not_closed_while_one_of_its_series_is_open(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    slow = bench.associate("CT")
    bench.receive(slow, "1.2", "1.2.1", "1")
    send(bench, "CT", "1.2", {"1.2.2": 1})
    bench.step()
    bench.clock.now += 30
    for _ in range(3):
        bench.step()
    [manifests] = transfers(bench).values()
    assert (len(manifests), said(manifests)) == (1, [])
    bench.close(slow)
    bench.clock.now += 30
    bench.settle()
    assert [said(manifests) for manifests in transfers(bench).values()] == [[2]]


def test_a_transfer_that_a_series_has_left_is_never_closed(tmp_path: Path) -> None:
    """Objects of the series may lie below the prefix, which is imported as a whole."""
    bench = Bench(tmp_path)
    slow = bench.associate("CT")
    bench.receive(slow, "1.2", "1.2.1", "1")
    bench.receive(slow, "1.2", "1.2.2", "2")
    bench.assembly.run_once()
    [row] = bench.journal.execute(
        "SELECT sequence, transfer_id FROM series_transfer WHERE series_instance_uid = '1.2.1'"
    ).fetchall()
    with transaction(bench.journal) as journal:
        assert instances.redraw(journal, row["sequence"], row["transfer_id"])
    bench.close(slow)
    bench.clock.now += 30
    bench.settle()
    found = transfers(bench)
    assert len(found) == 2
    assert said(found[row["transfer_id"]]) == []


def test_a_bulk_sender_fills_one_transfer_with_many_studies(tmp_path: Path) -> None:
    bench = Bench(tmp_path, senders=BULK)
    for study in range(1, 6):
        send(bench, "ARCHIVE", f"1.{study}", {f"1.{study}.1": 2, f"1.{study}.2": 1})
    bench.settle()
    [manifests] = transfers(bench).values()
    assert len({m.transfer.study_instance_uid for m in manifests}) == 5
    assert (len(manifests), said(manifests)) == (10, [10])


def test_a_live_sender_never_joins_a_bulk_transfer_nor_another_study(tmp_path: Path) -> None:
    bench = Bench(tmp_path, senders=BULK)
    send(bench, "ARCHIVE", "1.1", {"1.1.1": 1})
    send(bench, "CT", "1.1", {"1.1.2": 1})
    send(bench, "CT", "1.2", {"1.2.1": 1})
    bench.settle()
    assert [said(manifests) for manifests in transfers(bench).values()] == [[1]] * 3


def test_two_bulk_senders_have_transfers_of_their_own(tmp_path: Path) -> None:
    bench = Bench(tmp_path, senders=[*BULK, {"calling_ae": "VNA", "priority": "bulk"}])
    for number, sender in enumerate(("ARCHIVE", "VNA", "ARCHIVE", "VNA"), start=1):
        send(bench, sender, f"1.{number}", {f"1.{number}.1": 1})
    bench.settle()
    assert [said(manifests) for manifests in transfers(bench).values()] == [[2], [2]]


def test_a_bulk_transfer_takes_a_series_only_if_there_is_room_for_one_more_of_its_largest(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, senders=BULK, max_series_instances=10)
    for study in range(1, 7):
        send(bench, "ARCHIVE", f"1.{study}", {f"1.{study}.1": 3})
    bench.settle()
    found = transfers(bench)
    assert sorted(said(manifests) for manifests in found.values()) == [[3], [3]]
    for manifests in found.values():
        assert sum(m.transfer.instance_count for m in manifests) <= 10


def test_a_bulk_transfer_has_one_limit_for_all_of_its_series(tmp_path: Path) -> None:
    bench = Bench(tmp_path, senders=BULK, max_series_instances=10)
    slow = bench.associate("ARCHIVE")
    for series, first, last in (("1.1.1", 1, 4), ("1.2.1", 1, 2), ("1.1.1", 5, 10)):
        for number in range(first, last + 1):
            bench.receive(slow, series[:3], series, f"{series}.{number}")
        bench.assembly.run_once()
    bench.close(slow)
    bench.settle()
    sizes = [sum(m.transfer.instance_count for m in manifests) for manifests in transfers(bench).values()]
    assert sorted(sizes) == [2, 10]


def test_a_bulk_transfer_has_one_limit_of_bytes_for_all_of_its_series(tmp_path: Path) -> None:
    bench = Bench(tmp_path, senders=BULK)
    send(bench, "ARCHIVE", "1.1", {"1.1.1": 1})
    bench.settle()
    [first] = bench.manifests()
    small = Bench(tmp_path / "small", senders=BULK, max_series_bytes=first.transfer.total_bytes * 5 // 2)
    for study in range(1, 5):
        send(small, "ARCHIVE", f"1.{study}", {f"1.{study}.1": 1})
    small.settle()
    assert [said(manifests) for manifests in transfers(small).values()] == [[2], [2]]


def test_a_series_that_fills_a_bulk_transfer_goes_on_in_the_next(tmp_path: Path) -> None:
    bench = Bench(tmp_path, senders=BULK, max_series_instances=10)
    for study, count in enumerate((2, 2, 12, 2), start=1):
        send(bench, "ARCHIVE", f"1.{study}", {f"1.{study}.1": count})
        bench.assembly.run_once()
    bench.settle()
    found = [
        (m.transfer.transfer_id, m.transfer.series_instance_uid, m.transfer.instance_count)
        for m in bench.manifests()
    ]
    assert sum(count for _, series, count in found if series == "1.3.1") == 12
    assert len([series for _, series, _ in found if series == "1.3.1"]) == 2
    assert all(said(manifests) == [len(manifests)] for manifests in transfers(bench).values())


def test_a_bulk_transfer_takes_no_more_studies_after_its_minutes(tmp_path: Path) -> None:
    bench = Bench(tmp_path, senders=BULK, bulk_transfer_minutes=1)
    slow = bench.associate("ARCHIVE")
    bench.receive(slow, "1.1", "1.1.1", "1")
    bench.step()
    bench.clock.now += 50
    bench.receive(slow, "1.2", "1.2.1", "2")
    bench.step()
    bench.clock.now += 20
    bench.receive(slow, "1.3", "1.3.1", "3")
    bench.step()
    bench.close(slow)
    bench.clock.now += 30
    bench.settle()
    assert sorted(len(manifests) for manifests in transfers(bench).values()) == [1, 2]


def test_a_backlog_of_the_assembler_makes_no_transfers_of_one_series(tmp_path: Path) -> None:
    """The minutes count between the instances: those that wait in the spool for a day came together."""
    bench = Bench(tmp_path, senders=BULK, bulk_transfer_minutes=1)
    for study in range(1, 4):
        send(bench, "ARCHIVE", f"1.{study}", {f"1.{study}.1": 1})
        bench.clock.now += 25
    bench.clock.now += 86400
    bench.settle()
    assert [said(manifests) for manifests in transfers(bench).values()] == [[3]]


def test_a_series_joins_no_transfer_that_was_closed_in_the_same_batch(tmp_path: Path) -> None:
    """A large instance had no room in it, so its only series was sealed; a small one would have room."""
    bench = Bench(tmp_path, senders=BULK, max_series_bytes=20_000)
    sender = bench.associate("ARCHIVE")
    bench.receive(sender, "1.1", "1.1.1", "1")
    bench.receive(sender, "1.1", "1.1.1", "2", pixels=19_000)
    bench.receive(sender, "1.2", "1.2.1", "3")
    bench.close(sender)
    bench.settle()
    found = list(transfers(bench).values())
    assert [said(manifests) for manifests in found] == [[len(manifests)] for manifests in found]
    assert sorted(m.transfer.instance_count for manifests in found for m in manifests) == [1, 1, 1]


def test_a_series_joins_no_transfer_that_all_its_series_have_left(tmp_path: Path) -> None:
    bench = Bench(tmp_path, senders=BULK)
    sender = bench.associate("ARCHIVE")
    bench.receive(sender, "1.1", "1.1.1", "1")
    bench.assembly.run_once()
    [left] = bench.journal.execute("SELECT sequence, transfer_id FROM series_transfer").fetchall()
    with transaction(bench.journal) as journal:
        assert instances.redraw(journal, left["sequence"], left["transfer_id"])
    bench.receive(sender, "1.2", "1.2.1", "2")
    bench.close(sender)
    bench.settle()
    assert left["transfer_id"] not in transfers(bench)


def test_what_the_transfers_of_a_bulk_sender_hold_is_counted_once_a_batch(tmp_path: Path) -> None:
    """Counted for each series, a backlog of small series takes hours."""
    bench = Bench(tmp_path, senders=BULK, max_series_instances=30)
    for study in range(1, 61):
        send(bench, "ARCHIVE", f"1.{study}", {f"1.{study}.1": 1})
    statements: list[str] = []
    bench.journal.set_trace_callback(statements.append)
    bench.assembly.run_once()
    bench.journal.set_trace_callback(None)
    assert sum("LEFT JOIN instance" in statement for statement in statements) == 1
    bench.settle()
    assert sorted(sum(said(manifests)) for manifests in transfers(bench).values()) == [30, 30]


def test_an_edge_that_is_killed_closes_its_transfer_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, senders=BULK)
    send(bench, "ARCHIVE", "1.1", {"1.1.1": 1})
    bench.assembly.run_once()
    bench.crash()
    send(bench, "ARCHIVE", "1.2", {"1.2.1": 1})
    bench.assembly.run_once()
    bench.crash()
    bench.settle()
    assert [said(manifests) for manifests in transfers(bench).values()] == [[2]]
    assert uuid.UUID(next(iter(transfers(bench)))).version == 4
