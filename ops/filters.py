"""The options that narrow a list of series transfers down: the same for every verb."""

from __future__ import annotations

import argparse

from dicom_ingest.operators.read.index import Index
from dicom_ingest.operators.read.series.choices import resolved
from dicom_ingest.operators.read.series.places import PLACES, Filter
from ops.moments import day


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Every filter that a list has."""
    parser.add_argument("--place", choices=PLACES, metavar="PLACE", help=f"one of {', '.join(PLACES)}")
    parser.add_argument("--edge", metavar="NAME", help="only of this edge")
    parser.add_argument("--ae", help="only of this AE title, calling or called")
    parser.add_argument("--modality", help="e.g. CT")
    parser.add_argument("--day", type=day, metavar="YYYY-MM-DD", help="received on this day (UTC)")
    parser.add_argument("--under-way", action="store_true", help="not finished yet")
    parser.add_argument(
        "--needs-attention", action="store_true", help="FAILED, UNKNOWN, PARTIAL, NON_PRIMARY"
    )


def chosen(arguments: argparse.Namespace, index: Index) -> tuple[Filter, list[str]]:
    """The filter, with values as the index writes them, and a sentence for each that it does not have."""
    meant = Filter(
        place=arguments.place,
        edge=arguments.edge,
        ae=arguments.ae,
        modality=arguments.modality,
        day=arguments.day,
        under_way=arguments.under_way,
        needs_attention=arguments.needs_attention,
    )
    return resolved(index, meant)
