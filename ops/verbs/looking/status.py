"""Show the flow in numbers, then where every series transfer is. Filters narrow the list.

examples:
  ops status --needs-attention
  ops status --under-way --modality CT
"""

from __future__ import annotations

import argparse

from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.series.places import COUNTED, MOST, Filter, places, total
from dicom_ingest.operators.read.state.attention import attention
from dicom_ingest.operators.read.state.flow import HOURS, flow, outcomes
from ops import filters
from ops.filters import add_filters
from ops.output import Output, text
from ops.targets.target import Target

HELP = "show the flow in numbers, and where every series transfer is"
COLUMNS = (
    "place", "modality", "patient_id", "accession_number", "series_instance_uid", "detail", "instances",
    "first_received_at", "calling_ae", "edge", "series_description", "over_at",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    add_filters(parser)
    filters.add_limit(parser, "newest series transfers", MOST)


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0, whatever there is."""
    chosen, unknown = filters.chosen(arguments, target.index)
    said, counts, ended = target.edges_say(), flow(target.index), outcomes(target.index)
    rows = places(target.index, chosen, arguments.limit)
    if output.as_json:
        output.data({"edges_say": said, "flow": counts, "outcomes": ended, "series_transfers": rows})
        return 0
    for call in attention(target.index, said):
        since = f" (since {text(call.since)})" if call.since else ""
        output.line(f"! {call.words}{since}. {call.do}; {call.see}", style="bold")
    for edge in said:
        output.line(f"{edge['edge']}: {edge.get('trouble') or _counts(edge)}")
    shut = " (paused)" if counts["paused"] else " (gate closed)" if counts["gate_closed"] else ""
    output.line(
        f"{target.name}, last {HOURS} hours: "
        f"{counts['series_announced']} series announced, {counts['series_indexed']} indexed, "
        f"{counts['series_waiting']} waiting{shut}, {counts['series_importing']} importing "
        f"(in {counts['slots_held']} of {counts['capacity']} slots), {counts['image_sets']} image sets, "
        f"{counts['series_needing_attention']} need attention"
    )
    output.line(
        f"in the last minute {counts['series_announced_last_minute']} announced, "
        f"{counts['series_over_last_minute']} finished; in the last {HOURS} hours "
        + (", ".join(f"{count} {outcome}" for outcome, count in ended.items()) or "none finished")
    )
    output.table(_title(len(rows), total(target.index, chosen)), rows, COLUMNS, narrow=True)
    for words in unknown:
        output.line(words)
    if not rows and not unknown:
        output.line(
            "no series matches" if chosen != Filter() else "the index is empty: nothing was announced yet"
        )
    return 0


def _title(shown: int, whole: int) -> str:
    if whole <= shown:
        return "Series transfers"
    return f"Series transfers, {shown} of {'more than ' if whole > COUNTED else ''}{min(whole, COUNTED)}"


def _counts(edge: Row) -> str:
    words = {
        "instances_received": "instances received",
        "instances_duplicate": "of them duplicates",
        "instances_uploaded": "uploaded",
        "series_open": "series open",
        "spool_instances": "instances in the spool",
    }
    return ", ".join(f"{edge[name]} {said}" for name, said in words.items() if edge.get(name) is not None)
