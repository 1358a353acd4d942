"""An edge that takes the connection and never answers holds up no page and no verb."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from console.application import Application
from console.run.sources import Sources
from local.run.console_source import RunSource
from local.run.options import Options
from local.run.state import EdgeState, RunState, own_folder
from ops.__main__ import main
from tests.e2e.console.running import ConsoleRun
from tests.support.machine.silent_edge import silent_edge

PAGE_SECONDS = 5.0
"""A second of waiting, and the page on a busy machine."""
SILENT = "Edge silent does not answer at http://127.0.0.1:"


@pytest.fixture
def state(console: ConsoleRun, tmp_path: Path) -> Iterator[RunState]:
    """The run, with another edge that is silent; published in a folder of its own."""
    with silent_edge() as port, own_folder(Options(runs=tmp_path)) as folder:
        silent = EdgeState(
            name="silent", edge="silent", pid=1, dicom_port=None, tls_port=None, health_port=port
        )
        edges = [*console.runtime.state.edges, silent]
        made = console.runtime.state.model_copy(update={"folder": folder, "edges": edges})
        made.write()
        yield made


@pytest.mark.parametrize("path", ["/", "/live", "/?q=PH26-0001", "/?q=unknown", "/edges", "/study/1.2.3"])
def test_a_page_comes_at_once_and_names_the_edge(state: RunState, path: str) -> None:
    source = RunSource(state)
    try:
        client: Client[Any] = Client(Application(Sources(source)))
        began = time.monotonic()
        shown = client.get(path).text
        took = time.monotonic() - began
    finally:
        source.close()
    assert SILENT in shown
    assert ": no answer within 1 s; first asked at " in shown
    assert took < PAGE_SECONDS


@pytest.mark.parametrize("verb", [["status"], ["edges"], ["where", "unknown"]], ids=" ".join)
def test_a_verb_answers_and_names_the_edge(
    state: RunState, verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    main([*verb, "--runs", str(state.folder.parent)])
    took = time.monotonic() - began
    said = "".join(capsys.readouterr())
    assert "silent" in said
    assert "no answer within 1 s; first asked at " in " ".join(said.split())
    assert took < PAGE_SECONDS
