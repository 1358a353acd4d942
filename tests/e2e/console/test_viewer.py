"""The pictures, the text and the tags of a series, in a real browser."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from PIL import Image

from console.pictures import pixels
from local.cli.demo import DCMDATA
from tests.e2e.console.running import ConsoleRun
from tests.e2e.console.visiting import click, fetched, open_series
from tests.support.machine.browser import Browser


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
    assert page.ask("getComputedStyle(document.getElementById('picture')).filter") == "invert(1)"
    page.ask("document.getElementById('drag').value = 'move'")
    page.drag("#stage", 30, 10)
    assert page.ask(transform).startswith("translate(30px, 10px)")
    page.press("End", 35)
    page.until("document.getElementById('frame').value === '24'")
    page.press(" ", 32)
    page.until("Number(document.getElementById('frame').value) < 12")
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


def test_pixels_that_are_not_square_are_shown_in_their_shape(console: ConsoleRun, page: Browser) -> None:
    open_series(page, console, "Axial")
    page.until("document.getElementById('picture').naturalWidth === 256")
    page.ask(
        "(root => { root.dataset.geometry = JSON.stringify([[1, {spacing: 2, aspect: 1.5}]]); viewer(root); "
        "root.querySelector('#reset').click() })(document.getElementById('viewer'))"
    )
    page.until("getComputedStyle(document.getElementById('picture')).transform !== 'none'")
    across, down, width, height, scale = page.ask(
        "(p => { const m = new DOMMatrix(getComputedStyle(p).transform); "
        "const square = Math.min(p.clientWidth, p.clientHeight) / 256; "
        "return [256 * square * m.a, 256 * square * m.d, p.clientWidth, p.clientHeight, "
        "(s => s.offsetWidth / parseFloat(s.textContent))(document.querySelector('.scale'))]; "
        "})(document.getElementById('picture'))"
    )
    assert down / across == pytest.approx(1.5, rel=0.01)
    assert across <= width + 1
    assert down <= height + 1
    assert across == pytest.approx(width, abs=1) or down == pytest.approx(height, abs=1), "as large as fits"
    assert scale == pytest.approx(across / 256 / 2, rel=0.02), "the scale is of the columns"


def test_the_wheel_changes_the_frame_and_with_ctrl_the_zoom(console: ConsoleRun, page: Browser) -> None:
    open_series(page, console, "Axial")
    page.until("document.getElementById('picture').naturalWidth === 256")
    page.wheel("#stage", 120)
    page.until("document.getElementById('frame').value === '13'")
    page.wheel("#stage", -120)
    page.until("document.getElementById('frame').value === '12'")
    page.wheel("#stage", -120, control=True)
    page.until("document.getElementById('picture').style.transform.includes('scale(1.1)')")
    assert page.ask("document.getElementById('frame').value") == "12"


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
