"""The pictures of the console in the documentation, made by a real browser of a real run.

``python -m tests.e2e.console.pictures [--output docs/pictures]``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from PIL import Image

from local.run.wiring import REPOSITORY
from tests.e2e.console.running import ConsoleRun, console_run
from tests.support.machine.browser import Browser, browser, missing

SLOTS = 2
COLOURS = 128
"""Enough for pages and grey pictures; a file stays below 300 kB."""


def main() -> int:
    """0: both pictures are written; 1: there is no browser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "pictures", metavar="DIR")
    arguments = parser.parse_args()
    if why := missing():
        sys.stderr.write(f"error: {why}\n")
        return 1
    arguments.output.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as runs,
        console_run(Path(runs), import_slots=SLOTS, start_rate=100, start_burst=100) as run,
        browser() as page,
    ):
        take(page, run, arguments.output)
    return 0


def take(page: Browser, run: ConsoleRun, output: Path) -> None:
    """The first page in light while series wait; a CT series in dark when all is over."""
    page.look(1240, 1000)
    page.open(run.url)
    count = "Number(document.querySelector('[data-stage=\"{}\"] .count').innerText)"
    waiting, importing, image_sets = (count.format(name) for name in ("Waiting", "Importing", "Image sets"))
    page.until(f"{waiting} + {importing} > 0 && document.querySelectorAll('#rows .done').length >= 2")
    page.until("[...document.images].every(image => image.complete)")
    shot(page, output / "console-light.png")
    page.until(f"{image_sets} === 7 && {importing} === 0")
    page.look(1240, 1560, dark=True)
    page.open(
        page.ask("[...document.querySelectorAll('#rows a')].find(a => a.innerText.includes('Axial')).href")
    )
    page.until("document.getElementById('picture').naturalWidth > 0")
    shot(page, output / "console-dark.png")


def shot(page: Browser, path: Path) -> None:
    """A picture with few colours, which is what makes it small."""
    page.screenshot(path)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
