"""Show that nothing is missing: announced = in S3 = indexed = imported + explained.

Sums for each edge and day come first, then the differences with their reasons. Then come the imports: how
many were started for how many series, and the newest that several series share.

examples:
  ops ledger
  ops ledger --since 2026-11-21
"""

from __future__ import annotations

import argparse

from dicom_ingest.operators.read.ledger import differences, sums
from dicom_ingest.operators.read.series.shared import LISTED, members, shared, starts
from ops import filters
from ops.moments import day
from ops.output import Output
from ops.targets.target import Target

COLUMNS = (
    "import_id", "leader", "led_by_series", "series", "series_over", "instances", "scanned", "imported",
    "edge", "transfer_id",
)  # fmt: skip
MOST_MEMBERS = 1000
"""Series that JSON names of each: the RDS Data API answers 1 MiB at most."""
HELP = "compare what was announced, in S3, indexed and imported"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--since", type=day, metavar="YYYY-MM-DD", help="sealed on this day or later (UTC)")
    filters.add_limit(parser, "differences", 200)


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: everything balances; 1: there are differences."""
    index, since = target.index, arguments.since
    summed, found = sums(index, since), differences(index, since, arguments.limit)
    started, together = starts(index, since), shared(index, since)
    if output.as_json:
        listed = [row | {"members": members(index, row["bundle"], MOST_MEMBERS)} for row in together]
        output.data({"sums": summed, "differences": found, "starts": started, "shared_imports": listed})
        return 1 if found else 0
    output.table("Ledger", summed)
    output.table("Differences", found)
    output.table("Imports started", started)
    if together:
        output.table(f"The newest imports that several series share, at most {LISTED}", together, COLUMNS)
        output.line("The series of one: where IMPORT_ID")
    return 1 if found else 0
