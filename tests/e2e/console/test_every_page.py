"""What holds for every page of the console: access, colours, widths, weight, safety."""

from __future__ import annotations

from http.client import HTTPConnection
from importlib.resources import files
from urllib.parse import urlsplit

import pytest

from tests.e2e.console.running import ConsoleRun
from tests.e2e.console.visiting import click, fetched, open_series
from tests.support.machine.browser import Browser

AXE = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8") + ";0"


PATHS = ("/", "/slots", "/edges", "/modalities", "/ledger", "/bulk?change=reprocess", "/runbook", "/?page=9")


FINDINGS = (
    "axe.run({resultTypes: ['violations']}).then(found => found.violations.map("
    "each => each.id + ' ' + each.nodes.map(node => node.target).join(' ')))"
)


def test_nothing_is_fetched_from_elsewhere_and_the_browser_has_no_complaint(
    console: ConsoleRun, page: Browser
) -> None:
    open_series(page, console, "Axial")
    page.until("document.getElementById('picture').naturalWidth > 0")
    foreign = [url for url in page.requested() if not url.startswith((console.url, "data:"))]
    assert foreign == []
    assert page.complaints() == []


def test_a_page_with_all_it_needs_weighs_less_than_100_kb(console: ConsoleRun, page: Browser) -> None:
    address = open_series(page, console, "Axial")
    weight = sum(len(fetched(f"{console.url}/static/{name}")) for name in (
        "console.css", "console.js", "viewer.js", "icon.svg"))  # fmt: skip
    assert weight + len(fetched(address)) < 100_000
    assert weight + len(fetched(console.url)) < 100_000


@pytest.mark.parametrize(
    "path", ["", "/slots", "/edges", "/modalities", "/ledger", "/bulk?change=reprocess", "series", "study"]
)
def test_every_page_can_be_read_aloud_and_used_without_a_mouse(
    console: ConsoleRun, page: Browser, path: str
) -> None:
    if path == "series":
        open_series(page, console, "Axial")
    elif path == "study":
        page.open(console.url)
        click(page, "#rows tr.study a")
    else:
        page.open(console.url + path)
    assert page.ask("document.documentElement.lang") == "en"
    assert page.ask("document.querySelectorAll('h1').length") == 1
    assert page.ask("[...document.images].every(i => i.alt)")
    fields = "[...document.querySelectorAll('input:not([type=hidden]), select')]"
    assert page.ask(f"{fields}.every(field => field.labels.length === 1)")
    assert page.ask(
        "[...document.querySelectorAll('th')].every(th => ['col', 'rowgroup'].includes(th.scope))"
    )
    ids = "(ids => ids.length - new Set(ids).size)([...document.querySelectorAll('[id]')].map(e => e.id))"
    assert page.ask(ids) == 0
    page.press("Tab", 9)
    assert page.ask("document.activeElement.innerText") == "Skip to the content"


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1600, False)])
def test_no_page_violates_a_rule_of_axe_or_is_wider_than_its_window(
    console: ConsoleRun, page: Browser, width: int, dark: bool
) -> None:
    address = open_series(page, console, "Axial").removeprefix(console.url)
    study = page.ask("document.querySelector('.crumbs a[href^=\"/study/\"]').pathname")
    instance = page.ask("document.querySelector('a[title=\"DICOM tags\"]').pathname")
    report = open_series(page, console, "Report").removeprefix(console.url)
    page.look(width, dark=dark)
    for path in (*PATHS, address, study, instance, report):
        page.open(console.url + path)
        assert page.ask("document.documentElement.scrollWidth") <= width, path
        page.ask(AXE)
        assert page.ask(FINDINGS) == [], path


def test_a_page_that_is_not_up_to_date_says_since_when_and_why(console: ConsoleRun, page: Browser) -> None:
    page.open(console.url)
    said = "document.getElementById('away').innerText"
    live = page.ask("document.getElementById('flow').dataset.live")
    page.ask("document.getElementById('flow').dataset.live = '/nowhere'")
    page.until(f"{said}.includes('The console answers 404')")
    page.ask(f"document.getElementById('flow').dataset.live = '{live}'")
    page.until(f"{said} === ''")
    page.offline(away=True)
    page.until(f"{said}.includes('The console does not answer')")
    assert page.ask(said).startswith("Not up to date since ")
    page.offline(away=False)
    page.until(f"{said} === ''")


def test_it_follows_the_systems_colours_and_wish_for_rest(console: ConsoleRun, page: Browser) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page.open(console.url)
    light = page.ask(ground)
    page.look(dark=True, reduced_motion=True)
    assert page.ask(ground) != light
    page.ask("document.querySelector('.flow li').classList.add('moving')")
    assert page.ask("getComputedStyle(document.querySelector('.moving'), '::after').animationName") == "none"
    page.look()
    assert (
        page.ask("getComputedStyle(document.querySelector('.moving'), '::after').animationName") == "onward"
    )


def test_it_fits_a_narrow_window(console: ConsoleRun, page: Browser) -> None:
    page.look(width=420)
    for path in ("", "/slots", "/edges", "/modalities", "/ledger"):
        page.open(console.url + path)
        assert page.ask("document.documentElement.scrollWidth") <= 420, path


def test_another_name_that_leads_to_loopback_is_refused(console: ConsoleRun) -> None:
    parts = urlsplit(console.url)
    connection = HTTPConnection(parts.hostname or "", parts.port)
    connection.request("GET", "/", headers={"Host": "rebound.example"})
    assert connection.getresponse().status == 403
    connection.close()
    connection.request("POST", "/slots", headers={"Origin": "http://elsewhere.example"})
    assert connection.getresponse().status == 403
    connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/static/../server.py",
        "/series/2d9f0d3b-6b0f-4bd6-8d77-3b1b2c1c9a11/1.2.3",
        "/series/not-a-transfer/1.2.3",
    ],
)
def test_what_is_not_there_is_a_404(console: ConsoleRun, path: str) -> None:
    parts = urlsplit(console.url)
    connection = HTTPConnection(parts.hostname or "", parts.port)
    connection.request("GET", path)
    assert connection.getresponse().status == 404
    connection.close()
