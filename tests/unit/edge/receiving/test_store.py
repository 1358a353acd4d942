"""What a C-STORE is answered, and what is on the disk when it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from edge_component.dimse.statuses import Status
from edge_component.journal.database import JournalError
from edge_component.receiving.store import Reception, Store, StoreCommand
from edge_component.records.part10 import part10_head
from edge_component.records.receipt import of_place
from edge_component.records.rows import AssociationRow, InstanceRow
from edge_component.spool.folder import Spool
from tests.support.edge.dicom import encoded, instance
from tests.support.edge.disk import RecordingFiles

SENDER = AssociationRow("a1", "SENDER", "EDGE", "127.0.0.1", 0.0)
EXPLICIT = "1.2.840.10008.1.2.1"


class Journal:
    """Rows that are on the disk."""

    def __init__(self, *, broken: bool = False) -> None:
        self.rows: list[InstanceRow] = []
        self.sealed: list[tuple[str, int]] = []
        self.failures = 0
        self.codes: set[int] = set()
        self._broken = broken

    def ready(self) -> None:
        if self._broken:
            raise JournalError("disk I/O error")

    def add_instance(self, sender: AssociationRow, row: InstanceRow, /) -> None:
        assert sender is SENDER
        self.rows.append(row)

    def seal(self, segment: str, records: int) -> None:
        assert sum(of_place(row.file)[0] == segment for row in self.rows) == records  # its rows come before
        self.sealed.append((segment, records))

    def refused(self, code: int, calling_ae: str = "", reason: str = "") -> None:
        assert code != 0
        assert calling_ae
        assert reason
        self.failures += 1
        self.codes.add(code)


class Room:
    def __init__(self, reason: str | None = None) -> None:
        self.reason = reason
        self.full: str | None = None

    def refusal(self, *, bulk: bool) -> str | None:
        assert not bulk
        return self.reason

    def refusal_now(self, *, bulk: bool) -> str | None:
        assert not bulk
        return self.full

    def answer_after(self, *, bulk: bool) -> float:
        """A `bulk` sender waits a moment."""
        return 0.001 if bulk else 0.0


def store_at(
    root: Path, journal: Journal, files: RecordingFiles | None = None, reason: str | None = None
) -> Store:
    spool = Spool(root, files, spares=1)
    for folder in (spool.instances, spool.quarantine, spool.aside, spool.again):
        folder.mkdir(parents=True, exist_ok=True)
    return Store(spool, journal, Room(reason), clock=lambda: 1.0)


def command_of(ds: Dataset, **changes: str) -> StoreCommand:
    given = {
        "sop_class_uid": str(ds.SOPClassUID),
        "sop_instance_uid": str(ds.SOPInstanceUID),
        "transfer_syntax_uid": EXPLICIT,
        **changes,
    }
    return StoreCommand(**given)


def receive(reception: Reception, data: bytes, piece: int = 500) -> Status:
    for start in range(0, len(data), piece):
        reception.write(data[start : start + piece])
    status = reception.finish()
    reception.settle()
    return status


def in_spool(spool: Spool) -> list[tuple[AssociationRow, InstanceRow]]:
    records = [record for name in spool.segment_names() for record in spool.records(name)]
    return [(record.sender, record.row) for record in records]


def quarantined(store: Store) -> list[str]:
    return [path.read_text() for path in store.spool.quarantine.glob("*.json")]


def test_success_means_file_and_row(tmp_path: Path) -> None:
    journal, ds = Journal(), instance()
    store = store_at(tmp_path, journal)
    data = encoded(ds)
    assert receive(store.begin(SENDER, command_of(ds)), data).code == 0x0000
    [row] = journal.rows
    with store.spool.read(row.file, row.bytes) as file:
        stored = file.read()
    head = part10_head(str(ds.SOPClassUID), str(ds.SOPInstanceUID), EXPLICIT)
    assert stored == head + data
    assert row.bytes == len(stored)
    assert in_spool(store.spool) == [(SENDER, row)]


@pytest.mark.parametrize("empty", [0, 1, 3])
def test_empty_fragments_change_nothing(tmp_path: Path, empty: int) -> None:
    journal, ds = Journal(), instance()
    store = store_at(tmp_path, journal)
    reception = store.begin(SENDER, command_of(ds))
    for piece in [b""] * empty + [encoded(ds)] + [b""] * empty:
        reception.write(piece)
    assert reception.finish().stored
    reception.settle()
    with store.spool.read(journal.rows[0].file, journal.rows[0].bytes) as file:
        head = part10_head(str(ds.SOPClassUID), str(ds.SOPInstanceUID), EXPLICIT)
        assert file.read() == head + encoded(ds)


def test_a_row_is_written_only_when_the_answer_is_out(tmp_path: Path) -> None:
    journal, ds = Journal(), instance()
    store = store_at(tmp_path, journal)
    reception = store.begin(SENDER, command_of(ds))
    reception.write(encoded(ds))
    assert reception.finish().stored
    assert (journal.rows, len(in_spool(store.spool))) == ([], 1)
    reception.settle()
    assert journal.rows == [row for _, row in in_spool(store.spool)]


def test_a_full_disk_is_out_of_resources_at_any_operation_and_leaves_nothing(tmp_path: Path) -> None:
    ds = instance()
    whole = RecordingFiles()
    receive(store_at(tmp_path, Journal(), whole).begin(SENDER, command_of(ds)), encoded(ds))
    for full_at in range(whole.operations.index("sync") + 1):
        disk, journal = RecordingFiles(full_at=full_at), Journal()
        store = store_at(tmp_path, journal, disk)
        status = receive(store.begin(SENDER, command_of(ds)), encoded(ds))
        assert (status.code, journal.rows, journal.failures) == (0xA700, [], 1)
        assert in_spool(store.spool) == []


def test_above_the_watermark_nothing_is_written(tmp_path: Path) -> None:
    ds, disk = instance(), RecordingFiles()
    store = store_at(tmp_path, Journal(), disk, reason="the spool is above its watermark")
    status = receive(store.begin(SENDER, command_of(ds)), encoded(ds))
    assert (status.code, status.short_comment) == (0xA700, "the spool is above its watermark")
    assert disk.operations == []


def test_a_large_instance_is_given_up_when_the_disk_fills_while_it_comes(tmp_path: Path) -> None:
    """Room was asked for before the first byte only: one large instance filled the disk."""
    ds, room = instance(), Room()
    store = store_at(tmp_path, Journal())
    store.room = room
    reception = store.begin(SENDER, command_of(ds))
    piece = encoded(instance(pixels=2**20))
    for _ in range(3):
        reception.write(piece)
    room.full = "the disk is full to its reserve"
    for _ in range(30):
        reception.write(piece)
    assert sum(path.stat().st_size for path in store.spool.instances.iterdir()) < 2 * 2**20
    status = reception.finish()
    assert (status.code, status.short_comment) == (0xA700, "the disk is full to its reserve")
    assert in_spool(store.spool) == []
    assert receive(store.begin(SENDER, command_of(ds)), encoded(ds)).stored
    assert len(store.spool.segment_names()) == 1  # its place is used again


@pytest.mark.parametrize("pixels", [512, 300_000])
def test_an_instance_on_the_context_of_another_sop_class_is_refused(tmp_path: Path, pixels: int) -> None:
    ds, journal = instance(pixels=pixels - pixels % 256), Journal()
    store = store_at(tmp_path, journal)
    for abstract in ("1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.4"):
        status = receive(store.begin(SENDER, command_of(ds)._replace(abstract_syntax=abstract)), encoded(ds))
        assert status.code == 0x0122
    assert receive(
        store.begin(SENDER, command_of(ds)._replace(abstract_syntax=str(ds.SOPClassUID))), encoded(ds)
    ).stored
    assert len(journal.rows) == 1


@pytest.mark.parametrize("pixels", [1024, 300_032])
def test_an_instance_that_ends_inside_its_pixels_is_refused(tmp_path: Path, pixels: int) -> None:
    ds, journal = instance(pixels=pixels), Journal()
    store = store_at(tmp_path, journal)
    for missing in (1, pixels // 2):
        status = receive(store.begin(SENDER, command_of(ds)), encoded(ds)[:-missing], piece=100_000)
        assert (status.code, "ends inside" in status.comment) == (0xC000, True)
    assert journal.rows == []


def test_the_receipt_of_an_instance_has_a_longest_length(tmp_path: Path) -> None:
    """One above 16 MiB was written, acknowledged and never read again."""
    ds, journal = instance(), Journal()
    for keyword in ("StudyDescription", "SeriesDescription", "ProtocolName", "StationName", "Manufacturer"):
        setattr(ds, keyword, "y" * 60_000)
    store = store_at(tmp_path, journal)
    assert receive(store.begin(SENDER, command_of(ds)), encoded(ds)).stored
    assert len(journal.rows[0].attributes) < 300_000
    assert in_spool(store.spool) == [(SENDER, journal.rows[0])]


def test_without_a_row_there_is_no_success(tmp_path: Path) -> None:
    """E5: a failed journal insert was swallowed and Success sent."""
    ds = instance()
    store = store_at(tmp_path, Journal(broken=True))
    assert receive(store.begin(SENDER, command_of(ds)), encoded(ds)).code == 0x0110
    assert in_spool(store.spool) == []
    assert len(quarantined(store)) == 1


@pytest.mark.parametrize(
    ("changes", "code", "comment"),
    [
        ({"sop_instance_uid": "1.2.3"}, 0xA900, "SOP Instance UID differs"),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.4"}, 0xA900, "SOP Class UID differs"),
        ({"sop_instance_uid": ""}, 0xC000, "Affected SOP Instance UID"),
        ({"sop_instance_uid": "../../../x"}, 0xC000, "Affected SOP Instance UID"),
        ({"sop_instance_uid": "1" * 65}, 0xC000, "Affected SOP Instance UID"),
        ({"sop_class_uid": "CT"}, 0xC000, "Affected SOP Class UID"),
    ],
)
def test_a_command_that_does_not_fit_is_refused_with_its_reason(
    tmp_path: Path, changes: dict[str, str], code: int, comment: str
) -> None:
    ds, journal = instance(), Journal()
    store = store_at(tmp_path, journal)
    status = receive(store.begin(SENDER, command_of(ds, **changes)), encoded(ds))
    assert (status.code, journal.failures) == (code, 1)
    assert comment in status.comment
    assert len(status.short_comment) <= 64
    assert comment in quarantined(store)[0]


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
@pytest.mark.parametrize("value", [None, "", "../../../x", "1.2/../3", "1" * 65, "1.2.a", "\\"])
def test_a_missing_or_unsafe_uid_is_refused_and_quarantined(
    tmp_path: Path, keyword: str, value: str | None
) -> None:
    """E8: a StudyInstanceUID wrote outside the spool."""
    ds = instance()
    command = command_of(ds)
    data = encoded(ds)
    original = str(ds[keyword].value).encode()
    original += b"\0" * (len(original) % 2)
    element = ds[keyword].tag
    head = element.group.to_bytes(2, "little") + element.element.to_bytes(2, "little") + b"UI"
    old = head + len(original).to_bytes(2, "little") + original
    new = b""
    if value is not None:
        raw = value.encode() + b"\0" * (len(value) % 2)
        new = head + len(raw).to_bytes(2, "little") + raw
    assert data.count(old) == 1
    store = store_at(tmp_path / "spool", Journal())
    status = receive(store.begin(SENDER, command), data.replace(old, new))
    assert status.code == 0xC000
    assert keyword in status.comment
    assert len(quarantined(store)) == 1
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and "quarantine" not in path.parts]
    assert [path for path in outside if path.stat().st_size] == []


@pytest.mark.parametrize("uid", ["1.02.3", "1..3", "1.2.3\0", "0.0", "1.2.3."])
def test_uids_that_the_standard_forbids_and_senders_send_are_stored(tmp_path: Path, uid: str) -> None:
    ds, journal = instance(study=uid, series=uid), Journal()
    store = store_at(tmp_path, journal)
    assert receive(store.begin(SENDER, command_of(ds)), encoded(ds)).stored
    assert journal.rows[0].study_instance_uid == uid.rstrip("\0")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "data", [b"", b"\0" * 4096, bytes(range(256)) * 64, b"not a data set at all", b"\xff" * 999]
)
def test_what_cannot_be_parsed_is_refused_and_quarantined(tmp_path: Path, data: bytes) -> None:
    store = store_at(tmp_path, Journal())
    assert receive(store.begin(SENDER, command_of(instance())), data).code == 0xC000
    assert len(quarantined(store)) == 1


def test_a_cut_off_reception_leaves_others_of_the_same_instance_alone(tmp_path: Path) -> None:
    """A vanished sender's clean-up by name removed what another association had stored (DCMTK)."""
    ds, journal = instance(), Journal()
    store = store_at(tmp_path, journal)
    cut = store.begin(SENDER, command_of(ds))
    cut.write(encoded(ds)[:100])
    whole = store.begin(SENDER, command_of(ds))
    assert receive(whole, encoded(ds)).stored
    cut.abandon()
    assert [row for _, row in in_spool(store.spool)] == journal.rows


def test_the_same_instance_makes_the_same_file_whoever_sends_it(tmp_path: Path) -> None:
    ds, journal = instance(), Journal()
    store = store_at(tmp_path, journal)
    for _ in range(2):
        assert receive(store.begin(SENDER, command_of(ds)), encoded(ds)).stored
    first, second = journal.rows
    assert first.file != second.file
    files = [store.spool.read(row.file, row.bytes) for row in (first, second)]
    with files[0] as one, files[1] as other:
        assert one.read() == other.read()


def test_the_head_of_a_file_never_changes() -> None:
    """Its hash says which version of an instance it is: a new head makes a new version of everything."""
    head = part10_head("1.2.840.10008.5.1.4.1.1.2", "1.2.3.45", EXPLICIT)
    assert (
        hashlib.sha256(head).hexdigest() == "43b6774daa751f465a947aafdd0a26e4838c6fbfb96e9ea82506074eb23eb0c2"
    )
