"""The lists of the console in a real browser: what a PACS administrator sees, reads and types."""

from __future__ import annotations

import pytest

from tests.e2e.console.running import ConsoleRun
from tests.e2e.console.visiting import ROWS, TEXT, click, fetched, stage
from tests.support.machine.browser import Browser


def test_the_flow_and_every_series_are_on_the_first_page(console: ConsoleRun, page: Browser) -> None:
    page.open(console.url)
    assert stage(page, "S3") == 91
    assert stage(page, "Index") == stage(page, "Image sets") == 7
    assert page.ask(ROWS) == 7
    assert "No action needed" in page.ask(TEXT.format("flow"))
    assert "Axial 5 mm soft tissue" in page.ask(TEXT.format("rows"))
    studies = page.ask("[...document.querySelectorAll('#rows tr.study')].map(row => row.innerText)")
    assert len(studies) == 3
    assert any("PHANTOM-0001" in each and "PH26-0001" in each and "3 series, 46" in each for each in studies)


def test_every_stage_says_how_fast_it_goes(console: ConsoleRun, page: Browser) -> None:
    page.open(console.url)
    paces = page.ask("[...document.querySelectorAll('.flow .pace')].map(e => e.innerText)")
    assert len(paces) == 6
    assert paces[3] == "no queue"
    assert all(pace.endswith("in the last minute") for pace in paces[:3] + paces[4:])


def test_series_have_thumbnails_and_those_without_pictures_their_modality(
    console: ConsoleRun, page: Browser
) -> None:
    page.open(console.url)
    page.until("[...document.querySelectorAll('#rows img')].every(i => i.complete && i.naturalWidth > 0)")
    kinds = "document.querySelector('#rows img[alt*=\"{}\"]').src"
    assert fetched(page.ask(kinds.format("Axial"))).startswith(b"\x89PNG")
    assert b">SR<" in fetched(page.ask(kinds.format("Report")))


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("modality=MR", 2),
        ("q=PH26-0001", 3),
        ("q=PHANTOM-0003", 2),
        ("place=waiting", 0),
        ("view=needs_attention", 0),
        ("q=PH26-0001&modality=MR", 0),
        ("q=CLIENT_AE&modality=MR", 2),
        ("edge=dicom-ingest-edge1&place=COMPLETED&q=PH26-0001", 3),
        ("edge=another", 0),
        ("edge=edge1&modality=mr&ae=client_ae", 2),
        ("q=ph26-00", 7),
        ("q=phantom-0003", 2),
        ("page=2", 0),
        ("sort=received", 7),
        ("sort=-instances&modality=MR", 2),
        ("q=client_ae", 7),
        ("q=edge1", 7),
        ("study=1.2.3", 0),
        ("ae=CLIENT_AE&day=2001-01-01", 0),
    ],
)
def test_filters_and_search_narrow_the_table_down(
    console: ConsoleRun, page: Browser, query: str, count: int
) -> None:
    page.open(f"{console.url}/?{query}")
    assert page.ask(ROWS) == count


def test_a_filter_with_a_value_that_no_series_has_is_explained(console: ConsoleRun, page: Browser) -> None:
    page.open(f"{console.url}/?modality=XX")
    assert "No series has modality XX; there is CT, " in page.ask(TEXT.format("rows"))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("place=lost", "There is no place lost; there is claimed, "),
        ("sort=size", "There is no sort size; there is received, "),
        ("day=yesterday", "esterday is no day; a day is written YYYY-MM-DD"),
        ("page=2", "There is no page 2; the last is 1"),
    ],
)
def test_a_part_of_an_address_that_means_nothing_is_explained(
    console: ConsoleRun, page: Browser, query: str, words: str
) -> None:
    page.open(f"{console.url}/?{query}")
    assert words in page.ask(TEXT.format("rows"))


def test_a_heading_sorts_by_its_column_and_once_more_the_other_way(
    console: ConsoleRun, page: Browser
) -> None:
    page.open(f"{console.url}/?q=CLIENT_AE")
    heading = "[...document.querySelectorAll('#rows th[scope=col]')].find(th => th.innerText.includes('{}'))"
    counts = "[...document.querySelectorAll('#rows tr.series')].map(row => Number(row.cells[3].innerText))"
    assert page.ask(heading.format("Received") + ".getAttribute('aria-sort')") == "descending"
    for way, reverse in (("ascending", False), ("descending", True)):
        page.ask(heading.format("Instances") + ".querySelector('a').focus()")
        page.ask("window.isBefore = true")
        page.press("Enter", 13)
        page.until("!window.isBefore && document.readyState === 'complete'")
        assert page.ask(counts) == sorted(page.ask(counts), reverse=reverse)
        assert page.ask(heading.format("Instances") + ".getAttribute('aria-sort')") == way
        assert "q=CLIENT_AE" in page.ask("location.search")
    assert "Series (7)" in page.ask(TEXT.format("rows"))


def test_a_study_has_a_page_of_its_own(console: ConsoleRun, page: Browser) -> None:
    page.open(f"{console.url}/?q=PH26-0001")
    click(page, "#rows tr.study a")
    said = page.ask("document.querySelector('main').innerText")
    for words in ("PHANTOM-0001", "PH26-0001", "3 series, 46 instances", "No action needed", "3 COMPLETED"):
        assert words in said, words
    assert page.ask("document.querySelectorAll('#study tbody tr').length") == 3
    steps = page.ask("[...document.querySelectorAll('.timeline .name')].map(e => e.innerText)")
    assert sum(step.endswith(": sealed") for step in steps) == 3
    assert page.ask("document.documentElement.scrollWidth <= innerWidth")


def test_a_search_in_vain_says_where_else_to_look(console: ConsoleRun, page: Browser) -> None:
    page.open(console.url)
    page.ask("document.getElementById('f-q').value = 'A<b>1'")
    page.follow("document.querySelector('.filters').submit()")
    assert "The index does not know A<b>1. It may still be at an edge" in page.ask(TEXT.format("rows"))


def test_an_edge_says_what_it_holds_and_whom_it_heard(console: ConsoleRun, page: Browser) -> None:
    page.open(f"{console.url}/edges")
    said = page.ask(TEXT.format("edges"))
    assert "91 instances, 0 duplicates, 0 refused" in said
    assert "0 instances, 0 bytes" in said
    assert "CLIENT_AE" in said


def test_new_counts_are_told_politely(console: ConsoleRun, page: Browser) -> None:
    page.open(console.url)
    assert page.ask("document.getElementById('said').getAttribute('aria-live')") == "polite"
    page.ask("document.getElementById('flow').append('old')")  # so that the next look finds something newer
    page.until("document.getElementById('said').innerText.includes('7 series announced')")
