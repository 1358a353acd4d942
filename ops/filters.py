"""The options that narrow a list of series transfers down: the same for every verb."""

from __future__ import annotations

import argparse

from dicom_ingest.operators.read.index import Index
from dicom_ingest.operators.read.series.choices import resolved
from dicom_ingest.operators.read.series.places import PLACES, Filter
from ops.moments import day

MOST_ROWS = 10_000
"""More are no list that anybody reads; JSON of more does not fit into one answer of the Data API."""


def term(text: str) -> str:
    """A search term: argparse's type."""
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty: an empty term would mean everything")
    return text.strip()


def limit(text: str) -> int:
    """A number of rows: argparse's type."""
    if not text.isdecimal() or not 0 < int(text[:9]) <= MOST_ROWS:
        raise argparse.ArgumentTypeError(f"must be from 1 to {MOST_ROWS:,}, not {text}")
    return int(text)


def add_term(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    """The search term of a verb that changes something: it must be a whole one."""
    words = "a whole accession number, patient id, UID, AE title, edge, transfer, import or image set"
    parser.add_argument("term", nargs=nargs, type=term, metavar="TERM", help=words)


def add_limit(parser: argparse.ArgumentParser, words: str, default: int) -> None:
    """How many rows of a list are shown."""
    parser.add_argument(
        "--limit", type=limit, default=default, metavar="NUMBER", help=f"{words} (default: %(default)s)"
    )


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Every filter that a list has."""
    parser.add_argument("--place", choices=PLACES, metavar="PLACE", help=f"one of {', '.join(PLACES)}")
    parser.add_argument("--edge", metavar="NAME", help="only of this edge")
    parser.add_argument("--ae", metavar="TITLE", help="only of this AE title, calling or called")
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
