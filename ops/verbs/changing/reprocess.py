"""Send chosen series through the workflow again. Nothing is imported twice.

Choose series in one of these ways: by a whole number or UID; by day, edge, AE title, modality,
outcome or its detail, together; by the key of a manifest or a prefix, as the verb audit prints them; or the
events that could not be delivered (--dead-letters). --force imports again. --reindex imports nothing. Each
series' timeline shows who did it, when and why.

examples:
  ops reprocess --outcome FAILED --edge edge1 --dry-run
  ops reprocess --outcome FAILED --edge edge1 --reason "the archive is repaired"
  ops reprocess PH26-0001 --force
  ops reprocess --dead-letters
"""

from __future__ import annotations

import argparse
from typing import Any
from uuid import uuid4

from dicom_ingest.contracts.keys import SeriesPrefix, parse_manifest_key
from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.db.series.actions import note
from dicom_ingest.operators import reprocess
from dicom_ingest.operators.bulk import matching, sizes
from dicom_ingest.operators.read.index import Row, first
from dicom_ingest.operators.read.series.choices import resolved
from dicom_ingest.operators.read.series.places import Filter, places
from dicom_ingest.operators.read.series.search import kinds
from dicom_ingest.operators.read.state.attention import counted
from dicom_ingest.operators.reprocess import Reprocessor, Selection
from ops import filters
from ops.errors import OperatorError
from ops.moments import day
from ops.output import Output
from ops.targets.target import Target

HELP = "send series through the workflow again; --force imports again"
SELECTORS = ("day", "edge", "ae", "modality", "outcome", "detail")
COLUMNS = (
    "modality", "patient_id", "accession_number", "series_instance_uid", "outcome", "detail", "instances",
    "execution", "other_messages_left", "prefix", "manifest_key",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    filters.add_term(parser, nargs="?")
    parser.add_argument("--day", type=day, metavar="YYYY-MM-DD", help="sealed on this day (UTC)")
    parser.add_argument("--edge", metavar="NAME", help="of one edge")
    parser.add_argument("--ae", metavar="TITLE", help="of this AE title, calling or called")
    parser.add_argument("--modality", help="e.g. CT")
    parser.add_argument("--outcome", choices=[outcome.value for outcome in Outcome], help="with this outcome")
    parser.add_argument("--detail", metavar="WORDS", help="part of the outcome's detail")
    parser.add_argument("--manifest", metavar="KEY", help="one manifest, known to the index or not")
    parser.add_argument("--prefix", help="{edge}/{transfer}/, also without a manifest")
    parser.add_argument("--dead-letters", action="store_true", help="events that could not be delivered")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--force", action="store_true", help="import again what has been imported already")
    how.add_argument("--reindex", action="store_true", help="write the index again, import nothing")
    parser.add_argument("--dry-run", action="store_true", help="list what would be processed")
    parser.add_argument("--reason", default="", help="why; the timeline shows it")


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
            f"reprocess: say which in one way: TERM, or {', '.join(f'--{name}' for name in SELECTORS)} "
            "together, or --manifest, --prefix, --dead-letters"
        )
    try:
        rows = _work(arguments, target, worker)
    except reprocess.UNUSABLE as error:
        raise OperatorError(f"reprocess: {error}") from error
    if output.as_json:
        output.data(rows)
    else:
        title = "Would be reprocessed" if arguments.dry_run else "Executions started"
        output.table(title, rows, COLUMNS, narrow=True)
        output.line(_summed(rows) if rows else _why_nothing(arguments, target))
    return 0 if rows else 1


def _summed(rows: list[dict[str, Any]]) -> str:
    """How many series of how many studies, as far as the index knows them."""
    known = [row for row in rows if "instances" in row]
    return sizes(known) if known else counted(sum("execution" in row for row in rows), "execution")


def _why_nothing(arguments: argparse.Namespace, target: Target) -> str:
    """What was looked for, and what else to try."""
    if arguments.dead_letters:
        return "the dead-letter queue is empty"
    if arguments.prefix is not None:
        return f"no objects under {arguments.prefix}"
    if arguments.term is not None:
        looked = ", ".join(kinds(arguments.term))
        return f"the index does not know {arguments.term} as {looked}: try `ops where {arguments.term}`"
    unknown = _resolved(arguments, target)[1]
    return ". ".join(unknown) or "no series transfer matches these selectors: see ops status"


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
    rows = _chosen(arguments, target, worker)
    return rows if arguments.dry_run else _started(arguments, target, worker, rows)


def _started(
    arguments: argparse.Namespace, target: Target, worker: Reprocessor, rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Each is written down as soon as its execution has started."""
    action = "import again" if arguments.force else "index again" if arguments.reindex else "reprocess"
    who, writer = target.who(), target.open_writer()
    try:
        for row in rows:
            prefix = row.get("prefix")
            row["execution"] = worker.prefix(prefix)[0] if prefix else worker.manifest(row["manifest_key"])
            transfer, series = _named(row)
            note(
                writer, who, action, pk=row.get("pk"), transfer=transfer, series=series,
                reason=arguments.reason,
            )  # fmt: skip
    finally:
        writer.close()
    return rows


def _named(row: dict[str, Any]) -> tuple[str, str]:
    """Transfer and series: the index may not know them yet."""
    if "prefix" in row:
        prefix = SeriesPrefix(*row["prefix"].strip("/").split("/"))
        return prefix.transfer_id, prefix.series_instance_uid
    key = parse_manifest_key(row["manifest_key"])
    return key.transfer_id, key.series_instance_uid


def _chosen(arguments: argparse.Namespace, target: Target, worker: Reprocessor) -> list[dict[str, Any]]:
    if arguments.prefix is not None:
        return [_below(target, series) for series in worker.series_below(arguments.prefix)]
    if arguments.manifest is not None:
        key = parse_manifest_key(arguments.manifest)
        known = places(target.index, Filter(transfer=key.transfer_id, series=key.series_instance_uid))
        return [_row(row) for row in known] or [{"manifest_key": arguments.manifest}]
    if arguments.term is not None:
        return [_row(row) for row in matching(target.index, Filter(), arguments.term, whole=True)]
    meant, _ = _resolved(arguments, target)
    selection = Selection(
        day=arguments.day,
        edge=meant.edge,
        ae=meant.ae,
        modality=meant.modality,
        outcome=arguments.outcome,
        detail=arguments.detail,
    )
    return [dict(vars(each)) for each in reprocess.select(target.index, selection)]


def _below(target: Target, series: SeriesPrefix) -> dict[str, Any]:
    """A series under a prefix; the index may not know it yet."""
    return {"prefix": str(series), **_known(target, series.transfer_id, series.series_instance_uid)}


def _known(target: Target, transfer: str, series: str) -> dict[str, Any]:
    """The series transfer's `pk`; nothing if the index does not know it yet."""
    row = first(places(target.index, Filter(transfer=transfer, series=series), most=1))
    return {"pk": row["pk"]} if row else {}


def _row(row: Row) -> dict[str, Any]:
    columns = (
        "pk", "manifest_key", "study_instance_uid", "series_instance_uid", "modality", "instances",
        "patient_id", "accession_number", "detail",
    )  # fmt: skip
    return {"outcome": row["place"], **{name: row[name] for name in columns}}


def _resolved(arguments: argparse.Namespace, target: Target) -> tuple[Filter, list[str]]:
    """Edge, AE title and modality as the index writes them, and a sentence for each that it does not have."""
    meant = Filter(edge=arguments.edge, ae=arguments.ae, modality=arguments.modality)
    return resolved(target.index, meant)


def _dead_letters(arguments: argparse.Namespace, target: Target) -> list[dict[str, Any]]:
    if arguments.dry_run:
        raise OperatorError("reprocess --dead-letters --dry-run: looking at a queue hides its messages")
    rows, others = [], 0
    who, writer = target.who(), target.open_writer()
    try:
        for found in reprocess.redrive(
            target.client("sqs"),
            target.dead_letters_url,
            target.client("stepfunctions"),
            target.state_machine_arn,
        ):
            if found is None:
                others += 1
                continue
            transfer, series = found.transfer_id, found.series_instance_uid
            known = _known(target, transfer, series)
            action, pk = "dead letter reprocessed", known.get("pk")
            note(writer, who, action, pk=pk, transfer=transfer, series=series, reason=arguments.reason)
            rows.append({**vars(found), **known})
    finally:
        writer.close()
    return [*rows, {"other_messages_left": others}] if others else rows
