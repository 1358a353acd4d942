"""Print a line whenever a series transfer moves on, until Ctrl-C.

On AWS every query keeps Aurora awake.

example:
  ops tail --all
"""

from __future__ import annotations

import argparse
import time
from datetime import datetime, timezone

from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.series.places import places
from ops.output import Output
from ops.targets.target import Target

HELP = "print a line whenever a series transfer moves on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--seconds", type=float, help="stop after this many seconds; default: at Ctrl-C")
    parser.add_argument("--interval", type=float, help="seconds between two queries; default: 0.5, on AWS 5")
    parser.add_argument("--all", action="store_true", help="first print where everything is now")


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0 at the end."""
    interval = arguments.interval or target.poll_seconds
    deadline = time.monotonic() + arguments.seconds if arguments.seconds is not None else float("inf")
    seen = {} if arguments.all else {row["pk"]: _mark(row) for row in places(target.index)}
    while True:
        for row in reversed(places(target.index)):
            if seen.get(row["pk"]) != _mark(row):
                seen[row["pk"]] = _mark(row)
                _say(row, output)
        if time.monotonic() + interval > deadline:
            return 0
        time.sleep(interval)


def _mark(row: Row) -> tuple[object, ...]:
    """What changes when it moves on: also when it runs a second time."""
    return row["place"], row["over_at"], row["running_at"]


def _say(row: Row, output: Output) -> None:
    if output.as_json:
        output.record(row)
        return
    now, place = datetime.now(timezone.utc), row["place"] or "over"
    output.line(
        f"{now:%H:%M:%S}  {place:<12} {row['modality'] or '?':<4} {row['instances']:>5} instances"
        f"  {row['series_instance_uid']}  {row['calling_ae']}  {row['detail'] or ''}".rstrip()
    )
