"""Query the index in SQL. The connection is read-only.

example:
  ops sql "SELECT * FROM ledger WHERE NOT balanced"
"""

from __future__ import annotations

import argparse

from ops.output import Output
from ops.targets.target import Target

HELP = "query the index in SQL, read-only"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("statement", metavar="SQL", help='e.g. "SELECT * FROM Ahlijob"')


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: the rows; PostgreSQL's own words where it refuses."""
    rows = target.index.run(arguments.statement)
    if output.as_json:
        output.data(rows)
    else:
        output.table("Rows", rows)
    return 0
