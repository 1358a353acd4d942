"""Show what every edge reports, what the index has of it, and which senders are silent.

examples:
  ops edges
  ops edges --stack dicom-ingest --json
"""

from __future__ import annotations

import argparse

from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.state.attention import unheard
from dicom_ingest.operators.read.state.edges import HOURS, RECENT_DAYS, edges, senders
from dicom_ingest.operators.read.state.line import bulk_senders, forecast, uplink
from ops.output import Output
from ops.targets.target import Target

HELP = "every edge: what is wrong, spool, disk, announcements; silent senders"
HEARTBEAT = (
    "edge", "trouble", "state", "version", "started_at", "heartbeat_at", "instances_received",
    "instances_duplicate",
    "instances_refused", "instances_uploaded", "instances_missing", "instances_with_problem",
    "series_announced", "series_open", "spool_instances",
    "spool_bytes", "oldest_unsent_at", "disk_free_bytes", "watermark", "certificate_expires_at",
    "silent_aes",
)  # fmt: skip


def add_arguments(_: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(_: argparse.Namespace, target: Target, output: Output) -> int:
    """0: all is well; 1: an edge says nothing, or that something is wrong."""
    seen, heard = edges(target.index), senders(target.index)
    said = target.edges_say()
    said += unheard(said, seen)
    if output.as_json:
        output.data({"edges_say": said, "index_says": seen, "senders": heard})
    else:
        output.table("Edges, as they say", said, HEARTBEAT)
        for line in [*problems(said), *lines(said)]:
            output.line(line)
        output.table(f"Edges, as the index says: received in the last {HOURS} hours", seen)
        output.table(f"Senders of the last {RECENT_DAYS} days", heard)
    wrong = (edge.get("trouble") or edge.get("silent_aes") or edge.get("problems") for edge in said)
    return 1 if any(wrong) else 0


def problems(said: list[Row]) -> list[str]:
    """What each edge says is wrong: since when, and where the runbook has it."""
    return [
        f"{edge['edge']} {problem['level']}: {problem['reason']} (see {problem['see']})"
        for edge in said
        for problem in edge.get("problems", [])
    ]


def lines(said: list[Row]) -> list[str]:
    """What each edge says of its line: the limit and its use, the forecast, what `bulk` senders meet."""
    told = {"uplink": uplink, "forecast": forecast, "bulk senders": bulk_senders}
    return [
        f"{edge['edge']} {name}: {words}"
        for edge in said
        for name, words_of in told.items()
        if (words := words_of(edge))
    ]
