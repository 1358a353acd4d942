"""``status``: where every series transfer is."""

from __future__ import annotations

import argparse

from local.cli.common import add_run_name, the_run
from local.databases import session
from local.edge_status import edge_status
from local.index_queries import places
from local.tables import console, draw

HELP = "where every series transfer is"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_run_name(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show the edge's counts, then a line per series transfer."""
    output, state = console(), the_run(arguments)
    if state.health_port is not None:
        edge = edge_status(state.health_port)
        output.print(
            f"{edge['edge']}: {edge['instances_received']} received, {edge['instances_uploaded']} uploaded, "
            f"{edge['series_announced']} series announced, {edge['series_open']} open, "
            f"{edge['spool_instances']} instances in the spool",
            highlight=False,
        )
    with session(state.database_url) as connection:
        draw(output, "Series transfers", places(connection))
    return 0
