"""``where TERM``: where is my study? By accession number, patient id, any UID, AE title, transfer, import."""

from __future__ import annotations

import argparse
import sys

from dicom_ingest.db.read.places import MOST, kinds, where
from dicom_ingest.db.read.timeline import Timeline, timeline
from ops.output import Output, text
from ops.target import Target

HELP = "where is it? An accession number, patient id, UID, AE title, edge, transfer, import or image set"
TIMELINES = 3
"""With more series transfers than this a table comes first; each has its own timeline."""
COLUMNS = (
    "matched", "place", "modality", "instances", "patient_id", "accession_number", "series_description",
    "series_instance_uid", "transfer_id", "calling_ae", "first_received_at", "over_at", "detail",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("term", metavar="TERM", help="what you know of it")
    parser.add_argument("--limit", type=int, default=MOST, help="series transfers (default: %(default)s)")
    parser.add_argument("--instances", action="store_true", help="every instance with its verdict, too")


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: found; 1: the index does not know it."""
    rows = where(target.index, arguments.term, arguments.limit)
    if not rows:
        looked = ", ".join(kinds(arguments.term))
        sys.stderr.write(
            f"error: {target.name} does not know {arguments.term} as {looked}: "
            "it may still be at an edge, see `edges`\n"
        )
        return 1
    if output.as_json:
        output.data([{"found": row, "timeline": timeline(target.index, row["pk"])} for row in rows])
        return 0
    if len(rows) > TIMELINES:
        output.table("Series transfers", rows, COLUMNS)
        output.line("One of them: where SERIES_INSTANCE_UID")
        return 0
    for row in rows:
        found = timeline(target.index, row["pk"])
        if found is not None:
            show(found, output, row["matched"], instances=arguments.instances)
    return 0


def show(found: Timeline, output: Output, matched: str, *, instances: bool) -> None:
    """The timeline in lines: who and what, each step with its time, what it waits for, verdicts."""
    transfer = found.series_transfer
    output.line(f"{transfer['modality'] or '?'} series {transfer['series_instance_uid']}", style="bold")
    for name, value in {
        "found as": matched,
        "study": transfer["study_instance_uid"],
        "patient": transfer["patient_id"],
        "accession": transfer["accession_number"],
        "described": " / ".join(
            filter(None, (transfer["study_description"], transfer["series_description"]))
        ),
        "correlation": transfer["correlation_id"],
        "execution": transfer["owner_execution"],
    }.items():
        if value:
            output.line(f"{name:>20}  {value}")
    before = None
    for step in found.steps:
        after = f"+{max(0.0, (step.at - before).total_seconds()):.1f} s" if step.at and before else ""
        before = step.at or before
        output.line(f"{text(step.at) or 'to come':>20}  {after:>10}  {step.name:<20} {step.words}".rstrip())
    if found.waits_for is not None:
        expected = found.waits_for.expected_over_at
        until = f"; expected to end about {text(expected)} UTC" if expected else ""
        output.line(f"{'now waits for':>20}  {found.waits_for.words}{until}", style="bold")
    for finding in transfer["findings"]:
        output.line(f"{'worth knowing':>20}  {finding}")
    counts = ", ".join(f"{count} {verdict}" for verdict, count in found.verdicts.items())
    output.line(f"{'instances':>20}  {counts or 'none indexed yet'}")
    told = found.instances if instances else [row for row in found.instances if row["message"]]
    for row in told:
        output.line(f"{row['verdict']:>20}  {row['sop_instance_uid']}  {row['message'] or ''}".rstrip())
    output.line("")
