"""What was acknowledged and announced as missing is kept aside, with a note that says why and who sent it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_component.records.receipt import of_place
from edge_component.running import logs
from edge_component.running.clock import SYSTEM_CLOCK, Clock, moment
from edge_component.spool.folder import Spool, file_name
from edge_component.spool.quarantine import INSTANCE, REASON


class NotAsideError(LookupError):
    """There is no such file aside, or no such spool."""


@dataclass(frozen=True)
class AsideNote:
    """What the journal knew of the instance when it was announced as missing."""

    reason: str = ""
    sop_instance_uid: str = ""
    series_instance_uid: str = ""
    transfer_id: str = ""
    received_at: str = ""
    calling_ae: str = ""
    called_ae: str = ""


def note_missing(journal: sqlite3.Connection, spool: Spool, sequence: int) -> None:
    """Write the notes of the missing instances of a series transfer, before the journal forgets them."""
    for row in journal.execute(MISSING, (sequence,)).fetchall():
        facts = {**dict(row), "received_at": moment(row["received_at"]).isoformat()}
        del facts["file"]
        if spool.segment(of_place(row["file"])[0]).exists():
            _write(spool, f"{file_name(row['file'])}{INSTANCE}", AsideNote(**facts))


def _write(spool: Spool, name: str, note: AsideNote) -> None:
    path = note_of(spool.aside / name)
    with suppress(OSError):  # a full disk has no room for a note: the file itself says what it is
        spool.files.remove(path)
        file = spool.files.create(path)
        try:
            file.write(0, json.dumps(asdict(note), sort_keys=True).encode())
            file.sync()
        finally:
            file.close()


def note_of(path: Path) -> Path:
    """The path of a file's note: beside the file."""
    return path.with_suffix(REASON)


def read_note(path: Path) -> AsideNote:
    """The note of a file aside; an empty one where there is none that can be read."""
    try:
        return AsideNote(**json.loads(note_of(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return AsideNote()
    except (ValueError, TypeError) as error:  # cut off by a power cut
        logs.warning("note cannot be read", file=path.name, reason=type(error).__name__)
        return AsideNote()


def files_aside(spool: Spool, names: list[str]) -> list[Path]:
    """The files of these names, with or without their suffix; all where no name is given.

    Raises:
        NotAsideError: one of the names is not there, or this is not a spool.
    """
    if not (spool.again.is_dir() and spool.journal.is_file()):
        raise NotAsideError(f"{spool.root} is not the spool of an edge of this version")
    found = {path.stem: path for path in sorted(spool.aside.glob(f"*{INSTANCE}"))}
    wanted = [name.removesuffix(INSTANCE) for name in names]
    if unknown := [name for name in wanted if name not in found]:
        raise NotAsideError(f"{', '.join(unknown)}: no such file in {spool.aside}")
    return [found[name] for name in wanted or found]


def ask_again(spool: Spool, path: Path) -> None:
    """Ask the worker to send this file again, now or when the edge runs again.

    A rename is all that happens here, so it is safe beside a running edge: the one owner of the journal's
    transfers does the rest (`take_again`).
    """
    note = note_of(path)
    if note.exists():
        spool.files.rename(note, spool.again / note.name)
    spool.files.rename(path, spool.again / path.name)
    spool.files.sync_folder(spool.again)


def take_again(journal: sqlite3.Connection, spool: Spool, clock: Clock = SYSTEM_CLOCK) -> bool:
    """Take what was asked for. The worker calls it repeatedly."""
    asked = sorted(name for name in spool.files.names(spool.again) if name.endswith(INSTANCE))
    if not asked:
        return False
    from edge_component.announcing.readmission import readmit  # loads pydicom, which a worker rarely needs

    taken = [readmit(journal, spool, name, clock) for name in asked]
    return any(taken)


def back_aside(spool: Spool, name: str) -> None:
    """Undo `ask_again` for a file that cannot be taken: it was acknowledged, so it is never removed."""
    spool.files.rename(spool.again / name, spool.aside / name)
    note = note_of(spool.again / name)
    if note.exists():
        spool.files.rename(note, spool.aside / note.name)


MISSING = """
SELECT coalesce(i.problem, 'not uploaded') AS reason, i.sop_instance_uid, t.series_instance_uid,
       t.transfer_id, i.received_at, a.calling_ae, a.called_ae, i.file
  FROM instance i JOIN series_transfer t USING (sequence) JOIN association a USING (association)
 WHERE i.sequence = ? AND i.state = 'missing'
"""
