"""From the bytes of a C-STORE to its answer: 0x0000 only when file and journal row are on the disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, Protocol

from dicom_ingest.contracts.uids import UnsafeIdentifierError, safe_uid
from edge_component.dimse.statuses import (
    SUCCESS,
    Status,
    cannot_understand,
    class_not_supported,
    does_not_match,
    out_of_resources,
    processing_failure,
)
from edge_component.journal.database import JournalError
from edge_component.receiving.datasets.header import Header, HeaderError, HeaderWalk
from edge_component.receiving.datasets.preflight import noted
from edge_component.records.receipt import encode_receipt
from edge_component.records.rows import AssociationRow, InstanceRow
from edge_component.running import logs
from edge_component.running.buffers import Bytes
from edge_component.running.clock import SYSTEM_CLOCK, Clock
from edge_component.spool.folder import Spool
from edge_component.spool.incoming import IncomingFile, SpoolError

SMALL_BYTES = 64 * 1024
"""A data set up to this length is walked in one go."""
MOST_PIECES = 256
"""Fragments that wait to be written together: an operating system takes 1,024 in one call."""
ROOM_BYTES = 2 * 1024 * 1024
"""So often it is asked whether there is room for the rest of an instance."""
PLACEHOLDER_UID = "0"
"""In the head of a file that goes to quarantine because its command named no usable UID."""


_known_uid = lru_cache(maxsize=256)(safe_uid)


class InstanceJournal(Protocol):
    """What the store needs of the journal."""

    def ready(self) -> None:
        """Raises JournalError if no more rows can be taken now."""
        ...

    def add_instance(self, sender: AssociationRow, row: InstanceRow, /) -> None:
        """Take a row that is on the disk, in its receipt."""
        ...

    def seal(self, segment: str, records: int) -> None:
        """All rows of a segment of the spool have been taken: so many."""
        ...

    def refused(self, code: int, calling_ae: str = "", reason: str = "") -> None:
        """Count a failure status: of this sender, for this reason."""
        ...


class Room(Protocol):
    """Whether the disk may take more."""

    def refusal(self, *, bulk: bool) -> str | None:
        """Why not, for the sender; None: it may. May wait a little to slow a sender down."""
        ...

    def refusal_now(self, *, bulk: bool) -> str | None:
        """Asked again while a large instance comes: why the rest of it is not taken."""
        ...

    def answer_after(self, *, bulk: bool) -> float:
        """Seconds that the answer to a stored instance waits."""
        ...


class StoreCommand(NamedTuple):
    """What a C-STORE-RQ says of the data set that follows it."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    abstract_syntax: str | None = None
    """What its presentation context was agreed on for; None: whatever the command says."""


class Reception:
    """One C-STORE on its way in: feed it the data set, then ask for the status.

    The driver of a connection calls `write` for every fragment and then `finish`, or `abandon`; and `settle`
    when the answer is out: no sender waits for what is left to do.
    """

    def __init__(
        self,
        store: Store,
        sender: AssociationRow,
        command: StoreCommand,
        spent: Callable[[int], None] = lambda _steps: None,
        *,
        bulk: bool = False,
    ) -> None:
        self.sender = sender
        self._bulk = bulk
        self._store = store
        self._refusal: Status | None = None
        self._file: IncomingFile | None = None
        self._stored: tuple[IncomingFile, InstanceRow] | None = None
        self._steps = 0
        self._walking = False
        """The data set is walked as it comes. A small one is walked in one go, when it is whole."""
        self._ask_at = ROOM_BYTES
        if why := store.room.refusal(bulk=bulk):
            self._refusal = out_of_resources(why)
            return
        self._sop_class = self._checked("Affected SOP Class UID", command.sop_class_uid)
        self._sop_instance = self._checked("Affected SOP Instance UID", command.sop_instance_uid)
        self._syntax = self._checked("transfer syntax", command.transfer_syntax_uid)
        if command.abstract_syntax not in (None, self._sop_class):
            comment = "the presentation context was agreed on for another SOP class"
            self._refusal = self._refusal or class_not_supported(comment)
        self._file = store.spool.receive(self._sop_class, self._sop_instance, self._syntax)
        self._walk = HeaderWalk(self._syntax, spent)

    def write(self, data: Bytes) -> None:
        """The next fragment of the data set; swallowed where the instance is refused anyway."""
        if (file := self._file) is None:
            return
        file.write(data)
        if self._walking:
            self._walk.feed(data)
        elif file.dataset_bytes > SMALL_BYTES:
            self._walk_on(file)
        if len(file.pieces) >= MOST_PIECES:
            self.spill()
        if file.dataset_bytes >= self._ask_at:
            self._ask_at += ROOM_BYTES
            self._ask_again(file)

    def spill(self) -> None:
        """Write what has come so far: the next fragments may overwrite the buffers it lies in."""
        if (file := self._file) is not None:
            self._walk_on(file)
            file.spill()

    def steps(self) -> int:
        """What the header has cost since this was asked last: elements that were stepped over."""
        walked = self._walk.steps if self._file is not None else self._steps
        steps, self._steps = walked - self._steps, walked
        return steps

    def finish(self) -> Status:
        """The answer; after 0x0000 the instance is ours to keep."""
        status = self._finish()
        if not status.stored:
            self._store.journal.refused(status.code, self.sender.calling_ae, status.comment)
            logs.warning(
                "instance refused",
                status=f"0x{status.code:04X}",
                reason=status.comment,
                calling_ae=self.sender.calling_ae,
                association=self.sender.association,
            )
        return status

    def settle(self) -> None:
        """What may be done after the answer: its row. A crash leaves that to a start."""
        if self._stored is not None:
            (file, row), self._stored = self._stored, None
            self._store.journal.add_instance(self.sender, row)
            file.let_go()

    def abandon(self) -> None:
        """The association ended in the middle."""
        if self._file is not None:
            file, self._file = self._file, None
            logs.warning(
                "instance cut off",
                bytes=file.dataset_bytes,
                calling_ae=self.sender.calling_ae,
                association=self.sender.association,
            )
            file.abandon()

    def _walk_on(self, file: IncomingFile) -> None:
        """From now on the data set is walked as it comes."""
        if not self._walking:
            self._walking = True
            for piece in file.pieces:
                self._walk.feed(piece)

    def _ask_again(self, file: IncomingFile) -> None:
        if why := self._store.room.refusal_now(bulk=self._bulk):
            self._refusal, self._file = out_of_resources(why), None
            file.abandon()

    def _checked(self, name: str, raw: str) -> str:
        try:
            return _known_uid(raw)
        except UnsafeIdentifierError as error:
            self._refusal = self._refusal or cannot_understand(f"{name}: {error}")
            return PLACEHOLDER_UID

    def _finish(self) -> Status:
        file, self._file = self._file, None
        if file is None:
            return self._refusal or processing_failure("no data set was expected")
        if file.error is not None:
            file.abandon()
            return out_of_resources("the spool did not take the instance")
        if self._refusal is not None:
            return self._quarantined(file, self._refusal)
        try:
            if not self._walking:
                self._walk.feed(b"".join(file.pieces), whole=True)
            header = self._walk.end()
        except HeaderError as error:
            return self._quarantined(file, cannot_understand(str(error)))
        if header.sop_instance_uid != self._sop_instance:
            return self._quarantined(file, does_not_match("SOP Instance UID differs from the command's"))
        if header.sop_class_uid != self._sop_class:
            return self._quarantined(file, does_not_match("SOP Class UID differs from the command's"))
        return self._kept(file, header)

    def _quarantined(self, file: IncomingFile, status: Status) -> Status:
        file.quarantine(
            status.comment,
            status=f"0x{status.code:04X}",
            calling_ae=self.sender.calling_ae,
            association=self.sender.association,
        )
        return status

    def _kept(self, file: IncomingFile, header: Header) -> Status:
        row = self._row(file, header)
        try:
            self._store.journal.ready()
            file.keep(encode_receipt(self.sender, row))
        except JournalError as error:
            return self._quarantined(file, processing_failure(str(error)))
        except SpoolError as error:
            logs.error("spool did not take an instance", reason=str(error))
            return out_of_resources("the spool did not take the instance")
        self._stored = file, row
        return SUCCESS

    def _row(self, file: IncomingFile, header: Header) -> InstanceRow:
        return InstanceRow(
            association=self.sender.association,
            file=file.place,
            received_at=self._store.clock(),
            study_instance_uid=header.study_instance_uid,
            series_instance_uid=header.series_instance_uid,
            sop_instance_uid=header.sop_instance_uid,
            sop_class_uid=header.sop_class_uid,
            transfer_syntax_uid=self._syntax,
            modality=header.modality,
            bytes=file.bytes,
            file_crc32=file.file_crc32,
            uid_findings=json.dumps(header.findings) if header.findings else "[]",
            attributes=header.attributes,
            foretold=noted(header.foretold, file.bytes),
        )


class Store:
    """Where receptions put what they receive."""

    def __init__(
        self, spool: Spool, journal: InstanceJournal, room: Room, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.spool = spool
        self.spool.segments.sealed = journal.seal
        self.journal = journal
        self.room = room
        self.clock = clock

    def begin(
        self,
        sender: AssociationRow,
        command: StoreCommand,
        spent: Callable[[int], None] = lambda _steps: None,
        *,
        bulk: bool = False,
    ) -> Reception:
        """A C-STORE-RQ has come; its data set follows.

        `spent` hears what inflating it costs, in steps. `bulk`: its sender gives way to others.
        """
        return Reception(self, sender, command, spent, bulk=bulk)
