"""Ways through the console that several tests take."""

from __future__ import annotations

from urllib.request import ProxyHandler, build_opener

from tests.e2e.console.running import ConsoleRun
from tests.support.machine.browser import Browser

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
