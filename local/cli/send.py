"""Send a folder of DICOM files to the edge of a run, each file in its own transfer syntax.

example:
  python -m local send dcmdata
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dicom_ingest.operators.read.state.attention import counted
from local.cli.common import add_run_name, the_run
from local.demo.tables import console
from local.sending.dicom_folder import read_folder
from local.sending.sender import send

HELP = "send a folder of DICOM files to the edge"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder, or one file")
    add_run_name(parser)


def run(arguments: argparse.Namespace) -> int:
    """0: every instance was answered 0x0000; 1: some were not."""
    output, state = console(), the_run(arguments)
    folder = read_folder(arguments.folder)
    for line in folder.others_by_reason():
        output.print(line, highlight=False)
    sent = send(folder.instances, state.dicom_host or "127.0.0.1", state.dicom_port or 0)
    for file, reason in sent.refused:
        output.print(f"refused: {file.path}: {reason}", highlight=False)
    series = {file.series_instance_uid for file in sent.accepted}
    output.print(
        f"{len(sent.accepted)} of {len(folder.instances)} instances accepted, {len(series)} series, "
        f"{counted(sent.associations, 'association')}",
        highlight=False,
    )
    return 1 if sent.refused else 0
