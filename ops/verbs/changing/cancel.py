"""Take series that wait for a slot out of the queue. Each ends FAILED, and reprocess imports it later.

Choose by a whole number or UID, by filters, as for the verb status, or by both. --dry-run lists what
would be cancelled. A series that got its slot meanwhile is left alone. Each series' timeline shows
who did it, when and why.

examples:
  ops cancel --edge edge1 --modality MR --dry-run
  ops cancel --edge edge1 --modality MR --reason "the wrong archive"
  ops cancel PH26-0001 --reason "sent twice"
"""

from __future__ import annotations

import argparse

from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.operators.bulk import eligible, matching, sizes
from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.series.places import Filter
from ops import filters
from ops.errors import OperatorError
from ops.output import Output
from ops.targets.target import Target

HELP = "take waiting series out of the queue, by a term or by filters"
COLUMNS = (
    "modality", "patient_id", "accession_number", "series_description", "series_instance_uid", "instances",
    "calling_ae", "edge", "first_received_at", "ticket_id",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    filters.add_term(parser, nargs="?")
    filters.add_filters(parser)
    parser.add_argument("--reason", default="", help="why; needed unless --dry-run")
    parser.add_argument("--dry-run", action="store_true", help="list what would be cancelled")


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: some were cancelled, or listed; 1: nothing that waits matched."""
    chosen, unknown = filters.chosen(arguments, target.index)
    if arguments.term is None and chosen == Filter():
        raise OperatorError("cancel: say which: TERM, or a filter such as --edge; for all: --place waiting")
    if not (arguments.reason or arguments.dry_run):
        raise OperatorError("cancel needs --reason WORDS: the timeline shows it")
    matched = matching(target.index, chosen, arguments.term or "", whole=True)
    found = eligible("cancel", matched)
    if not arguments.dry_run:
        found = _cancelled(target, found, arguments.reason)
    if output.as_json:
        output.data(found)
    else:
        output.table("Would be cancelled" if arguments.dry_run else "Cancelled", found, COLUMNS, narrow=True)
        others = f"{len(matched)} match, and none waits" if matched else "no series matches"
        output.line(sizes(found) if found else ". ".join(unknown) or others)
    return 0 if found else 1


def _cancelled(target: Target, rows: list[Row], reason: str) -> list[Row]:
    """Those whose ticket still waited; then their executions are told."""
    who, writer = target.who(), target.open_writer()
    try:
        done = [
            row
            for row in rows
            if queue.cancel(writer, row["ticket_id"], f"cancelled by {who}: {reason}", who)
        ]
    finally:
        writer.close()
    if done:
        target.grant()
    return done
