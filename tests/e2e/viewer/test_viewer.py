"""A real viewer on the emulator's DICOMweb: studies are listed, opened and scrolled, and pixels are seen."""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.data
import pytest
from healthimaging_emulator import Settings, Stand
from healthimaging_emulator.moto_s3 import moto_s3
from PIL import Image

from local.run.options import RUNS
from local.run.state import RunState
from local.viewer.package import INTEGRITY, ViewerError, check_integrity, viewer_files
from local.viewer.server import configuration, serve_viewer
from tests.support.machine.browser import Browser, browser, missing
from tests.support.machine.waiting import wait_until

ROOT = Path(__file__).parents[3]
ULTRASOUND = Path(pydicom.data.__file__).parent / "test_files/examples_ybr_color.dcm"
SOFTWARE_GRAPHICS = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
pytestmark = [pytest.mark.xdist_group("viewer"), pytest.mark.timeout(600)]


def state(stand: Stand, folder: Path) -> RunState:
    """A run's state with nothing but the emulator."""
    unused = ("name", "stack", "edge", "bucket", "aws_url", "database_url")
    nothing = dict.fromkeys((*unused, "state_machine_arn", "dead_letters_url"), "")
    return RunState(
        **nothing,
        pid=1,
        started_at=datetime.now(UTC),
        folder=folder,
        healthimaging_url=stand.url,
        datastore_id=stand.datastore_id,
    )


@dataclass(frozen=True)
class Opened:
    """The viewer in a browser."""

    url: str
    browser: Browser
    folder: Path

    def brightness(self) -> Any:
        """What is seen in the middle of the window, grey."""
        path = self.folder / "seen.png"
        self.browser.screenshot(path)
        with Image.open(path) as picture:
            width, height = picture.size
            box = (width // 3, height // 4, width * 5 // 6, height * 3 // 4)
            return np.asarray(picture.convert("L").crop(box))

    def shows_pixels(self) -> bool:
        """A picture has many shades; a spinner, a text or an empty viewport has few."""
        return len(np.unique(self.brightness())) > 40


@pytest.fixture(scope="module")
def files() -> Path:
    try:
        return viewer_files(RUNS / "viewer")
    except ViewerError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def opened(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """With CT, MR and DX of the demo and a compressed ultrasound."""
    if why := missing():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("viewer")
    scans = folder / "scans"
    for study in ("ct-torso/2-axial-soft-tissue", "mr-head/1-t1-axial", "dx-chest/1-pa-and-lateral"):
        shutil.copytree(ROOT / "dcmdata" / study, scans / study)
    shutil.copy(ULTRASOUND, scans)
    with ExitStack() as stack:
        stand = stack.enter_context(Stand(stack.enter_context(moto_s3()), Settings.fast()))
        assert stand.import_folder(scans).failures == []
        url = stack.enter_context(serve_viewer(files, state(stand, folder)))
        chromium = stack.enter_context(browser(*SOFTWARE_GRAPHICS))
        chromium.look(1400, 900)
        yield Opened(url, chromium, folder)


def test_the_studies_are_listed(opened: Opened) -> None:
    opened.browser.open(opened.url)
    opened.browser.until("document.body.innerText.includes('PHANTOM-0001')")
    text = opened.browser.ask("document.body.innerText")
    assert all(name in text for name in ("PHANTOM-0002", "PHANTOM-0003", "PH26-0001"))


@pytest.mark.parametrize(
    ("path", "scrolls"),
    [
        (ROOT / "dcmdata/ct-torso/2-axial-soft-tissue", True),
        (ROOT / "dcmdata/mr-head/1-t1-axial", True),
        (ROOT / "dcmdata/dx-chest/1-pa-and-lateral", False),
        (ULTRASOUND, True),
    ],
    ids=["CT", "MR", "DX", "compressed US"],
)
def test_a_study_opens_shows_pixels_and_scrolls(opened: Opened, path: Path, scrolls: bool) -> None:
    first = path if path.is_file() else min(path.glob("*.dcm"))
    study = pydicom.dcmread(first, stop_before_pixels=True).StudyInstanceUID
    opened.browser.open(f"{opened.url}/viewer?StudyInstanceUIDs={study}")
    wait_until(opened.shows_pixels, seconds=120)
    before = opened.brightness()

    def another_is_seen() -> bool:
        wheel = {"type": "mouseWheel", "x": 800, "y": 450, "deltaX": 0, "deltaY": 120}
        opened.browser.call("Input.dispatchMouseEvent", **wheel)
        return not np.array_equal(before, opened.brightness())

    if scrolls:
        wait_until(another_is_seen, seconds=60)
    assert opened.shows_pixels()


def test_nothing_is_asked_of_another_host(opened: Opened) -> None:
    opened.browser.open(opened.url)
    opened.browser.until("document.body.innerText.includes('PHANTOM-0001')")
    assert {
        url for url in opened.browser.requested() if not url.startswith((opened.url, "data:", "blob:"))
    } == set()


def test_the_viewers_pages_stay_inside_their_folder(opened: Opened) -> None:
    (opened.folder / "secret.txt").write_text("secret")
    with urllib.request.urlopen(
        f"{opened.url}/..%2f..%2f{opened.folder.name}/secret.txt", timeout=30
    ) as answer:
        assert b"secret" not in answer.read()[:100]


def test_another_file_than_the_pinned_one_is_refused() -> None:
    with pytest.raises(ViewerError, match="not the pinned"):
        check_integrity(b"another file")
    assert INTEGRITY.startswith("sha512-")


def test_without_a_network_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    with pytest.raises(ViewerError) as caught:
        viewer_files(tmp_path / "viewer")
    assert str(caught.value).startswith("@ohif/app 3.12.10 cannot be fetched from the npm registry: ")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "viewer").iterdir()) == []


def test_the_configuration_names_no_other_host() -> None:
    assert "http" not in configuration()
