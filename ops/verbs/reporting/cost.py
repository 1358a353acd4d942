"""Compute what each sender costs a month, from measured counts and list prices.

Counted are storage in S3 and HealthImaging, requests, Step Functions, Lambda and events. Not counted are
Aurora, endpoints, keys, logs, data transfer and free tiers. The prices are those of us-east-1, with the page
and the day on which each was seen; set your own with --set. Nothing is asked of AWS's price list.

examples:
  ops cost --month 2026-11
  ops cost --prices
  ops cost --set s3_gb_month=0.0125 --set frequent_share=0.2
"""

from __future__ import annotations

import argparse
import re

from dicom_ingest.operators.cost import PRICES, UnknownPriceError, costs, least_bytes, with_changes
from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.state.usage import usage
from ops.errors import OperatorError
from ops.output import Output
from ops.targets.target import Target

HELP = "cost per edge, sender and month, from measured counts and list prices"
ASSUMPTIONS = (
    "what is stored during a month is kept for half of it, and for all of every later month",
    "an image set is in frequent access for 30 days, then in the archive but for frequent_share",
    "an import is looked at as often as its duration asks for, on average",
    "the running month is counted as if it were over",
)
COLUMNS = (
    "month", "edge", "calling_ae", "series", "instances", "stored_bytes", "imports", "transitions", "dollars",
    "s3_storage", "healthimaging_storage", "s3_requests", "healthimaging_requests", "step_functions",
    "lambda", "events",
)  # fmt: skip
MONEY = COLUMNS[COLUMNS.index("dollars") :]


def _month(text: str) -> str:
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", text):
        raise argparse.ArgumentTypeError(f"{text!r}: a month such as 2026-11 is allowed")
    return text


def _change(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: NAME=NUMBER is allowed") from error
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: a number of 0 or more is allowed")
    return name, number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--month", type=_month, metavar="YYYY-MM", help="this month only (default: all)")
    parser.add_argument(
        "--prices", action="store_true", help="list the prices with their pages, and no costs"
    )
    parser.add_argument(
        "--set", type=_change, action="append", default=[], metavar="NAME=VALUE", dest="changes",
        help="another price or assumption; may be repeated",
    )  # fmt: skip


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0.

    Raises:
        OperatorError: a price that there is not.
    """
    try:
        prices = with_changes(dict(arguments.changes))
    except UnknownPriceError as error:
        raise OperatorError(str(error)) from error
    listed: list[Row] = [
        {"name": name, "value": prices[name], "unit": price.unit, "source": price.source, "seen": price.seen}
        for name, price in PRICES.items()
    ]
    found = [] if arguments.prices else costs(usage(target.index, least_bytes(prices)), prices)
    found = [row for row in found if arguments.month in (None, row["month"])]
    total = round(sum(row["dollars"] for row in found), 6)
    if output.as_json:
        output.data({"costs": found, "dollars": total, "prices": listed, "assumptions": ASSUMPTIONS})
    elif arguments.prices:
        output.table("Prices", [{**row, "value": f"{row['value']:.10g}"} for row in listed])
    else:
        _show(found, total, output)
    return 0


def _show(found: list[Row], total: float, output: Output) -> None:
    shown = [{**row, **{name: f"{row[name]:.4f}" for name in MONEY}} for row in found]
    output.table("US dollars", shown, COLUMNS)
    output.line(f"in all {total:.2f}; `ops cost --prices` lists what it is computed from")
    for words in ASSUMPTIONS:
        output.line(f"assumed: {words}")
