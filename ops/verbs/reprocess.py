"""``reprocess``: send a series transfer through the workflow again. What is imported is not imported twice.

By a search term, for what the index knows; by ``--manifest KEY``, for what its event never reached.
"""

from __future__ import annotations

import argparse

from ops.errors import OperatorError
from ops.output import Output
from ops.reprocessing import event_of_manifest, event_of_row, start
from ops.target import Target

HELP = "send series through the workflow again; --force imports again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("term", nargs="?", metavar="TERM", help="as of `where`")
    parser.add_argument("--manifest", metavar="KEY", help="the S3 key of a manifest, as `audit` names it")
    parser.add_argument("--force", action="store_true", help="import again what is imported already")
    parser.add_argument("--yes", action="store_true", help="also when TERM means several series transfers")


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: executions were started."""
    if (arguments.term is None) == (arguments.manifest is None):
        raise OperatorError("reprocess: give either TERM or --manifest KEY")
    if arguments.manifest:
        events = [event_of_manifest(target, arguments.manifest)]
    else:
        events = event_of_row(target, arguments.term)
        if len(events) > 1 and not arguments.yes:
            raise OperatorError(
                f"reprocess {arguments.term}: that means {len(events)} series transfers; "
                "name one by its series UID, or add --yes"
            )
    started = [start(target, event, force=arguments.force) for event in events]
    if output.as_json:
        output.data(started)
    else:
        output.table("Executions started", started)
    return 0
