"""Compare S3 with the index now. Every difference comes with the command that fixes it.

examples:
  ops audit
  ops audit --days 14 --stack dicom-ingest
"""

from __future__ import annotations

import argparse

from dicom_ingest.operators.read.state.attention import counted
from ops.errors import OperatorError
from ops.output import Output
from ops.targets.target import Target

HELP = "compare S3 with the index, and list what is missing on either side"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument(
        "--days",
        type=int,
        default=3,
        metavar="NUMBER",
        help="check the manifests of this many days (default: %(default)s)",
    )


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: no difference; 1: there are some."""
    if not 1 <= arguments.days <= 366:
        raise OperatorError(f"--days {arguments.days}: 1 to 366 are allowed")
    reply = target.invoke("audit_uploads", {"days": arguments.days})
    if output.as_json:
        output.data(reply)
    else:
        output.line(f"{target.name}: {counted(reply['manifests'], 'manifest')} compared")
        output.table("Differences", reply["findings"])
        if reply["not_looked_at"]:
            output.line(f"{counted(reply['not_looked_at'], 'transfer')} not looked at: there was no time")
    return 1 if reply["findings"] else 0
