"""``edges``: what every edge says of itself and what the index has of it; senders that fell silent."""

from __future__ import annotations

import argparse

from dicom_ingest.db.read_edges import edges, senders
from ops.output import Output
from ops.target import Target

HELP = "every edge: spool, disk, what it announced; senders and whether one fell silent"
HEARTBEAT = (
    "edge", "trouble", "version", "started_at", "heartbeat_at", "instances_received", "instances_duplicate",
    "instances_refused", "instances_uploaded", "series_announced", "series_open", "spool_instances",
    "spool_bytes", "oldest_unsent_at", "disk_free_bytes", "watermark", "certificate_expires_at",
)  # fmt: skip


def add_arguments(_: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(_: argparse.Namespace, target: Target, output: Output) -> int:
    """0: all is well; 1: an edge does not answer, or a sender fell silent against its own rhythm."""
    said, seen, heard = target.edges_say(), edges(target.index), senders(target.index)
    if output.as_json:
        output.data({"edges_say": said, "index_says": seen, "senders": heard})
    else:
        output.table("Edges, as they say", said, HEARTBEAT)
        output.table("Edges, as the index says", seen)
        output.table("Senders of the last days", heard)
    unwell = [row for row in said if "trouble" in row] + [row for row in heard if row["silent"]]
    return 1 if unwell else 0
