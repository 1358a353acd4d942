"""Show what each modality sends that HealthImaging refuses or warns about.

Every edge predicts this from the headers that it receives, and still sends everything. Counts are for each
sending AE title and for each day (UTC) on which series were sealed.

examples:
  ops modalities --since 2026-11-01 --until 2026-11-30
  ops modalities --by-day --json
"""

from __future__ import annotations

import argparse

from dicom_ingest.operators.read.modalities import findings, senders
from ops.errors import OperatorError
from ops.moments import day
from ops.output import Output
from ops.targets.target import Target

HELP = "conformance of each modality: what HealthImaging refuses or warns about"
SENDERS = (
    "modality", "calling_ae", "edges", "days", "series", "instances", "foretold", "warned", "refused",
)  # fmt: skip
FINDINGS = ("day", "consequence", "words", "modality", "instances", "days", "warned", "refused")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--since", type=day, metavar="YYYY-MM-DD", help="first day (default: the first one)")
    parser.add_argument("--until", type=day, metavar="YYYY-MM-DD", help="last day (default: today)")
    parser.add_argument("--by-day", action="store_true", help="count each day apart")


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: whatever was found. Nothing is withheld because of it.

    Raises:
        OperatorError: the last day is before the first.
    """
    since, until = arguments.since, arguments.until
    if since and until and until < since:
        raise OperatorError(f"--until must not be before --since {since}, not {until}")
    sent = senders(target.index, since, until)
    found = findings(target.index, since, until, by_day=arguments.by_day)
    if output.as_json:
        output.data({"senders": sent, "findings": found})
    else:
        output.table("Modalities", sent, SENDERS)
        output.table("What HealthImaging refuses or warns about", found, FINDINGS)
    return 0
