"""``python -m edge_component spool list`` and ``export FOLDER [UID…]``: whether the edge runs or not."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from dicom_ingest.contracts.uids import UnsafeIdentifierError, safe_uid
from edge_component.commands.contents import Contents, Found
from edge_component.records.rows import InstanceRow
from edge_component.running.clock import moment
from edge_component.settings import load_settings
from edge_component.spool.files import WritableFile
from edge_component.spool.folder import READ_BYTES, Spool, file_name
from edge_component.spool.hashing import AlteredError, Stored, compared, pieces_of
from edge_component.spool.quarantine import INSTANCE


def run(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """0: done; 1: something could not be read or written, is altered, or is not there.

    Raises:
        SettingsError: no spool is given, and the settings cannot be used.
    """
    spool = Spool(options.spool or load_settings(environment, options.config).spool)
    if not spool.instances.is_dir():
        return _refused(f"{spool.root} is not the spool of an edge")
    with closing(Contents(spool)) as contents:
        if options.action == "export":
            try:
                return export(spool, contents, options.folder, set(options.uids))
            except OSError as error:  # what concerns one instance is said there
                return _refused(f"{options.folder}: {error.strerror}")
        for found in contents.instances():
            _print(_uid(found), found.file, f"{found.record.row.bytes} bytes", *_facts(found))
        return int(contents.damaged)


def export(spool: Spool, contents: Contents, folder: Path, uids: set[str]) -> int:
    """A file each, of these SOP Instance UIDs or of all, under unused names; the exit code.

    Raises:
        OSError: the folder takes no files.
    """
    if folder.resolve().is_relative_to(spool.root.resolve()):
        return _refused(f"{folder} is in the spool: export to another folder")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    seen: set[str] = set()
    whole = True
    for found in contents.instances():
        sop_instance_uid = found.record.row.sop_instance_uid
        if uids and sop_instance_uid not in uids:
            continue
        try:
            stream = spool.read(found.file, found.record.row.bytes)
        except FileNotFoundError:
            continue  # released since
        seen.add(sop_instance_uid)
        with stream:
            whole &= _export_one(spool, stream, folder, found)
    if unknown := sorted(uids - seen):
        return _refused(*(f"{uid}: no such instance in {spool.instances}" for uid in unknown))
    return int(contents.damaged or not whole)


def _export_one(spool: Spool, stream: BinaryIO, folder: Path, found: Found) -> bool:
    """False: what was written is not what was received, or nothing was."""
    path, file = _create(spool, folder, found)
    try:
        with closing(file):
            problem = _copy(stream, file, found.record.row)
            file.sync()
    except OSError as error:
        spool.files.remove(path)
        _print("NOT EXPORTED", found.file, _uid(found), f"{error.strerror}")
        return False
    _print(path.name, found.file, *_facts(found), problem or "CRC-32 ok")
    return not problem


def _create(spool: Spool, folder: Path, found: Found) -> tuple[Path, WritableFile]:
    """A file with an unused name."""
    path, number = folder / f"{_uid(found)}{INSTANCE}", 1
    while True:
        try:
            return path, spool.files.create(path)
        except FileExistsError:
            number += 1
            path = folder / f"{_uid(found)}-{number}{INSTANCE}"


def _copy(stream: BinaryIO, file: WritableFile, row: InstanceRow) -> str:
    """What is wrong with the bytes, which are written all the same; empty: nothing."""
    at = 0
    while piece := stream.read(READ_BYTES):
        file.write(at, piece)
        at += len(piece)
    stream.seek(0)
    try:
        compared(pieces_of(stream), Stored.of(row))
    except AlteredError as error:
        return f"ALTERED: {error}"
    return ""


def _uid(found: Found) -> str:
    """The SOP Instance UID; the place of what claims to have one that is none, and may be a path."""
    try:
        return safe_uid(found.record.row.sop_instance_uid)
    except UnsafeIdentifierError:
        return file_name(found.file)


def _facts(found: Found) -> tuple[str, str, str]:
    record = found.record
    return record.sender.calling_ae, moment(record.row.received_at).isoformat(), found.state


def _print(*facts: str) -> None:
    sys.stdout.write(f"{'  '.join(facts)}\n")


def _refused(*problems: str) -> int:
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    return 1
