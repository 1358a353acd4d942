"""One run with a console for the whole suite, and a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.postgres.databases import session
from tests.e2e.console.running import ConsoleRun, console_run
from tests.support.machine.browser import Browser, browser, missing
from tests.support.machine.waiting import wait_until


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of one xdist worker, so that the run is started once."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("console"))


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleRun]:
    """All of dcmdata/ is in image sets."""
    runs = tmp_path_factory.mktemp("runs")
    with console_run(runs, fast_imports=True, start_rate=100, start_burst=100) as run:

        def all_over() -> bool:
            run.runtime.check()
            with session(run.runtime.state.database_url) as connection:
                rows = connection.run("SELECT FROM series_transfer WHERE state = 'OVER'")
            return len(rows) == 7

        wait_until(all_over)
        yield run


@pytest.fixture(scope="session")
def opened_browser() -> Iterator[Browser]:
    """Chromium, or a skip that says why not."""
    if why := missing():
        pytest.skip(why)
    with browser() as opened:
        yield opened


@pytest.fixture
def page(opened_browser: Browser) -> Browser:
    """The browser with its usual window."""
    opened_browser.look()
    return opened_browser
