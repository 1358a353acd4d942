"""Assembler, uploader and announcer over a real journal: one promise a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydicom.filereader import dcmread

from edge_component.announcing.retention import DAY, Retention
from edge_component.assembling.adoption import adopt
from edge_component.journal.channels import notices
from edge_component.journal.damage import set_broken_aside
from edge_component.receiving.store import Store, StoreCommand
from edge_component.records.commitment import Request
from edge_component.records.receipt import of_place
from edge_component.records.rows import AssociationRow, InstanceRow
from edge_component.spool.folder import Spool, file_name
from edge_component.watching.certificate import Certificate
from edge_component.watching.heartbeat import Heartbeat
from tests.support.edge.bench import EXPLICIT, Bench, rows
from tests.support.edge.dicom import encoded, instance
from tests.support.edge.network.certificates import Certificates, make_certificates
from tests.support.edge.stand_ins import client_error, sha256, unreachable

STUDY, SERIES = "1.2", "1.2.1"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def send(bench: Bench, *sops: str, content: int = 0, series: str = SERIES, close: bool = True) -> None:
    sender = bench.associate()
    for sop in sops:
        bench.receive(sender, STUDY, series, sop, content)
    if close:
        bench.close(sender)


def announced(bench: Bench) -> list[list[str]]:
    return [[i.sop_instance_uid for i in manifest.instances] for manifest in bench.manifests()]


# Complete


def test_a_late_instance_makes_a_new_transfer_with_only_itself(bench: Bench) -> None:
    send(bench, "1", "2")
    bench.settle()
    send(bench, "3")
    bench.settle()
    first, second = (manifest.transfer for manifest in bench.manifests())
    assert announced(bench) == [["1", "2"], ["3"]]
    assert first.transfer_id != second.transfer_id
    assert (second.sequence > first.sequence, second.after) == (True, [])


def test_a_changed_duplicate_is_kept_beside_the_original_and_comes_after_it(bench: Bench) -> None:
    """E14: the duplicate destroyed the original."""
    send(bench, "1", content=1)
    send(bench, "1", content=2)
    bench.settle()
    first, second = bench.manifests()
    assert second.transfer.after == [first.transfer.transfer_id]
    bodies = [bench.s3.objects[manifest.instances[0].key] for manifest in (first, second)]
    assert bodies[0] != bodies[1]


@pytest.mark.parametrize("seconds", [3600, 50_000])
def test_an_unchanged_duplicate_is_counted_for_an_hour_then_taken_anew(tmp_path: Path, seconds: int) -> None:
    bench = Bench(tmp_path, duplicate_seconds=seconds)
    send(bench, "1")
    bench.settle()
    send(bench, "1")
    bench.settle()
    assert (announced(bench), bench.counters()["instances_duplicate"]) == ([["1"]], 1)
    bench.clock.now += seconds
    send(bench, "1")
    bench.settle()
    assert announced(bench) == [["1"], ["1"]]


def test_4500_instances_roll_over_into_a_new_transfer(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_series_instances=2)
    send(bench, "1", "2", "3", close=False)
    bench.step()
    bench.settle()
    assert announced(bench) == [["1", "2"], ["3"]]
    assert bench.manifests()[0].transfer.seal_reason == "instances"


def test_nine_gigabytes_roll_over_into_a_new_transfer(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_series_bytes=2000)
    send(bench, "1", "2", "3")
    bench.settle()
    assert len(announced(bench)) > 1
    assert all(m.transfer.total_bytes <= 2000 for m in bench.manifests())
    assert bench.manifests()[0].transfer.seal_reason == "bytes"


def test_an_open_association_keeps_a_series_open_until_it_is_inactive(tmp_path: Path) -> None:
    bench = Bench(tmp_path, series_inactive_seconds=70)
    send(bench, "1", close=False)
    bench.clock.now += 60
    bench.step()
    assert announced(bench) == []
    bench.clock.now += 10
    bench.settle()
    assert bench.manifests()[0].transfer.seal_reason == "inactive"


def test_an_endless_acquisition_is_cut_at_the_hard_cap(tmp_path: Path) -> None:
    bench = Bench(tmp_path, series_hard_cap_seconds=600)
    sender = bench.associate()
    for number in range(15):
        bench.receive(sender, STUDY, SERIES, str(number + 1))
        bench.clock.now += 60
        bench.step()
    reasons = [manifest.transfer.seal_reason for manifest in bench.manifests()]
    assert reasons == ["hard_cap"]


def test_an_aborted_association_is_flagged_and_the_sender_may_come_back(bench: Bench) -> None:
    """E6: abort and TCP reset were announced as complete."""
    sender = bench.associate()
    bench.receive(sender, STUDY, SERIES, "1")
    bench.clock.now += 100
    bench.close(sender, aborted=True)
    bench.step()
    bench.clock.now += 5
    bench.step()
    assert announced(bench) == []
    send(bench, "2")
    bench.settle()
    assert announced(bench) == [["1", "2"]]
    assert bench.manifests()[0].transfer.aborted


def test_a_receivers_death_counts_as_the_abort_of_its_associations(bench: Bench) -> None:
    send(bench, "1", close=False)
    bench.step()
    bench.crash()
    bench.settle()
    assert announced(bench) == [["1"]]
    assert bench.manifests()[0].transfer.aborted


@pytest.mark.parametrize(("modality", "waits"), [("CT", 10), ("US", 60), ("XA", 60)])
def test_quiet_time_defaults_by_modality(bench: Bench, modality: str, waits: int) -> None:
    sender = bench.associate()
    bench.receive(sender, STUDY, SERIES, "1", modality=modality)
    bench.close(sender)
    bench.clock.now += waits - 1
    bench.step()
    assert rows(bench.journal, "SELECT sequence FROM series_transfer WHERE sealed_at IS NOT NULL") == []
    bench.clock.now += 1
    bench.step()
    assert len(rows(bench.journal, "SELECT sequence FROM series_transfer WHERE sealed_at IS NOT NULL")) == 1


def test_a_senders_own_quiet_time_priority_and_issuer_come_first(tmp_path: Path) -> None:
    profile = {
        "calling_ae": "SENDER",
        "series_quiet_seconds": 3,
        "priority": "bulk",
        "issuer_of_patient_id": "H",
    }
    bench = Bench(tmp_path, senders=[profile], series_quiet_seconds=500)
    send(bench, "1")
    bench.clock.now += 3
    bench.step()
    bench.step()
    transfer = bench.manifests()[0].transfer
    assert (transfer.priority, transfer.issuer_of_patient_id) == ("bulk", "H")
    assert bench.bus.details()[0]["priority"] == "bulk"


def test_the_setting_for_quiet_time_comes_before_the_modality(tmp_path: Path) -> None:
    bench = Bench(tmp_path, series_quiet_seconds=2)
    sender = bench.associate()
    bench.receive(sender, STUDY, SERIES, "1", modality="US")
    bench.close(sender)
    bench.clock.now += 2
    bench.settle()
    assert bench.clock.now < 1_800_000_000 + 60


def test_sequences_go_on_rising_when_the_journal_is_lost(bench: Bench) -> None:
    send(bench, "1")
    bench.settle()
    bench.journal.close()
    for path in bench.spool.root.glob("journal.sqlite3*"):
        path.unlink()
    bench.clock.now += 1
    bench.start()
    send(bench, "2")
    bench.settle()
    first, second = bench.bus.details()
    assert second["sequence"] > first["sequence"]


# Keep


def test_a_deleted_journal_is_made_again_from_the_files(bench: Bench) -> None:
    send(bench, "1", "2")
    bench.journal.close()
    for path in bench.spool.root.glob("journal.sqlite3*"):
        path.unlink()
    bench.start()
    bench.settle()
    [manifest] = bench.manifests()
    assert [i.sop_instance_uid for i in manifest.instances] == ["1", "2"]
    assert manifest.transfer.calling_aes == ["SENDER"]


def test_a_broken_journal_is_kept_aside_and_made_again_from_the_files(bench: Bench) -> None:
    send(bench, "1", "2")
    assert set_broken_aside(bench.spool.journal) is None
    bench.journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    bench.journal.close()
    bench.spool.journal.write_bytes(b"SQLite format 3\0" + b"\xff" * 8000)
    aside = set_broken_aside(bench.spool.journal)
    assert aside is not None
    assert aside.exists()
    bench.start()
    bench.settle()
    assert announced(bench) == [["1", "2"]]


def test_a_deleted_spool_file_is_reported_missing_never_silently_dropped(tmp_path: Path) -> None:
    bench = Bench(tmp_path, series_patience_seconds=100)
    send(bench, "1")
    bench.spool.segments.seal_idle(0.0)
    send(bench, "2")
    bench.segment_of("1").unlink()
    bench.settle()
    [manifest] = bench.manifests()
    assert [i.sop_instance_uid for i in manifest.instances] == ["2"]
    assert [(m.sop_instance_uid, "cannot be read" in m.reason) for m in manifest.missing] == [("1", True)]
    assert bench.counters()["instances_missing"] == 1


@pytest.mark.parametrize("assigned", [True, False])
def test_an_altered_spool_file_is_not_sent_and_is_put_aside(tmp_path: Path, *, assigned: bool) -> None:
    bench = Bench(tmp_path, series_patience_seconds=100)
    send(bench, "1", "2")
    if assigned:
        bench.assembly.run_once()
    place = bench.place_of("1")
    path = bench.segment_of("1")
    content = bytearray(path.read_bytes())
    content[of_place(place)[1] + 500] ^= 1
    path.write_bytes(content)
    bench.settle()
    [manifest] = bench.manifests()
    assert [m.reason for m in manifest.missing] == ["spool file was altered"]
    assert [i.sop_instance_uid for i in manifest.instances] == ["2"]
    assert [aside.stem for aside in bench.spool.aside.glob("*.dcm")] == [file_name(place)]
    assert bench.stored() == []


def test_what_is_put_aside_is_a_part_10_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path, series_patience_seconds=100)
    send(bench, "1")
    [row] = rows(bench.journal, "SELECT file, bytes FROM instance")
    assert bench.segment_of("1").stat().st_size > row["bytes"]
    bench.spool.put_aside(row["file"], row["bytes"])
    [aside] = bench.spool.aside.iterdir()
    assert aside.stat().st_size == row["bytes"]
    assert dcmread(aside).SOPInstanceUID == "1"


def test_a_new_copy_of_a_missing_instance_is_welcome_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, series_patience_seconds=100)
    send(bench, "1")
    bench.segment_of("1").unlink()
    bench.settle()
    send(bench, "1")
    bench.settle()
    assert announced(bench) == [[], ["1"]]


def test_the_spool_file_goes_only_after_the_bus_accepted_the_event(bench: Bench) -> None:
    """E1: the file was deleted although nothing had arrived."""
    bench.bus.refuse = lambda _entry: True
    send(bench, "1")
    for _ in range(20):
        bench.clock.now += 20
        bench.step()
    assert len(bench.s3.objects) == 2
    assert len(bench.stored()) == 1
    bench.bus.refuse = lambda _entry: False
    bench.settle()
    assert bench.written(bench.spool.run) == []


def test_an_announced_series_leaves_receipts_and_no_names(bench: Bench) -> None:
    send(bench, "1")
    bench.settle()
    assert rows(bench.journal, "SELECT * FROM instance") == []
    assert rows(bench.journal, "SELECT * FROM outbox") == []
    [receipt] = rows(bench.journal, "SELECT * FROM receipt")
    assert (receipt["sop_instance_uid"], receipt["uploaded"], receipt["file"]) == ("1", 1, None)


# Upload


def test_nothing_is_lost_while_s3_is_away_and_the_oldest_goes_first(bench: Bench) -> None:
    bench.s3.before = lambda _operation, _key: unreachable()
    send(bench, *"12345")
    bench.step()
    assert bench.unsent() == len(bench.s3.calls) == 5
    bench.s3.before = lambda _operation, _key: None
    bench.s3.calls.clear()
    bench.clock.now += 1
    bench.settle()
    assert [key[-5:] for _, key in bench.s3.calls[:5]] == [f"{n}.dcm"[-5:] for n in "12345"]


def test_every_third_call_fails_and_everything_arrives(bench: Bench) -> None:
    calls = iter(range(10_000))
    bench.s3.before = lambda _operation, _key: (
        client_error("PutObject", "SlowDown", 503) if next(calls) % 3 == 0 else None
    )
    send(bench, *(str(n) for n in range(1, 30)))
    bench.settle()
    assert len(announced(bench)[0]) == 29


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "EntityTooLarge"), (400, "KMS.DisabledException"), (500, "InternalError"), (503, "SlowDown")],
)
def test_one_object_that_can_never_be_sent_does_not_hold_up_the_others(
    tmp_path: Path, status: int, code: str
) -> None:
    """E16, E17."""
    bench = Bench(tmp_path, series_patience_seconds=300, uploads_in_flight=1)
    bench.s3.before = lambda operation, key: (
        client_error(operation, code, status) if key.endswith("/1.dcm") else None
    )
    send(bench, "1", series="1.2.9")
    send(bench, *"2345")
    for _ in range(60):
        bench.clock.now += 5
        bench.step()
    assert announced(bench) == [["2", "3", "4", "5"]]
    for _ in range(60):
        bench.clock.now += 5
        bench.step()
    late = [m.missing[0].reason for m in bench.manifests() if m.transfer.series_instance_uid == "1.2.9"]
    # A refusal is reported; a service that fails is tried for ever.
    assert late == ([f"refused by S3: {code}"] if code == "EntityTooLarge" else [])


def test_an_object_with_another_checksum_is_never_taken_for_success_and_goes_under_another_key(
    bench: Bench,
) -> None:
    checksums = iter(["bm90IG91cnM="])
    bench.s3.answer_checksum = lambda body: next(checksums, sha256(body))
    send(bench, "1")
    bench.step()
    assert bench.counters().get("instances_uploaded", 0) == 0
    [wrong] = bench.s3.objects
    bench.settle()
    [manifest] = bench.manifests()
    assert manifest.instances[0].key != wrong
    assert manifest.missing == []
    [notice] = notices(bench.journal)
    assert (notice.name, "another checksum" in notice.words) == ("transfer_redrawn", True)


def test_a_large_file_goes_in_parts_and_is_resumed_after_a_restart(tmp_path: Path) -> None:
    bench = Bench(tmp_path, multipart_bytes=5 * 1024 * 1024)
    sender = bench.associate()
    bench.receive(sender, STUDY, SERIES, "1", pixels=17 * 1024 * 1024)
    bench.close(sender)
    parts = iter(range(100))
    bench.s3.before = lambda operation, _key: (
        unreachable() if operation == "UploadPart" and next(parts) >= 3 else None
    )
    bench.step()
    bench.step()
    assert [operation for operation, _ in bench.s3.calls].count("UploadPart") == 4
    bench.crash()
    bench.s3.before = lambda _operation, _key: None
    bench.s3.calls.clear()
    bench.settle()
    operations = [operation for operation, _ in bench.s3.calls]
    assert operations.count("UploadPart") == 1
    assert "CreateMultipartUpload" not in operations
    [manifest] = bench.manifests()
    assert len(bench.s3.objects[manifest.instances[0].key]) == manifest.instances[0].bytes


# Announce


def test_events_go_in_batches_of_ten_and_a_refused_entry_alone_goes_again(bench: Bench) -> None:
    """E3: notifications were lost on error."""
    for number in range(13):
        send(bench, "1", series=f"1.2.{number}")
    refused = {"1.2.3", "1.2.5"}
    bench.bus.refuse = lambda entry: json.loads(entry["Detail"])["series_instance_uid"] in refused
    bench.step()
    bench.clock.now += 20
    bench.assembly.run_once()
    for _ in range(4):
        bench.uploader.run_once()
    for _ in range(10):
        bench.clock.now += 20
        bench.step()
    assert max(bench.bus.batches) == 10
    said = [detail["series_instance_uid"] for detail in bench.bus.details()]
    assert (len(said), len(set(said))) == (11, 11)
    refused.clear()
    bench.settle()
    assert len({detail["series_instance_uid"] for detail in bench.bus.details()}) == 13


def test_a_heartbeat_says_what_happened_so_far(tmp_path: Path) -> None:
    bench = Bench(tmp_path, heartbeat_seconds=60)
    send(bench, "1", "2")
    bench.settle()
    heartbeat = Heartbeat(
        bench.journal, bench.spool, bench.settings, bench.bus, bench.clock, bench.clock.monotonic
    )
    heartbeat.run_once()
    bench.clock.now += 59
    heartbeat.run_once()
    bench.clock.now += 1
    heartbeat.run_once()
    first, second = bench.bus.details("Edge Heartbeat")
    assert (first["instances_received"], first["instances_announced"], first["series_announced"]) == (2, 2, 1)
    assert first["edge"] == second["edge"] == "test-edge1"


def certificates_of(certificates: Certificates) -> dict[str, Any]:
    return {"tls_port": 0, "tls_certificate": certificates.certificate, "tls_key": certificates.key}


def test_a_heartbeat_counts_the_days_that_a_certificate_has_left(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    bench = Bench(tmp_path)
    heartbeat = Heartbeat(
        bench.journal, bench.spool, bench.settings, bench.bus, bench.clock, bench.clock.monotonic
    )
    shown = Certificate(bench.settings.model_copy(update=certificates_of(certificates)))
    heartbeat.edge_says = {"problems": [], "certificate_expires_at": shown.expires_at}
    left = {}
    for days in (20.5, 1.5, 0.5, -0.5):
        bench.clock.now = certificates.expires.timestamp() - days * DAY
        left[days] = heartbeat.detail().certificate_days_left
    assert left == {20.5: 20, 1.5: 1, 0.5: 0, -0.5: -1}
    without = Bench(tmp_path / "without")
    detail = Heartbeat(without.journal, without.spool, without.settings, without.bus, without.clock).detail()
    assert (detail.certificate_expires_at, detail.certificate_days_left) == (None, None)


def test_receipts_and_quarantine_are_forgotten_in_time_and_nothing_else(tmp_path: Path) -> None:
    bench = Bench(tmp_path, receipt_days=10, quarantine_days=1)
    send(bench, "1")
    bench.settle()
    bench.s3.before = lambda _operation, _key: unreachable()
    send(bench, "2")
    bench.step()
    note = bench.spool.quarantine / "x.json"
    note.write_text("{}")
    clock = bench.clock
    clock.now = note.stat().st_mtime
    retention = Retention(bench.journal, bench.spool, bench.settings, clock, clock.monotonic)
    retention.run_once()
    assert note.exists()
    clock.now = max(clock.now, 1_800_000_000) + 20 * DAY
    retention.run_once()
    assert not note.exists()
    assert rows(bench.journal, "SELECT * FROM receipt") == []
    assert bench.unsent() == 1
    assert len(bench.stored()) == 1


def test_what_a_dead_reader_stored_and_did_not_say_is_adopted_and_nobody_elses_files(bench: Bench) -> None:
    dead, alive = Spool(bench.spool.root, spares=2), Spool(bench.spool.root, spares=2)
    sender = bench.associate()
    for spool in (dead, alive):
        store = Store(spool, Silent(), Roomy(), bench.clock)
        for whole in (True, False):
            ds = instance(pixels=256)
            reception = store.begin(
                sender, StoreCommand(str(ds.SOPClassUID), str(ds.SOPInstanceUID), EXPLICIT)
            )
            reception.write(encoded(ds))
            assert not whole or reception.finish().stored
    before = alive.segment_names(alive.run)
    assert adopt(bench.journal, bench.spool, bench.epoch, bench.clock, run=dead.run) == 1
    assert len(bench.written(dead.run)) == 1
    assert alive.segment_names(alive.run) == before
    bench.settle()
    assert bench.written(dead.run) == []
    assert [len(manifest.instances) for manifest in bench.manifests()] == [1]


class Silent:
    """A journal of which the rows never come."""

    def seal(self, segment: str, records: int) -> None:
        """Nobody hears it."""

    def ready(self) -> None:
        """It is."""

    def add_instance(self, sender: AssociationRow, row: InstanceRow) -> None:
        """Never heard of."""

    def refused(self, code: int, calling_ae: str = "", reason: str = "") -> None:
        """Never heard of."""

    def request_commitment(self, request: Request, sender: AssociationRow) -> None:
        """Never heard of."""


class Roomy:
    """A disk without end."""

    def refusal(self, *, bulk: bool) -> str | None:
        """None."""
        del bulk
        return None

    def answer_after(self, *, bulk: bool) -> float:
        """At once."""
        del bulk
        return 0.0

    def refusal_now(self, *, bulk: bool) -> None:
        """None."""
        del bulk
