"""What an operator can rehearse: settings of the edge, a second edge, one that is killed and restarted."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.support.local.cli import Up, ops, run, up
from tests.support.local.dicom import write_series
from tests.support.machine.waiting import wait_until

pytestmark = pytest.mark.xdist_group("local-rehearse")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Two edges, in whose bucket nothing can be put."""
    settings = {"EDGE_BUCKET": "no-such-bucket", "EDGE_CALLED_AES": '["EDGE_AE", "OTHER"]'}
    with up(tmp_path_factory.mktemp("runs"), "--edges", "2", **settings) as running:
        running.state()
        yield running


def edges_of(running: Up) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = running.state()["edges"]
    return found


def page(running: Up, path: str) -> str:
    """Of the console."""
    found = re.search(r"console +(http://127\.0\.0\.1:\d+)", running.said)
    assert found is not None
    with build_opener(ProxyHandler({})).open(f"{found[1]}{path}", timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def said(running: Up) -> dict[str, dict[str, Any]]:
    answer = json.loads(ops(running.runs, "edges", "--json").stdout)
    return {edge["edge"]: edge for edge in answer["edges_say"]}


def test_a_second_edge_runs_beside_the_first(running: Up) -> None:
    first, second = edges_of(running)
    assert first["dicom_port"] != second["dicom_port"]
    assert set(said(running)) == {first["edge"], second["edge"]}
    for edge in (first, second):
        assert str(edge["dicom_port"]) in running.said


def test_what_cannot_be_uploaded_is_found_at_its_edge_with_the_reason(running: Up, tmp_path: Path) -> None:
    uid = write_series(tmp_path, 2)
    sent = run(running.runs, "send", str(tmp_path))
    assert sent.returncode == 0, sent.stderr
    edge = edges_of(running)[0]["edge"]

    def line() -> str | None:
        found = ops(running.runs, "where", uid)
        return found.stdout if found.returncode == 0 and "NoSuchBucket" in found.stdout else None

    text = wait_until(line)
    assert f"{edge}, " in text
    assert "0 of 2 instances in S3" in text
    assert "NoSuchBucket" in ops(running.runs, "status").stdout
    answered = ops(running.runs, "edges")
    assert answered.returncode == 1
    assert "docs/operations.md#nothing-gets-out" in answered.stdout
    for path, words in (("/", uid), ("/", "At an edge"), ("/", "NoSuchBucket"), ("/edges", "NoSuchBucket")):
        assert words in page(running, path), path


def test_an_edge_that_is_killed_ends_no_run_and_starts_again_when_asked_to(running: Up) -> None:
    before = edges_of(running)[0]
    os.kill(before["pid"], signal.SIGKILL)
    wait_until(lambda: "python -m local restart edge" in running.said)
    assert "does not answer" in ops(running.runs, "edges").stdout
    again = run(running.runs, "restart", "edge", EDGE_BUCKET=running.state()["bucket"])
    assert again.returncode == 0, again.stderr
    after = edges_of(running)[0]
    assert after["pid"] != before["pid"]
    assert (after["dicom_port"], after["health_port"]) == (before["dicom_port"], before["health_port"])
    wait_until(lambda: "COMPLETED" in ops(running.runs, "status").stdout)


def test_an_edge_that_the_run_does_not_have_is_named(running: Up) -> None:
    answered = run(running.runs, "restart", "edge9")
    assert answered.returncode == 1
    assert answered.stderr.startswith("error: this run has no edge named 'edge9': it has edge1, edge2")


def test_a_setting_that_there_is_not_is_one_line_of_the_edge(tmp_path: Path) -> None:
    started = run(tmp_path, "up", "--edge-port", "0", "--health-port", "0", EDGE_NONSENSE="1")
    assert started.returncode == 1
    assert "EDGE_NONSENSE: no such setting" in started.stderr


def test_a_setting_that_would_tear_the_edge_out_of_its_run_is_refused(tmp_path: Path) -> None:
    started = run(tmp_path, "up", "--edge-port", "0", "--health-port", "0", EDGE_SPOOL="/elsewhere")
    assert (started.returncode, started.stderr) == (
        2,
        "error: EDGE_SPOOL: the run chooses this itself; unset it\n",
    )
