"""``reprocess``: work done again on purpose, from the manifests in S3 (or, without one, from the headers)."""

from __future__ import annotations

import argparse
import sys
from datetime import date

from dicom_ingest import reprocess
from dicom_ingest.contracts.outcomes import Outcome
from dicom_ingest.reprocess import Chosen, Reprocessor, Selection
from local.cli.common import add_run_name, the_run
from local.clients import Clients
from local.databases import session
from local.tables import console, table

HELP = "work on series again: by series, study, day, edge, outcome, reason, manifest or prefix"
SELECTORS = ("series", "study", "day", "edge", "outcome", "reason")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--series", metavar="UID")
    parser.add_argument("--study", metavar="UID")
    parser.add_argument("--day", type=date.fromisoformat, metavar="YYYY-MM-DD", help="sealed on it, UTC")
    parser.add_argument("--edge", metavar="NAME", help="{stack}-{edge}")
    parser.add_argument("--outcome", choices=[outcome.value for outcome in Outcome])
    parser.add_argument("--reason", metavar="WORDS", help="part of the outcome's words")
    parser.add_argument("--manifest", metavar="KEY", help="one manifest, known to the index or not")
    parser.add_argument("--prefix", metavar="PREFIX", help="{edge}/{transfer}/, also without a manifest")
    parser.add_argument("--dead-letters", action="store_true", help="events that could not be delivered")
    parser.add_argument(
        "--replay-name", default="", help="reindex-… only indexes, force-… imports again; default: converge"
    )
    parser.add_argument("--dry-run", action="store_true", help="list what would be worked on")
    add_run_name(parser)


def run(arguments: argparse.Namespace) -> int:
    """0: executions were started (or listed); 1: nothing is selected; 2: no selection at all."""
    state = the_run(arguments)
    selection = Selection(**{name: getattr(arguments, name) for name in SELECTORS})
    if not (
        any(vars(selection).values()) or arguments.manifest or arguments.prefix or arguments.dead_letters
    ):
        sys.stderr.write("error: say which: --series, --study, --day, --edge, --outcome, --reason, ...\n")
        return 2
    clients = Clients(state.aws_url)
    if arguments.dead_letters:
        started, left = reprocess.redrive(
            clients.sqs, state.dead_letters_url, clients.stepfunctions, state.state_machine_arn
        )
        console().print(f"{started} executions started, {left} other messages left where they are")
        return 0
    worker = Reprocessor(
        s3=clients.s3,
        stepfunctions=clients.stepfunctions,
        bucket=state.bucket,
        stack=state.stack,
        state_machine_arn=state.state_machine_arn,
        replay_name=arguments.replay_name,
    )
    if arguments.prefix:
        return _prefix(worker, arguments)
    chosen = [Chosen(arguments.manifest, "", None, None)] if arguments.manifest else []
    if not chosen:
        with session(state.database_url) as connection:
            chosen = reprocess.select(connection, selection)
    console().print(table("Series transfers", [vars(each) for each in chosen]))
    if not arguments.dry_run:
        for each in chosen:
            worker.manifest(each.manifest_key)
        console().print(f"{len(chosen)} executions started: see `status`")
    return 0 if chosen else 1


def _prefix(worker: Reprocessor, arguments: argparse.Namespace) -> int:
    if arguments.dry_run:
        found = [str(series) for series in worker.series_below(arguments.prefix)]
        console().print(table("Series", [{"prefix": prefix} for prefix in found]))
    else:
        found = worker.prefix(arguments.prefix)
        console().print(f"{len(found)} executions started: see `status`")
    return 0 if found else 1
