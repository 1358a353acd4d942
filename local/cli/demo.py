"""Start everything, send a folder over DIMSE, show what arrives, and stop. Fail if anything is missing.

examples:
  python -m local demo
  python -m local demo --input FOLDER --json report.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from dicom_ingest.operators.read.state.attention import counted
from local.cli.common import add_runtime_options, quick, runtime_options
from local.demo.main_job import demo
from local.demo.report import Report
from local.demo.tables import console
from local.run.wiring import REPOSITORY
from local.sending.dicom_folder import study_folders

HELP = "start everything, send a folder over DIMSE, show what arrives, stop"
DCMDATA = REPOSITORY / "dcmdata"
SEND_A_FOLDER = "dcmsend -v -nh +sd +r -aec EDGE_AE localhost 11112 FOLDER"
"""With DCMTK. `-nh`: other files in the folder do not stop it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_runtime_options(parser, "demo", {})
    parser.add_argument(
        "--input",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="folders to send (default: the studies of dcmdata/)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON too")


def run(arguments: argparse.Namespace) -> int:
    """0: every instance that was found is in an image set; 1: something is missing."""
    output = console()
    folders = arguments.input or study_folders(DCMDATA)
    report = demo(quick(runtime_options(arguments)), folders, output)
    if arguments.json is not None:
        arguments.json.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    _show(report, output)
    return 1 if report.missing else 0


def _show(report: Report, output: Console) -> None:
    for series in report.series:
        image_sets = ", ".join(series.image_sets) or "none"
        count = counted(series.instances, "instance")
        output.print(
            f"{series.outcome or 'not over':<10} {series.modality or '?':<3} {series.series_instance_uid} "
            f"{count:>13}  image set {image_sets}  {series.seconds or 0:.1f} s",
            highlight=False,
        )
    totals = report.totals
    output.print(
        f"\n{totals.instances_imported} of {totals.instances_sent} instances in {totals.image_sets} "
        f"image sets, {totals.series} series, {totals.seconds} s in all."
    )
    for sentence in report.missing:
        output.print(f"missing: {sentence}", style="bold red", highlight=False)
    output.print(
        "\nNext: make up                                                     keep it running"
        f"\n      {SEND_A_FOLDER:<65}send your own files, or"
        '\n      make local ARGS="send DIR"; make ops ARGS="status"               from another terminal',
        highlight=False,
    )
