"""Find a study, and show a timeline for each of its series transfers.

Find it by accession number, patient id, patient's name, any UID, AE title, edge, transfer, import or image
set. The beginning of a number, a name, a study or a series UID is enough. A whole one finds that one only.

examples:
  ops where PH26-0001
  ops where 2.25.1 --instances
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from typing import Any

from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.series.places import MOST
from dicom_ingest.operators.read.series.search import kinds, where
from dicom_ingest.operators.read.series.timeline import Timeline, timeline
from ops import filters
from ops.output import Output, text
from ops.targets.at_edges import ANNOUNCED
from ops.targets.target import Target

HELP = "find a study by accession number, patient id, UID, AE title, edge, transfer, import or image set"
TIMELINES = 3
"""With more series transfers than this a table comes first; each has its own timeline."""
COLUMNS = (
    "matched", "place", "modality", "series_instance_uid", "instances", "patient_id", "accession_number",
    "series_description", "transfer_id", "calling_ae", "first_received_at", "over_at", "detail",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("term", type=filters.term, metavar="TERM", help="what you know about it")
    filters.add_limit(parser, "series transfers", MOST)
    parser.add_argument("--instances", action="store_true", help="also list every instance with its verdict")


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: found in the index or at an edge; 1: found nowhere."""
    rows = where(target.index, arguments.term, arguments.limit)
    known = {(str(row["transfer_id"]), row["series_instance_uid"]) for row in rows}
    held = [row for row in target.edges_hold(arguments.term) if not _passed_on(row, known)]
    silent = [f"{row['edge']}: {row['trouble']}" for row in held if "trouble" in row]
    at_edges = [row for row in held if "trouble" not in row]
    if not (rows or at_edges):
        looked = ", ".join(kinds(arguments.term))
        why = "; ".join(silent) or "it has not reached an edge, or its edge cannot say so"
        sys.stderr.write(f"error: {target.name} does not know {arguments.term} as {looked}: {why}\n")
        return 1
    if output.as_json:
        indexed = [{"found": row, "timeline": timeline(target.index, row["pk"])} for row in rows]
        output.data([*indexed, *({"at_edge": row} for row in at_edges)])
        return 0
    for row in at_edges:
        show_held(row, output)
    if len(rows) > TIMELINES:
        output.table("Series transfers", rows, COLUMNS, narrow=True)
        output.line("One of them: where SERIES_INSTANCE_UID")
        return 0
    for row in rows:
        found = timeline(target.index, row["pk"])
        if found is not None:
            show(found, output, row["matched"], instances=arguments.instances)
    return 0


def _passed_on(row: Row, known: set[tuple[Any, Any]]) -> bool:
    """An edge still has its receipt, and the index has the series itself."""
    return row.get("state") == ANNOUNCED and (row["transfer_id"], row["series_instance_uid"]) in known


def show_held(row: Row, output: Output) -> None:
    """A series that is not in the index yet, in lines: at which edge, since when, why."""
    output.line(f"{row['modality'] or '?'} series {row['series_instance_uid']}", style="bold")
    sent = f"{row['instances_uploaded']} of {row['instances']} instances in S3"
    output.line(
        f"{'at edge':>20}  {row['edge']}, {row['state']} since {text_at(row, 'first_received_at')}; {sent}"
    )
    for name, key in {
        "study": "study_instance_uid",
        "patient": "patient_id",
        "accession": "accession_number",
        "from": "calling_ae",
        "transfer": "transfer_id",
    }.items():
        if row.get(key):
            output.line(f"{name:>20}  {row[key]}")
    output.line(
        f"{'now waits for':>20}  {row['waits_for'] or 'the index, which is told by an event'}", style="bold"
    )
    if row.get("said_at"):
        output.line(f"{'as it said at':>20}  {text_at(row, 'said_at')}")
    output.line("")


def text_at(row: Row, name: str) -> str:
    """A time as all others are shown."""
    return text(datetime.fromisoformat(row[name]))


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
    for later in found.later_executions:
        name, said = later["replay_name"] or "again", later["outcome"] or "under way"
        output.line(f"{'later':>20}  {text(later['started_at'])}  {name}: {said}")
    counts = ", ".join(f"{count} {verdict}" for verdict, count in found.verdicts.items())
    output.line(f"{'instances':>20}  {counts or 'none indexed yet'}")
    told = found.instances if instances else [row for row in found.instances if row["message"]]
    for row in told:
        output.line(f"{row['verdict']:>20}  {row['sop_instance_uid']}  {row['message'] or ''}".rstrip())
    output.line("")
