"""What the pipeline costs by list prices: measured counts of the index, times prices that can be set.

Nothing is asked of AWS. Not counted are Aurora, endpoints, keys, alarms, logs, data transfer and free tiers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

from dicom_ingest.healthimaging.polling import most_polls
from dicom_ingest.operators.read.index import Row

GB = 1e9
HALF = 0.5
"""What is stored during a month is kept for half of it on average."""
TRANSITIONS, TRANSITIONS_A_POLL = 11, 3
"""Of an execution that imports a series, but for its polls; and of each poll."""
FUNCTIONS = 6
"""Invocations for a series but for its polls."""
LISTED = 1000


@dataclass(frozen=True)
class Price:
    """A list price of us-east-1 in US dollars, or an assumption. `source`: its page; `seen`: when."""

    value: float
    unit: str
    source: str
    seen: str


_COPY = "2026-10-07, a copy of the page"
_ASSUMED = "2026-11-28, assumed"
PRICES: Mapping[str, Price] = {
    "s3_gb_month": Price(
        0.023, "$ per GB and month, Standard", "https://aws.amazon.com/s3/pricing/", _ASSUMED
    ),
    "s3_put": Price(0.005 / 1000, "$ per PUT or LIST", "https://aws.amazon.com/s3/pricing/", _ASSUMED),
    "s3_get": Price(0.0004 / 1000, "$ per GET", "https://aws.amazon.com/s3/pricing/", _ASSUMED),
    "healthimaging_frequent_gb_month": Price(
        0.105, "$ per GB and month, frequent access", "https://aws.amazon.com/healthimaging/pricing/", _COPY
    ),
    "healthimaging_archive_gb_month": Price(
        0.006, "$ per GB and month, archive", "https://aws.amazon.com/healthimaging/pricing/", _COPY
    ),
    "healthimaging_least_mb": Price(
        5,
        "MB, the least that an image set is billed as",
        "https://aws.amazon.com/healthimaging/pricing/",
        _COPY,
    ),
    "healthimaging_request": Price(
        0.005 / 1000, "$ per call", "https://aws.amazon.com/healthimaging/pricing/", _COPY
    ),
    "transition": Price(
        0.025 / 1000, "$ per transition", "https://aws.amazon.com/step-functions/pricing/", _COPY
    ),
    "event": Price(1 / 1e6, "$ per event", "https://aws.amazon.com/eventbridge/pricing/", _ASSUMED),
    "lambda_request": Price(0.20 / 1e6, "$ per call", "https://aws.amazon.com/lambda/pricing/", _ASSUMED),
    "lambda_gb_second": Price(
        0.0000133334, "$ per GB-second, arm64", "https://aws.amazon.com/lambda/pricing/", _ASSUMED
    ),
    "lambda_seconds": Price(0.5, "seconds a call", "docs/performance.md", _ASSUMED),
    "lambda_gb": Price(0.5, "GB a function", "docs/performance.md", _ASSUMED),
    "frequent_share": Price(0, "share of images that is still read after 30 days", "an assumption", _ASSUMED),
}
"""By the name under which it is set. HealthImaging charges nothing for an import."""


class UnknownPriceError(ValueError):
    """There is no price or assumption of this name."""


def with_changes(changes: Mapping[str, float]) -> dict[str, float]:
    """The values of all prices, with these in place of the listed ones.

    Raises:
        UnknownPriceError: there is none of this name.
    """
    if unknown := sorted(changes.keys() - PRICES.keys()):
        raise UnknownPriceError(f"{unknown[0]} is not a price; there is {', '.join(PRICES)}")
    return {name: changes.get(name, price.value) for name, price in PRICES.items()}


def costs(used: Iterable[Row], prices: Mapping[str, float]) -> list[Row]:
    """A row per month, edge and sender in which it sent or stored something; dollars by what they are for.

    `used`: `read.usage.usage`, months in order.
    """
    rows = list(used)
    months = _months(rows)
    of: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        of[row["edge"], row["calling_ae"]][row["month"]] = row
    found = []
    for (edge, calling_ae), by_month in of.items():
        kept = _Kept()
        for month in months:
            if month < min(by_month):
                continue
            row = by_month.get(month, NOTHING)
            dollars = _once(row, prices) | kept.month(row, prices)
            counted = {name: row[name] for name in COUNTED} | {"transitions": _transitions(row)}
            total = {"dollars": sum(dollars.values())}
            named = {"month": month, "edge": edge, "calling_ae": calling_ae}
            found.append(
                named | counted | {name: round(value, 6) for name, value in (dollars | total).items()}
            )
    return sorted(found, key=lambda row: (row["month"], row["edge"], row["calling_ae"]))


COUNTED = (
    "series", "instances", "stored_bytes", "imported", "imported_bytes", "imports", "shared_imports",
    "executions",
)  # fmt: skip
NOTHING: Row = {**dict.fromkeys(COUNTED, 0), "import_seconds": 0.0, "shared_import_seconds": 0.0}


def _months(rows: list[Row]) -> list[str]:
    """All from the first to the last."""
    if not rows:
        return []
    first, last = rows[0]["month"], rows[-1]["month"]
    found = [first]
    while found[-1] < last:
        year, month = map(int, found[-1].split("-"))
        found.append(f"{year + month // 12:04}-{month % 12 + 1:02}")
    return found


def _polls(row: Row) -> int:
    """Looks at running imports, by how long they took on average; one looks for all that share it."""
    shared = row["shared_imports"]
    alone = row["imports"] - shared
    polls = alone * most_polls(row["import_seconds"] / alone) if alone else 0
    together = shared * most_polls(row["shared_import_seconds"] / shared, shared=True) if shared else 0
    return int(polls + together)


def _transitions(row: Row) -> int:
    return int(row["executions"] * TRANSITIONS + _polls(row) * TRANSITIONS_A_POLL)


def _once(row: Row, prices: Mapping[str, float]) -> Row:
    """What a month's series cost once."""
    calls = row["executions"] * FUNCTIONS + _polls(row)
    a_call = (
        prices["lambda_request"] + prices["lambda_seconds"] * prices["lambda_gb"] * prices["lambda_gb_second"]
    )
    lists = row["series"] + row["instances"] // LISTED
    return {
        "step_functions": _transitions(row) * prices["transition"],
        "lambda": calls * a_call,
        "s3_requests": (row["instances"] + row["series"] + lists) * prices["s3_put"]
        + (row["imported"] + row["series"]) * prices["s3_get"],
        "healthimaging_requests": (row["imports"] + _polls(row)) * prices["healthimaging_request"],
        "events": row["series"] * prices["event"],
    }


class _Kept:
    """What one sender has stored so far, in GB."""

    def __init__(self) -> None:
        self._objects = 0.0
        self._recent = 0.0
        """Of the month before: HealthImaging has half of it in frequent access still."""
        self._older = 0.0

    def month(self, row: Row, prices: Mapping[str, float]) -> Row:
        """The storage of a month in which this was stored."""
        stored, imported = row["stored_bytes"] / GB, row["imported_bytes"] / GB
        frequent, archive = (
            prices["healthimaging_frequent_gb_month"],
            prices["healthimaging_archive_gb_month"],
        )
        settled = prices["frequent_share"] * frequent + (1 - prices["frequent_share"]) * archive
        images = (
            HALF * imported * frequent + HALF * self._recent * (frequent + settled) + self._older * settled
        )
        objects = (self._objects + HALF * stored) * prices["s3_gb_month"]
        self._objects += stored
        self._older += self._recent
        self._recent = imported
        return {"s3_storage": objects, "healthimaging_storage": images}


def least_bytes(prices: Mapping[str, float]) -> int:
    """What an image set is billed as at least."""
    return ceil(prices["healthimaging_least_mb"] * 1e6)
