"""Take series off the list that needs attention. --undo puts them back.

TERM is a whole number or UID: the beginning is not enough. Only series that ended FAILED, UNKNOWN, PARTIAL or
NON_PRIMARY change. A series that is processed again and ends so once more returns to the list.

example:
  ops acknowledge PH26-0001 --reason "a test, agreed with radiology"
"""

from __future__ import annotations

import argparse

from dicom_ingest.db.series import actions
from dicom_ingest.operators.read.series.places import NEED_ATTENTION
from dicom_ingest.operators.read.series.search import where
from ops import filters
from ops.errors import OperatorError
from ops.output import Output
from ops.targets.target import Target

HELP = "take series off the list that needs attention, with a reason"
COLUMNS = ("place", "modality", "patient_id", "accession_number", "series_description", "series_instance_uid")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    filters.add_term(parser)
    parser.add_argument("--reason", help="why; needed unless --undo or --dry-run")
    parser.add_argument("--undo", action="store_true", help="put them back on the list")
    parser.add_argument("--dry-run", action="store_true", help="list what would be acknowledged")


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: some were changed, or listed; 1: nothing matched."""
    if not (arguments.reason or arguments.undo or arguments.dry_run):
        raise OperatorError("acknowledge needs --reason WORDS: the timeline shows it")
    found = [row for row in where(target.index, arguments.term, whole=True) if row["place"] in NEED_ATTENTION]
    if not arguments.dry_run:
        writer = target.open_writer()
        try:
            who, why = target.who(), arguments.reason or ""
            found = [
                row for row in found
                if actions.acknowledge(writer, row["pk"], who, why, undo=arguments.undo)
            ]  # fmt: skip
        finally:
            writer.close()
    if output.as_json:
        output.data(found)
    elif found:
        title = "Would be acknowledged" if arguments.dry_run else "Acknowledged"
        output.table("Back on the list" if arguments.undo else title, found, COLUMNS, narrow=True)
    else:
        state = "acknowledged" if arguments.undo else "in need of attention"
        output.line(f"{arguments.term}: no series is {state}. See: ops where {arguments.term}")
    return 0 if found else 1
