"""Show that nothing is missing: announced = in S3 = indexed = imported + explained.

Sums for each edge and day come first, then the differences with their reasons.

examples:
  ops ledger
  ops ledger --since 2026-11-21
"""

from __future__ import annotations

import argparse

from dicom_ingest.operators.read.ledger import differences, sums
from ops.moments import day
from ops.output import Output
from ops.target import Target

HELP = "compare what was announced, in S3, indexed and imported"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--since", type=day, metavar="YYYY-MM-DD", help="sealed on this day or later (UTC)")
    parser.add_argument("--limit", type=int, default=200, help="differences (default: %(default)s)")


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: everything balances; 1: there are differences."""
    summed = sums(target.index, arguments.since)
    found = differences(target.index, arguments.since, arguments.limit)
    if output.as_json:
        output.data({"sums": summed, "differences": found})
    else:
        output.table("Ledger", summed)
        output.table("Differences", found)
    return 1 if found else 0
