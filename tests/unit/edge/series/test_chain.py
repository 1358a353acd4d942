"""The chain of an edge's manifests: one after the other, over crashes, and what is not put is said."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from dicom_ingest.contracts.messages.manifest import Manifest, ManifestLink, decode_manifest, encode_manifest
from edge_component.journal import chain, instances
from edge_component.journal.database import transaction
from tests.support.edge.bench import Bench, Crash, rows
from tests.support.edge.stand_ins import no_fault, unreachable


def send(bench: Bench, *series: str, content: int = 0) -> None:
    """One instance of each series, over one association that is closed."""
    sender = bench.associate("CT")
    for uid in series:
        bench.receive(sender, "1.2", uid, f"{uid}.1", content)
    bench.close(sender)


def links(bench: Bench) -> list[tuple[ManifestLink, str]]:
    """Of everything that was announced, with the hash of its lines, by number."""
    found = [(link_of(manifest), encode_manifest(manifest).sha256) for manifest in bench.manifests()]
    return sorted(found, key=lambda one: one[0].number)


def link_of(manifest: Manifest) -> ManifestLink:
    assert manifest.transfer.chain is not None
    return manifest.transfer.chain


def check(found: list[tuple[ManifestLink, str]]) -> None:
    """Numbers without a gap, and each names the one before it."""
    assert [link.number for link, _ in found] == list(range(1, len(found) + 1))
    assert [link.previous_sha256 for link, _ in found] == [None, *(sha256 for _, sha256 in found[:-1])]
    assert len({link.chain_id for link, _ in found}) == 1


def test_each_manifest_names_the_one_before_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    send(bench, "1.2.1", "1.2.2", "1.2.3")
    bench.settle()
    send(bench, "1.2.4")
    bench.settle()
    found = links(bench)
    check(found)
    assert [link.begins for link, _ in found] == ["new journal", None, None, None]
    assert {manifest.transfer.schema_version for manifest in bench.manifests()} == {2}


def test_a_manifest_says_who_sent_each_instance_and_from_where(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    send(bench, "1.2.1")
    bench.settle()
    [manifest] = bench.manifests()
    assert [(one.calling_ae, one.peer) for one in manifest.instances] == [("CT", "127.0.0.1")]


def test_an_edge_that_is_killed_between_the_manifest_and_the_event_goes_on_with_its_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    send(bench, "1.2.1")
    bench.settle()

    def killed(**_: Any) -> Any:
        raise Crash

    for series in ("1.2.2", "1.2.3"):
        send(bench, series)
        with monkeypatch.context() as patch:
            patch.setattr(bench.bus, "put_events", killed)
            with pytest.raises(Crash):
                bench.settle()
        bench.crash()
    send(bench, "1.2.4")
    bench.settle()
    check(links(bench))
    assert len(links(bench)) == 4


def test_an_edge_that_is_killed_before_its_link_is_committed_builds_the_same_link_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    send(bench, "1.2.1", "1.2.2")

    def killed(*_: Any) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(chain, "extend", killed)
        with pytest.raises(Crash):
            bench.settle()
    bench.crash()
    bench.settle()
    check(links(bench))


def test_what_is_built_while_the_bus_is_away_is_a_chain_already(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.bus.before = lambda *_: unreachable()
    send(bench, "1.2.1", "1.2.2")
    for _ in range(5):
        bench.step()
        bench.clock.now += 20
    bench.bus.before = no_fault
    send(bench, "1.2.3")
    bench.settle()
    check(links(bench))
    assert len(links(bench)) == 3


def test_a_manifest_that_is_withdrawn_is_named_by_the_next(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.bus.before = lambda *_: unreachable()
    send(bench, "1.2.1", "1.2.2")
    for _ in range(5):
        bench.step()
        bench.clock.now += 20
    [first, _] = rows(bench.journal, "SELECT * FROM outbox JOIN series_transfer USING (sequence) ORDER BY 1")
    with transaction(bench.journal) as journal:
        instances.redraw(journal, first["sequence"], first["transfer_id"])
    bench.bus.before = no_fault
    bench.settle()
    found = links(bench)
    assert [link.number for link, _ in found] == [2, 3]
    [gone] = found[1][0].withdrawn
    assert (gone.number, gone.sha256) == (1, found[0][0].previous_sha256)
    assert found[1][0].previous_sha256 == found[0][1]


def test_what_a_withdrawn_manifest_would_have_said_is_said_by_the_next(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.bus.before = lambda *_: unreachable()
    send(bench, "1.2.1")
    for _ in range(2):
        for _ in range(5):
            bench.step()
            bench.clock.now += 20
        [row] = rows(bench.journal, "SELECT * FROM outbox JOIN series_transfer USING (sequence)")
        with transaction(bench.journal) as journal:
            instances.redraw(journal, row["sequence"], row["transfer_id"])
    bench.bus.before = no_fault
    bench.settle()
    [(link, _)] = links(bench)
    assert (link.number, [gone.number for gone in link.withdrawn]) == (3, [1, 2])


def test_a_journal_that_was_lost_begins_a_chain_that_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    send(bench, "1.2.1")
    bench.settle()
    send(bench, "1.2.2")
    bench.journal.close()
    for path in tmp_path.glob("journal.sqlite3*"):
        path.unlink()
    bench.start()
    bench.clock.now += 3600
    bench.settle()
    [first, second] = [link_of(manifest) for manifest in bench.manifests()]
    assert (second.number, second.previous_sha256, second.begins) == (1, None, "new journal")
    assert second.chain_id != first.chain_id


def test_a_disk_that_was_restored_begins_a_chain_that_says_so(tmp_path: Path) -> None:
    """What it sends next is in S3 already: the edge has lived through it once."""
    bench = Bench(tmp_path / "edge")
    send(bench, "1.2.1")
    bench.settle()
    send(bench, "1.2.2")
    bench.assembly.run_once()
    bench.journal.close()
    shutil.copytree(tmp_path / "edge", tmp_path / "snapshot")
    bench.start()
    bench.settle()
    first = links(bench)
    bench.journal.close()
    shutil.rmtree(tmp_path / "edge")
    shutil.copytree(tmp_path / "snapshot", tmp_path / "edge")
    bench.s3.readable = False
    bench.start()
    bench.settle()
    send(bench, "1.2.3")
    bench.settle()
    found = [link_of(decode_manifest(body)) for key, body in bench.s3.objects.items() if "manifests/" in key]
    by_number = sorted(found, key=lambda link: link.number)
    restored = [link for link in by_number if link.chain_id != first[0][0].chain_id]
    assert [link.number for link in restored] == [1, 2]
    assert restored[0].begins == "restored journal"
    assert restored[0].follows is not None
    assert (restored[0].follows.chain_id, restored[0].follows.number) == (first[0][0].chain_id, 1)
    assert len([link for link in found if link.chain_id == first[0][0].chain_id]) == 2, "no fork"


def test_an_edge_that_was_upgraded_begins_its_chain(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    send(bench, "1.2.1")
    bench.settle()
    bench.journal.execute("DELETE FROM chain")  # as the release before left it
    send(bench, "1.2.2")
    bench.settle()
    assert [link_of(manifest).begins for manifest in bench.manifests()] == ["new journal", "upgrade"]


def test_the_hash_is_that_of_the_lines_which_the_event_announces(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    send(bench, "1.2.1", "1.2.2")
    bench.settle()
    announced = {detail["manifest_sha256"] for detail in bench.bus.details()}
    named = {link.previous_sha256 for link, _ in links(bench)} - {None}
    assert named < announced
    assert hashlib.sha256().digest_size * 2 == len(next(iter(announced)))
