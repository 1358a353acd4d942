"""``sql "SELECT ..."``: ask the index; nothing can be changed."""

from __future__ import annotations

import argparse
import sys

from dicom_ingest.errors import IndexRefusedError
from local.cli.common import add_run_name, the_run
from local.databases import session
from local.tables import console, draw

HELP = "ask the index; nothing can be changed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("statement", metavar="SQL", help='e.g. "SELECT * FROM Series"')
    add_run_name(parser)


def run(arguments: argparse.Namespace) -> int:
    """0: the rows; 1: PostgreSQL refused the statement."""
    state = the_run(arguments)
    with session(state.database_url) as connection:
        connection.run("SET default_transaction_read_only = on")
        try:
            rows = connection.run(arguments.statement)
        except IndexRefusedError as error:
            sys.stderr.write(f"error: {error.server_words}\n")
            return 1
    draw(console(), "Rows", rows)
    return 0
