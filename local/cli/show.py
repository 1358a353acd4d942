"""``show SERIES_UID``: everything that is known of one series."""

from __future__ import annotations

import argparse
import sys

from local.cli.common import add_run_name, the_run
from local.databases import session
from local.index_queries import history_of_series
from local.tables import console, draw

HELP = "everything that is known of one series"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("series_instance_uid", metavar="SERIES_UID")
    add_run_name(parser)


def run(arguments: argparse.Namespace) -> int:
    """0: found; 1: the index does not know it."""
    output, state = console(), the_run(arguments)
    with session(state.database_url) as connection:
        found = history_of_series(connection, arguments.series_instance_uid)
    if not found["Series transfers"]:
        sys.stderr.write(
            f"error: the index does not know series {arguments.series_instance_uid}: "
            "it may still be at the edge, see `status`\n"
        )
        return 1
    for title, rows in found.items():
        draw(output, title, rows)
    return 0
