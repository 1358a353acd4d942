"""``python -m edge_component where TERM``: which series the edge holds, and what each waits for."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from edge_component.announcing.aside import read_note
from edge_component.journal.channels import channels
from edge_component.journal.migrations import JournalError
from edge_component.journal.reading import open_to_read
from edge_component.settings import load_settings
from edge_component.spool.folder import Spool
from edge_component.spool.quarantine import INSTANCE
from edge_component.watching.channels import problem_of
from edge_component.watching.holdings import UID, find

FACTS = {
    "study": "study_instance_uid",
    "patient": "patient_id",
    "accession": "accession_number",
    "from": "calling_ae",
    "transfer": "transfer_id",
    "received": "first_received_at",
    "until": "last_received_at",
    "complete": "sealed_at",
    "announced": "announced_at",
    "waits for": "waits_for",
    "problem": "problem",
}


def run(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """0: found; 1: the edge does not know it, or its journal cannot be read.

    Raises:
        SettingsError: no spool is given, and the settings cannot be used.
    """
    spool = Spool(options.spool or load_settings(environment, options.config).spool)
    term = options.term.strip()
    try:
        with closing(open_to_read(spool.journal)) as journal:
            series = _series(journal, term)
    except (JournalError, sqlite3.Error) as error:
        sys.stderr.write(f"{spool.journal} cannot be read: {error}\n")
        return 1
    aside = _aside(spool, term)
    if options.json:
        sys.stdout.write(json.dumps({"series": series, "aside": aside}, indent=2) + "\n")
    else:
        for row in series:
            _print(row)
        for row in aside:
            sys.stdout.write(f"aside  {row['sop_instance_uid']}  {row['file']}  {row['reason']}\n")
    if series or aside:
        return 0
    sys.stderr.write(
        f"{spool.root} does not know {term} as accession number, patient id, UID, AE title or transfer\n"
    )
    return 1


def _series(journal: sqlite3.Connection, term: str) -> list[dict[str, Any]]:
    problems = [problem for channel in channels(journal) if (problem := problem_of(channel, time.time()))]
    return [found.fields(problems) for found in find(journal, term)]


def _aside(spool: Spool, term: str) -> list[dict[str, str]]:
    """Instances that were announced as missing: their notes say whose they are."""
    found = []
    for path in sorted(spool.aside.glob(f"*{INSTANCE}")):
        note = read_note(path)
        known = (note.sop_instance_uid, note.series_instance_uid, note.transfer_id, note.calling_ae)
        begins = UID.fullmatch(term) and note.series_instance_uid.startswith(term)
        if begins or term in (*known, note.called_ae):
            found.append(
                {"sop_instance_uid": note.sop_instance_uid, "file": path.stem, "reason": note.reason}
            )
    return found


def _print(row: Mapping[str, Any]) -> None:
    sent = f"{row['instances_uploaded']} of {row['instances']} instances in S3"
    sys.stdout.write(
        f"{row['modality'] or '?'} series {row['series_instance_uid']}  {row['state']}, {sent}\n"
    )
    for name, field in FACTS.items():
        if (value := row[field]) not in (None, "") and (field != "problem" or value != row["waits_for"]):
            sys.stdout.write(f"{name:>12}  {value}\n")
