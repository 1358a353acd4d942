"""Send chosen series through the workflow again. Nothing is imported twice.

Choose series by a search term, as for the verb where; by day, edge, outcome or reason; by the key of a
manifest or by a prefix, as the verb audit prints them; or choose the events that could not be delivered.
--force imports again. --reindex imports nothing.

examples:
  ops reprocess --outcome FAILED --dry-run
  ops reprocess PH26-0001 --force
  ops reprocess --dead-letters
"""

from __future__ import annotations

import argparse
from typing import Any
from uuid import uuid4

from dicom_ingest.contracts.keys import KeyFormatError
from dicom_ingest.contracts.manifest import ManifestFormatError
from dicom_ingest.contracts.outcomes import Outcome
from dicom_ingest.operators import reprocess
from dicom_ingest.operators.read.places import kinds, where
from dicom_ingest.operators.reprocess import Reprocessor, Selection
from ops.errors import OperatorError
from ops.moments import day
from ops.output import Output
from ops.target import Target

HELP = "send series through the workflow again; --force imports again"
SELECTORS = ("day", "edge", "outcome", "reason")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("term", nargs="?", metavar="TERM", help="a search term, as for the verb where")
    parser.add_argument("--day", type=day, metavar="YYYY-MM-DD", help="sealed on this day (UTC)")
    parser.add_argument("--edge", metavar="NAME", help="of one edge, {stack}-{edge}")
    parser.add_argument("--outcome", choices=[outcome.value for outcome in Outcome], help="with this outcome")
    parser.add_argument("--reason", metavar="WORDS", help="part of the outcome's reason")
    parser.add_argument("--manifest", metavar="KEY", help="one manifest, known to the index or not")
    parser.add_argument("--prefix", help="{edge}/{transfer}/, also without a manifest")
    parser.add_argument("--dead-letters", action="store_true", help="events that could not be delivered")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--force", action="store_true", help="import again what has been imported already")
    how.add_argument("--reindex", action="store_true", help="write the index again, import nothing")
    parser.add_argument("--dry-run", action="store_true", help="list what would be processed")


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: executions were started, or listed; 1: nothing was selected."""
    worker = _reprocessor(target, "force" if arguments.force else "reindex" if arguments.reindex else None)
    ways = [
        arguments.term is not None,
        any(getattr(arguments, name) for name in SELECTORS),
        arguments.manifest is not None,
        arguments.prefix is not None,
        arguments.dead_letters,
    ]
    if sum(ways) != 1:
        raise OperatorError(
            "reprocess: say which in one way: TERM, or --day, --edge, --outcome, --reason together, "
            "or --manifest, --prefix, --dead-letters"
        )
    try:
        rows = _work(arguments, target, worker)
    except (KeyFormatError, ManifestFormatError) as error:
        raise OperatorError(f"reprocess: {error}") from error
    if output.as_json:
        output.data(rows)
    else:
        output.table("Would be reprocessed" if arguments.dry_run else "Executions started", rows)
        if not rows:
            output.line(_why_nothing(arguments))
    return 0 if rows else 1


def _why_nothing(arguments: argparse.Namespace) -> str:
    """What was looked for, and what else to try."""
    if arguments.dead_letters:
        return "the dead-letter queue is empty"
    if arguments.prefix is not None:
        return f"no objects under {arguments.prefix}"
    if arguments.term is not None:
        looked = ", ".join(kinds(arguments.term))
        return f"the index does not know {arguments.term} as {looked}: try `ops where {arguments.term}`"
    return "no series transfer matches these selectors: `ops status` lists them"


def _reprocessor(target: Target, purpose: str | None) -> Reprocessor:
    """What starts executions at the target; the replay's name says what they may do."""
    return Reprocessor(
        s3=target.client("s3"),
        stepfunctions=target.client("stepfunctions"),
        bucket=target.bucket,
        stack=target.stack,
        state_machine_arn=target.state_machine_arn,
        replay_name=f"{purpose}-{uuid4().hex[:12]}" if purpose else "",
    )


def _work(arguments: argparse.Namespace, target: Target, worker: Reprocessor) -> list[dict[str, Any]]:
    if arguments.dead_letters:
        return _dead_letters(arguments, target)
    if arguments.prefix is not None:
        below = [{"prefix": str(series)} for series in worker.series_below(arguments.prefix)]
        return below if arguments.dry_run else [{"execution": arn} for arn in worker.prefix(arguments.prefix)]
    rows = _chosen(arguments, target)
    if not arguments.dry_run:
        for row in rows:
            row["execution"] = worker.manifest(row["manifest_key"])
    return rows


def _chosen(arguments: argparse.Namespace, target: Target) -> list[dict[str, Any]]:
    if arguments.manifest is not None:
        return [{"manifest_key": arguments.manifest}]
    if arguments.term is not None:
        columns = ("series_instance_uid", "place", "detail", "manifest_key")
        return [{name: row[name] for name in columns} for row in where(target.index, arguments.term)]
    selection = Selection(**{name: getattr(arguments, name) or None for name in SELECTORS})
    return [dict(vars(each)) for each in reprocess.select(target.index, selection)]


def _dead_letters(arguments: argparse.Namespace, target: Target) -> list[dict[str, Any]]:
    if arguments.dry_run:
        raise OperatorError("reprocess --dead-letters --dry-run: looking at a queue hides its messages")
    started, left = reprocess.redrive(
        target.client("sqs"),
        target.dead_letters_url,
        target.client("stepfunctions"),
        target.state_machine_arn,
    )
    return [{"executions": started, "other_messages_left": left}] if started or left else []
