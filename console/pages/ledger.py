"""The page of the ledger: sums for each edge and day, and every difference."""

from __future__ import annotations

from markupsafe import Markup

from console.markup.html import tag
from console.markup.lists import part
from console.markup.page import table
from console.markup.words import address, place
from dicom_ingest.operators.read.index import Index
from dicom_ingest.operators.read.ledger import differences, sums
from dicom_ingest.operators.read.series.shared import starts

STARTED = ("day", "edge", "imports_started", "series_imported", "series_that_shared", "series_per_start")


def the_ledger(index: Index) -> list[Markup]:
    """Sums per edge and day, and every difference with its reason."""
    found, summed = differences(index), sums(index)
    whole = sum(row["differences"] for row in summed)
    counted = ("announced", "in_s3", "indexed", "imported", "failed", "missing", "pending", "differences")
    return [
        tag("h1", "Ledger"),
        tag("p", "Announced = in S3 = indexed = imported + explained, for every series transfer."),
        table(
            "Sums",
            summed,
            {"Day": "day", "Edge": "edge", "Series": "series"}
            | {name.replace("_", " ").capitalize().replace("s3", "S3"): name for name in counted},
            "Nothing was announced yet.",
        ),
        table(
            "Imports started",
            starts(index),
            {name.replace("_", " ").capitalize(): name for name in STARTED},
            "No import was started yet.",
        ),
        table(
            f"Differences ({part(1, len(found), whole)})",
            found,
            {
                "Reason": lambda row: place(row["outcome"]) + " " + row["reason"],
                "Series": lambda row: tag("a", row["series_instance_uid"], href=address(row)),
                "Patient": "patient_id",
                "Accession": "accession_number",
                "Announced": "announced",
                "In S3": "in_s3",
                "Indexed": "indexed",
                "Imported": "imported",
                "Details": "detail",
            },
            "Everything balances.",
        ),
    ]
