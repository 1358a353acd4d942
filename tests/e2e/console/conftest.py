"""A run with a console for all files that only look, one for each that changes it; and a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.__main__ import main
from tests.e2e.console.running import ConsoleRun, imported
from tests.e2e.console.verbs import Ops
from tests.support.machine.browser import Browser, browser, missing


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that share a run go to one xdist worker, so that it is started once."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            own = _changes(getattr(item, "module", None))
            item.add_marker(pytest.mark.xdist_group(item.path.stem if own else "console"))


def _changes(module: object) -> bool:
    """Whether a file says `CHANGES_THE_RUN = True`."""
    return bool(getattr(module, "CHANGES_THE_RUN", False))


@pytest.fixture(scope="session")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleRun]:
    """The run that no test changes."""
    with imported(tmp_path_factory.mktemp("runs")) as run:
        yield run


@pytest.fixture(scope="module")
def console(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleRun]:
    """All of dcmdata/ is in image sets, and nothing was done to it since by another file."""
    if not _changes(request.module):
        yield request.getfixturevalue("unchanged")
        return
    with imported(tmp_path_factory.mktemp("runs")) as run:
        yield run


@pytest.fixture
def ops(console: ConsoleRun, capsys: pytest.CaptureFixture[str]) -> Ops:
    """One verb, to its end: exit code, output, errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments, "--runs", str(console.runs)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


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
