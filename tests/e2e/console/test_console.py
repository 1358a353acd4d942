"""The console in a real browser: what a PACS administrator sees, reads, types and clicks."""

from __future__ import annotations

import io
from http.client import HTTPConnection
from importlib.resources import files
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import numpy as np
import pydicom
import pytest
from PIL import Image

from console.pictures import pixels
from local.cli.demo import DCMDATA
from tests.e2e.console.running import ConsoleRun
from tests.support.machine.browser import Browser

AXE = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8") + ";0"
ROWS = "document.querySelectorAll('#rows tr.series').length"
TEXT = "document.getElementById('{}').innerText"


def stage(page: Browser, name: str) -> int:
    return int(page.ask(f"document.querySelector('[data-stage=\"{name}\"] .count').innerText"))


def open_series(page: Browser, console: ConsoleRun, description: str) -> str:
    page.open(console.url)
    find = f"[...document.querySelectorAll('#rows a')].find(a => a.innerText.includes('{description}')).href"
    address: str = page.ask(find)
    page.open(address)
    return address


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


def test_nothing_is_fetched_from_elsewhere_and_the_browser_has_no_complaint(
    console: ConsoleRun, page: Browser
) -> None:
    open_series(page, console, "Axial")
    page.until("document.getElementById('picture').naturalWidth > 0")
    foreign = [url for url in page.requested() if not url.startswith((console.url, "data:"))]
    assert foreign == []
    assert page.complaints() == []


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
        ("edge=dicom-ingest-edge1&place=COMPLETED", 7),
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


def test_many_are_cancelled_and_reprocessed_by_name_with_a_reason_and_never_by_a_filter_that_runs_again(
    console: ConsoleRun, page: Browser
) -> None:
    page.open(f"{console.url}/slots")
    click(page, "button[value=pause]")
    for description in ("lateral", "Report"):
        open_series(page, console, description)
        import_again(page)
        page.until("document.querySelector('#live a[href*=cancel]')")
    page.open(f"{console.url}/bulk?change=cancel&q=PH26-0003")
    assert page.ask("document.querySelector('h1').innerText").startswith(
        "Cancel the import of 2 series of 1 "
    )
    marks = page.ask("[...document.querySelectorAll('[name=mark]')].map(input => input.value)")
    page.ask("document.getElementById('reason').value = 'the wrong archive'")
    page.ask(f"document.querySelector('[name=mark][value=\"{marks[1]}\"]').value += '1'")
    click(page, "main button")
    said = page.ask("document.querySelector('main').innerText")
    assert "Cancelled 1 series" in said
    assert "1 series had moved on since the list was shown" in said
    page.open(f"{console.url}/bulk?change=cancel&q=PH26-0003")
    page.ask("document.getElementById('reason').value = 'the wrong archive'")
    click(page, "main button")
    page.open(f"{console.url}/slots")
    click(page, "button[value=resume]")
    page.open(f"{console.url}/?view=under_way")
    page.until(f"{ROWS} === 0")
    page.open(f"{console.url}/bulk?change=reprocess&view=needs_attention&q=ph26-0003")
    assert "Reprocess 2 series of 1 study" in page.ask("document.querySelector('h1').innerText")
    page.ask("document.getElementById('reason').value = 'archive repaired'")
    click(page, "main button")
    assert "Reprocessing 2 series" in page.ask("document.querySelector('h1').innerText")
    click(page, 'tbody a[href^="/study/"]')
    page.until("[...document.querySelectorAll('#study .place')].every(e => e.innerText !== 'FAILED')")
    told = page.ask("document.querySelector('.timeline').innerText")
    assert told.count("the wrong archive") >= 2
    assert told.count("archive repaired") == 2
    page.until("[...document.querySelectorAll('#study tbody .place')].every(e => "
               "['COMPLETED', 'DUPLICATE'].includes(e.innerText))")  # fmt: skip


@pytest.mark.parametrize("query", ["change=drop", "change=cancel&place=lost"])
def test_a_bulk_change_that_is_not_understood_changes_nothing(
    console: ConsoleRun, page: Browser, query: str
) -> None:
    page.open(f"{console.url}/bulk?{query}")
    assert page.ask("document.querySelectorAll('main form').length") == 0


def test_a_search_in_vain_says_where_else_to_look(console: ConsoleRun, page: Browser) -> None:
    page.open(console.url)
    page.ask("document.getElementById('f-q').value = 'A<b>1'")
    page.follow("document.querySelector('.filters').submit()")
    assert "The index does not know A<b>1. It may still be at an edge" in page.ask(TEXT.format("rows"))


def test_a_series_has_its_timeline_its_workflow_and_its_verdicts(console: ConsoleRun, page: Browser) -> None:
    open_series(page, console, "Axial")
    names = page.ask("[...document.querySelectorAll('.timeline .name')].map(e => e.innerText)")
    assert names[0] == "first received"
    assert names[-1] == "over"
    assert {"sealed", "indexed", "slot granted", "import over", "image sets recorded"} <= set(names)
    passed = page.ask("[...document.querySelectorAll('.graph .passed text')].map(e => e.textContent)")
    assert {"IndexSeries", "StartImport", "SeriesIngested"} <= set(passed)
    assert "RecordFailure" not in passed
    assert (
        page.ask("[...document.querySelectorAll('tbody .place')].map(e => e.innerText)") == ["IMPORTED"] * 24
    )
    assert page.ask("document.querySelector('.graph').dataset.now") == ""
    page.ask("document.querySelector('#visits summary').click()")
    states = page.ask("[...document.querySelectorAll('#visits tbody tr')].map(row => row.cells[0].innerText)")
    assert states[0] == "IndexSeries"
    assert states[-1] == "SeriesIngested"
    assert '"detail-type": "Series Complete"' in page.ask("document.querySelector('details pre').textContent")


def test_slices_are_scrolled_with_the_keyboard(console: ConsoleRun, page: Browser) -> None:
    open_series(page, console, "Axial")
    assert page.ask("document.getElementById('frame-caption').innerText") == "Frame 12 of 24"
    page.until("document.getElementById('picture').naturalWidth === 256")
    page.ask("document.getElementById('frame').focus()")
    page.press("ArrowRight", 39)
    page.until("document.getElementById('picture').src.endsWith('/13.png')")
    assert page.ask("document.getElementById('frame-caption').innerText") == "Frame 13 of 24"
    page.ask("document.getElementById('width').focus()")
    page.press("ArrowRight", 39)
    page.until("document.getElementById('picture').src.endsWith('/13.png?center=40&width=401')")
    page.until("document.getElementById('picture').complete")


def test_an_instances_small_picture_leads_to_it(console: ConsoleRun, page: Browser) -> None:
    open_series(page, console, "Axial")
    page.ask("document.querySelector('[data-frame=\"20\"]').click()")
    page.until("document.getElementById('picture').src.endsWith('/20.png')")
    assert page.ask("document.activeElement.id") == "frame"
    small = page.ask("document.querySelector('[data-frame=\"20\"] img').src")
    assert Image.open(io.BytesIO(fetched(small))).size == (64, 64)


def test_a_slice_shows_the_very_pixels_that_were_sent(console: ConsoleRun, page: Browser) -> None:
    address = open_series(page, console, "Axial")
    shown = fetched(f"{address}/frames/5.png?center=40&width=400")
    (ds,) = [
        ds
        for file in (DCMDATA / "ct-torso" / "2-axial-soft-tissue").glob("*.dcm")
        if (ds := pydicom.dcmread(file)).InstanceNumber == 5
    ]
    hounsfield = ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    assert np.array_equal(
        np.asarray(Image.open(io.BytesIO(shown))), pixels.windowed(hounsfield, 40, 400, inverted=False)
    )


def test_a_report_without_pictures_is_read_as_text(console: ConsoleRun, page: Browser) -> None:
    open_series(page, console, "Report")
    assert "the instances of this SR series have no pixels" in page.ask(
        "document.querySelector('.empty').innerText"
    )
    assert page.ask("document.querySelectorAll('.report li').length") > 3


def test_dragging_changes_the_window_and_presets_and_reset_choose_it(
    console: ConsoleRun, page: Browser
) -> None:
    open_series(page, console, "Axial")
    page.until("document.getElementById('picture').naturalWidth === 256")
    page.drag("#stage", 40, 20)
    page.until("document.getElementById('picture').src.includes('center=')")
    assert page.ask("Number(document.getElementById('width').value)") > 400
    assert page.ask("Number(document.getElementById('center').value)") > 40
    page.ask("document.getElementById('preset').value = '-600,1500'")
    page.ask("document.getElementById('preset').dispatchEvent(new Event('change'))")
    page.until("document.getElementById('picture').src.endsWith('?center=-600&width=1500')")
    page.ask("document.getElementById('stage').focus()")
    page.press("0", 48)
    page.until("document.getElementById('picture').src.endsWith('/12.png')")
    assert page.ask("document.getElementById('width').value") == "400"


def test_the_picture_is_zoomed_moved_inverted_and_played_with_the_keyboard(
    console: ConsoleRun, page: Browser
) -> None:
    open_series(page, console, "Axial")
    page.until("document.getElementById('picture').naturalWidth === 256")
    page.ask("document.getElementById('stage').focus()")
    transform = "document.getElementById('picture').style.transform"
    for key in ("+", "i"):
        page.press(key, ord(key.upper()))
    assert "scale(1.25)" in page.ask(transform)
    assert page.ask("document.getElementById('invert').getAttribute('aria-pressed')") == "true"
    page.ask("document.getElementById('drag').value = 'move'")
    page.drag("#stage", 30, 10)
    assert page.ask(transform).startswith("translate(30px, 10px)")
    page.press(" ", 32)
    page.until("document.getElementById('frame').value !== '12'")
    page.press(" ", 32)
    assert page.ask("document.getElementById('play').getAttribute('aria-pressed')") == "false"


def test_letters_say_where_the_sides_are_and_a_scale_how_long_a_stretch_is(
    console: ConsoleRun, page: Browser
) -> None:
    open_series(page, console, "Axial")
    page.until("!document.querySelector('.scale').hidden")
    letters = "[...document.querySelectorAll('.letter')].map(letter => letter.textContent)"
    assert page.ask(letters) == ["R", "L", "A", "P"]
    shown = page.ask("document.querySelector('.scale').textContent")
    (file, *_) = (DCMDATA / "ct-torso" / "2-axial-soft-tissue").glob("*.dcm")
    spacing = float(pydicom.dcmread(file, stop_before_pixels=True).PixelSpacing[1])
    columns = page.ask(
        "(p => p.naturalWidth / Math.min(p.clientWidth, p.clientHeight * p.naturalWidth / p.naturalHeight))"
        "(document.getElementById('picture'))"
    )
    length = page.ask("parseFloat(document.querySelector('.scale').style.width)") * columns * spacing
    assert shown == f"{round(length)} mm"


def test_the_tags_of_an_instance_are_a_page_that_narrows_as_one_types(
    console: ConsoleRun, page: Browser
) -> None:
    open_series(page, console, "Axial")
    click(page, 'a[title="DICOM tags"]')
    shown = "[...document.querySelectorAll('.tags tbody tr')].filter(row => !row.hidden).length"
    assert page.ask(shown) > 30
    page.ask("document.getElementById('tag-term').value = 'pixel spacing'")
    page.ask("document.getElementById('tag-term').dispatchEvent(new Event('input'))")
    assert page.ask(shown) == 1
    assert page.ask("document.getElementById('tag-count').textContent") == "1 tags"


def test_a_page_with_all_it_needs_weighs_less_than_100_kb(console: ConsoleRun, page: Browser) -> None:
    address = open_series(page, console, "Axial")
    weight = sum(len(fetched(f"{console.url}/static/{name}")) for name in (
        "console.css", "console.js", "viewer.js", "icon.svg"))  # fmt: skip
    assert weight + len(fetched(address)) < 100_000
    assert weight + len(fetched(console.url)) < 100_000


def test_what_waits_is_lit_and_the_page_follows_it_to_its_end(console: ConsoleRun, page: Browser) -> None:
    page.open(f"{console.url}/slots")
    click(page, "button[value=pause]")
    assert page.ask("document.querySelector('.card .place').innerText") == "paused"
    address = open_series(page, console, "lateral")
    import_again(page)
    page.until("document.querySelector('.graph').dataset.now === 'AcquireImportSlot'")
    assert page.ask("document.querySelector('.graph .now text').textContent") == "AcquireImportSlot"
    page.until("document.querySelector('.now').innerText.includes('granting is paused')")
    page.open(console.url)
    assert stage(page, "Waiting") == 1
    assert "paused by an operator" in page.ask("document.querySelector('.stuck .words').innerText")
    page.open(f"{console.url}/slots")
    assert page.ask("document.querySelectorAll('tbody tr').length") == 1
    page.open(address)
    click(page, "#live button[value=raise]")
    assert "priority raised" in page.ask(TEXT.format("steps"))
    page.open(f"{console.url}/slots")
    click(page, "button[value=resume]")
    page.open(address)
    page.until("document.getElementById('live')?.dataset.over === 'yes'")
    page.until("document.body.innerText.includes('version 2')")


def test_a_waiting_series_is_cancelled_and_worked_on_again_from_its_page(
    console: ConsoleRun, page: Browser
) -> None:
    page.open(f"{console.url}/slots")
    click(page, "button[value=pause]")
    open_series(page, console, "Report")
    import_again(page)
    page.until("document.querySelector('#live a[href*=cancel]')")
    click(page, "#live a[href*=cancel]")
    asked = page.ask("document.querySelector('main').innerText")
    assert all(word in asked for word in ("Cancel the import of SR", "PHANTOM-000", "PH26-000"))
    page.ask("document.getElementById('reason').value = 'the wrong study'")
    click(page, "main button")
    page.until("document.getElementById('live').innerText.includes('FAILED')")
    page.until("document.getElementById('live').innerText.includes('TicketCancelled')")
    assert "FAILED" in page.ask(TEXT.format("steps"))
    assert "the wrong study" in page.ask(TEXT.format("steps"))
    page.open(console.url)
    assert "1 series FAILED" in page.ask("document.querySelector('.calls').innerText")
    assert "Granting is paused by" in page.ask("document.querySelector('.calls').innerText")
    page.open(f"{console.url}/slots")
    click(page, "button[value=resume]")
    open_series(page, console, "Report")
    click(page, 'form[action$="/reprocess"] button')
    page.until("['COMPLETED', 'DUPLICATE'].includes(document.querySelector('#live .place').innerText)")


def test_a_ticket_that_waits_no_more_is_said_in_a_page_of_ours(console: ConsoleRun, page: Browser) -> None:
    page.open(f"{console.url}/slots")
    form = "Object.assign(document.createElement('form'), {method: 'post', action: '/slots', innerHTML: "
    fields = "'<input name=change value=raise><input name=ticket value=999999>'})"
    page.follow(f"document.body.appendChild({form}{fields}).submit()")
    assert page.ask("document.querySelector('h1').innerText") == "Conflict"
    assert "is not waiting any more" in page.ask("document.body.innerText")


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


PATHS = ("/", "/slots", "/edges", "/modalities", "/ledger", "/bulk?change=reprocess", "/runbook", "/?page=9")
FINDINGS = (
    "axe.run({resultTypes: ['violations']}).then(found => found.violations.map("
    "each => each.id + ' ' + each.nodes.map(node => node.target).join(' ')))"
)


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


def import_again(page: Browser) -> None:
    """Ask for it on the series' page, and say yes."""
    click(page, "a[href*=import-again]")
    click(page, "main button")


def click(page: Browser, selector: str) -> None:
    """Click it and wait for the page that follows."""
    page.follow(f"document.querySelector('{selector}').click()")


def fetched(url: str) -> bytes:
    with build_opener(ProxyHandler({})).open(url, timeout=30) as answer:
        body: bytes = answer.read()
    return body
