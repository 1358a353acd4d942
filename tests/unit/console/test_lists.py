"""A long list says which part of it is shown, and leads to the others."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from console.markup.lists import pages, part, sorting
from console.pages.listing import listing
from console.run.query import Found
from dicom_ingest.operators.read.series.places import COUNTED

NOW = datetime(2026, 11, 22, 8, tzinfo=timezone.utc)


def row(number: int, **more: Any) -> dict[str, Any]:
    return {
        "transfer_id": "t",
        "series_instance_uid": f"1.2.{number}",
        "study_instance_uid": "1.2",
        "modality": "CT",
        "series_description": f"series {number}",
        "study_description": None,
        "patient_id": None,
        "accession_number": None,
        "study_date": None,
        "place": "COMPLETED",
        "detail": None,
        "instances": 2,
        "calling_ae": "CT1",
        "edge": "e",
        "first_received_at": NOW,
        "over_at": NOW,
        "shared_by": None,
        "led_by_series": None,
        **more,
    }


@pytest.mark.parametrize(
    ("first", "shown", "whole", "words"),
    [
        (1, 7, 7, "7"),
        (1, 100, 326, "1 to 100 of 326"),
        (301, 26, 326, "301 to 326 of 326"),
        (101, 100, COUNTED + 1, "101 to 200 of more than 10,000"),
    ],
)
def test_a_part_is_said_with_the_whole(first: int, shown: int, whole: int, words: str) -> None:
    assert part(first, shown, whole, COUNTED) == words


def test_a_page_leads_to_the_one_before_and_the_one_after_with_the_same_filters() -> None:
    query = {"q": "A&B", "page": "2"}
    both = str(pages("/", query, 2, more=True))
    assert 'href="/?q=A%26B&amp;page=1">Previous page' in both
    assert 'href="/?q=A%26B&amp;page=3">Next page' in both
    assert "Previous" not in str(pages("/", {}, 1, more=True))
    assert "Next" not in str(pages("/", {}, 2, more=False))
    assert pages("/", {}, 1, more=False) is None


def test_a_heading_turns_the_order_round_and_keeps_the_filters_but_not_the_page() -> None:
    query = {"modality": "CT", "page": "3", "sort": "place"}
    assert "sort=-place" in str(sorting("Place", "place", "place", "/", query))
    turned = str(sorting("Place", "place", "-place", "/", query))
    assert "modality=CT" in turned
    assert "sort=place" in turned
    assert "page=" not in turned


def test_a_list_says_its_part_and_what_is_sorted() -> None:
    rows = [row(number) for number in range(3)]
    shown = str(listing(Found(rows, 2, 326, []), {}))
    assert "Series (101 to 103 of 326)" in shown
    assert "Next page" in shown
    assert "Sorted among the newest" not in shown
    many = str(listing(Found(rows, 1, COUNTED + 1, []), {"sort": "place"}))
    assert "Sorted among the newest 10,000" in many
    assert "of more than 10,000" in many
    assert "Next page" not in str(listing(Found(rows, 1, 3, []), {}))


@pytest.mark.parametrize(
    ("query", "send_to", "words"),
    [
        (
            {},
            "127.0.0.1 11112",
            "Send some: <code>dcmsend -v -nh +sd +r -aec EDGE_AE 127.0.0.1 11112 FOLDER</code>",
        ),
        ({}, None, "No series has been announced yet."),
        ({"modality": "CT"}, "127.0.0.1 11112", "No series matches these filters."),
        ({"q": "A1"}, "127.0.0.1 11112", "The index does not know A1."),
    ],
)
def test_an_empty_list_says_why_and_what_to_do(
    query: dict[str, str], send_to: str | None, words: str
) -> None:
    assert words in str(listing(Found([], 1, 0, []), query, send_to))


HOSTILE = '"><script>alert(1)</script>'


def test_a_headers_value_is_never_markup_in_a_list() -> None:
    hostile = row(
        1, **dict.fromkeys(("modality", "series_description", "study_description", "patient_id"), HOSTILE),
        accession_number=HOSTILE, calling_ae=HOSTILE, edge=HOSTILE, detail=HOSTILE,
    )  # fmt: skip
    shown = str(listing(Found([hostile], 1, 1, [HOSTILE]), {"q": HOSTILE}))
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") >= 9
