"""What a person changes in the console, in a real browser."""

from __future__ import annotations

import pytest

from tests.e2e.console.running import ConsoleRun
from tests.e2e.console.visiting import ROWS, TEXT, click, import_again, open_series, stage
from tests.support.machine.browser import Browser

CHANGES_THE_RUN = True


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


def test_rows_with_buttons_do_not_move_under_the_pointer(console: ConsoleRun, page: Browser) -> None:
    page.open(f"{console.url}/slots")
    click(page, "button[value=pause]")
    open_series(page, console, "lateral")
    import_again(page)
    page.open(f"{console.url}/slots")
    page.until("document.querySelector('#tickets td button')")
    page.hover("#tickets td button")
    page.ask("document.querySelector('#tickets tbody').dataset.older = 'yes'")
    page.until("document.querySelector('#tickets.held')")
    assert page.ask("document.querySelector('#tickets tbody').dataset.older") == "yes"
    page.hover("h1")
    page.until("document.querySelector('#tickets tbody').dataset.older === undefined")
    click(page, "button[value=resume]")
    page.open(f"{console.url}/?view=under_way")
    page.until(f"{ROWS} === 0")


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
