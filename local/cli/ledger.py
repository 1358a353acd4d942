"""``ledger``: announced = in S3 = indexed = imported + explained, per series transfer."""

from __future__ import annotations

import argparse

from local.cli.common import add_run_name, the_run
from local.databases import session
from local.index_queries import ledger
from local.tables import console, draw

HELP = "announced, in S3, indexed, imported: does it balance?"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_run_name(parser)


def run(arguments: argparse.Namespace) -> int:
    """0: every series transfer balances; 1: one does not."""
    with session(the_run(arguments).database_url) as connection:
        rows = ledger(connection)
    draw(console(), "Ledger", rows)
    return 0 if all(row["balanced"] for row in rows) else 1
