"""Recordings of what runs call: kept in a file, compared with every run, made again with RECORD_CALLS=1.

RECORD_CALLS=1 python -m pytest -n 0 tests/workflow tests/e2e/test_main_job.py
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import botocore.client
import pytest

from tests.support.iam.calls import Call, named
from tests.support.iam.hook import Log, watch_clients
from tests.support.iam.services import RARE

RECORDED = Path(__file__).parents[2] / "infrastructure" / "recorded_calls.json"
Run = TypeVar("Run")
_SITE = "from pathlib import Path\n\nfrom tests.support.iam.hook import install\n\ninstall(Path({log!r}))\n"


class UnknownCallError(AssertionError):
    """A run called what no recording has: the policies were never asked about it."""


def recorded(source: str | None = None) -> list[Call]:
    """The calls of all recordings, or of one."""
    kept = json.loads(RECORDED.read_text(encoding="utf-8"))
    calls = [
        Call(principal, action, resource, context)
        for name in kept
        if source in (None, name)
        for principal, action, resource, context in kept[name]
    ]
    return sorted(set(calls), key=lambda call: call.sort_key)


@contextmanager
def processes_recorded(source: str, folder: Path, run: AbstractContextManager[Run]) -> Iterator[Run]:
    """Every Python process that a run starts writes down its calls; they are compared when it has ended.

    Raises:
        UnknownCallError: one of them is in no recording of this source.
    """
    folder.mkdir(parents=True)
    log = folder / "calls.jsonl"
    (folder / "sitecustomize.py").write_text(_SITE.format(log=str(log)))
    paths = [str(folder), str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH")]
    with ExitStack() as stack:
        # Only while it starts: the processes of other tests on this worker are not the run's.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
            running = stack.enter_context(run)
        yield running
    compare(source, log)


def compare(source: str, log: Path) -> None:
    """Compare a log of calls with the recording, or make it the recording where RECORD_CALLS is set.

    Raises:
        UnknownCallError: one of them is in no recording of this source.
    """
    lines = map(json.loads, log.read_text().splitlines()) if log.exists() else []
    found = {call for line in lines if (call := named(*line)) is not None}
    if os.environ.get("RECORD_CALLS"):
        keep(source, found)
    # Which of the rare calls happen depends on the moment: those that are known need no recording.
    if unknown := found - set(recorded()) - {call for _, call in RARE}:
        listed = "\n".join(f"  {call}" for call in sorted(unknown, key=lambda call: call.sort_key))
        raise UnknownCallError(f"not in {RECORDED.name} ({__name__} says how to record it):\n{listed}")


def keep(source: str, found: set[Call]) -> None:
    """Add these to the recording of a source; what the code no longer calls is taken out by hand."""
    kept = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    found = found | (set(recorded(source)) if source in kept else set())
    kept[source] = [
        [call.principal, call.action, call.resource, dict(call.context)]
        for call in sorted(found, key=lambda call: call.sort_key)
    ]
    lines = [
        f" {json.dumps(name)}: [\n"
        + ",\n".join(f"  {json.dumps(c, ensure_ascii=False)}" for c in calls)
        + "\n ]"
        for name, calls in sorted(kept.items())
    ]
    RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


@contextmanager
def own_calls_recorded(source: str, principal: str, log: Path) -> Iterator[Callable[[], Any]]:
    """This thread writes down its own calls, in blocks that the answer opens; then they are compared.

    Raises:
        UnknownCallError: one of them is in no recording of this source.
    """
    asking = threading.local()

    @contextmanager
    def block() -> Iterator[None]:
        asking.now = True
        try:
            yield
        finally:
            asking.now = False

    base: Any = botocore.client.BaseClient
    original = base._make_api_call
    watch_clients(Log(log, lambda: principal if getattr(asking, "now", False) else None))(botocore.client)
    try:
        yield block
    finally:
        base._make_api_call = original
    compare(source, log)
