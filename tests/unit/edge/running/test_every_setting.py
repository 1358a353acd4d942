"""Every setting has a test where it makes a difference (E11: limits were read too late and did nothing)."""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_component.dimse.admission import max_connections
from edge_component.receiving.watermark import Disk, Watermark, level_of
from edge_component.running import logs
from edge_component.running.backoff import Backoff
from edge_component.sending.clients import make_clients
from edge_component.settings import Settings
from tests.support.edge.bench import Bench
from tests.support.edge.stand_ins import settings, unreachable

TESTS = Path(__file__).parents[3]
HARNESS = {"stack", "name", "bucket", "event_bus", "spool", "bind", "dicom_port", "health_port"}
"""Without these no edge would run in any test."""


def test_every_setting_is_used_by_a_test() -> None:
    folders = (TESTS / "unit" / "edge", TESTS / "e2e" / "edge")
    text = "".join(path.read_text() for folder in folders for path in folder.rglob("test_*.py"))
    unused = [name for name in Settings.model_fields if name not in HARNESS and f"{name}=" not in text]
    unused = [name for name in unused if f'"{name}"' not in text]
    assert unused == []


@pytest.mark.parametrize(
    ("changes", "free", "spool", "level"),
    [
        ({}, 500, 0, "normal"),
        ({}, 150, 0, "warn"),
        ({"watermark_warn_percent": 90}, 150, 0, "normal"),
        ({}, 90, 0, "slow"),
        ({"watermark_slow_percent": 92}, 90, 0, "warn"),
        ({}, 40, 0, "refuse"),
        ({"watermark_refuse_percent": 99}, 40, 0, "slow"),
        ({"disk_reserve_bytes": 501}, 500, 0, "refuse"),
        ({"spool_max_bytes": 100}, 500, 85, "warn"),
        ({"spool_max_bytes": 100}, 500, 96, "refuse"),
    ],
)
def test_watermarks(tmp_path: Path, changes: dict[str, Any], free: int, spool: int, level: str) -> None:
    assert level_of(settings(tmp_path, **changes), Disk(1000, free), spool) == level


def test_above_the_slow_watermark_each_answer_waits(tmp_path: Path) -> None:
    waits: list[float] = []
    given = settings(tmp_path, slow_down_seconds=0.7)
    watermark = Watermark(given, lambda: 0, lambda _path: Disk(1000, 80), waits.append)
    watermark.measure()
    assert (watermark.refusal(), waits) == (None, [0.7])


def test_backoff_base_and_cap() -> None:
    given = settings(Path(), backoff_base_seconds=1, backoff_cap_seconds=5)
    base, cap = given.backoff_base_seconds, given.backoff_cap_seconds
    backoff = Backoff(base, cap, uniform=lambda _low, high: high)
    assert [backoff.delay(failures) for failures in range(5)] == [1, 2, 4, 5, 5]
    jitter = Backoff(base, cap, uniform=lambda low, _high: low)
    assert jitter.delay(9) == 0


def test_uploads_in_flight_bound_the_pool(tmp_path: Path) -> None:
    bench = Bench(tmp_path, uploads_in_flight=2)
    sender = bench.associate()
    for number in range(5):
        bench.receive(sender, "1.2", "1.2.1", str(number + 1))
    bench.s3.before = lambda _operation, _key: unreachable()
    bench.assembly.run_once()
    bench.uploader.run_once()
    assert len(bench.s3.calls) == 2


def test_aws_timeout_reaches_the_clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    clients = make_clients(settings(tmp_path, aws_timeout=7))
    for client in (clients.s3, clients.events):
        config = client.meta.config
        assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == (
            7,
            7,
            1,
        )
        client.close()


def test_max_associations_bound_connections_that_say_nothing(tmp_path: Path) -> None:
    assert max_connections(settings(tmp_path, max_associations=10)) == 40


@pytest.mark.parametrize(
    ("log_format", "log_level", "expected"),
    [
        ("json", "INFO", '"message": "hello", "uid": "1.2"'),
        ("human", "INFO", "hello uid=1.2"),
        ("json", "ERROR", ""),
    ],
)
def test_log_format_and_level(
    monkeypatch: pytest.MonkeyPatch, log_format: str, log_level: str, expected: str
) -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stderr", stream)
    try:
        logs.configure(log_format, log_level)
        logs.info("hello", uid="1.2")
    finally:
        root.handlers[:], root.level = handlers, level
        logs.LOGGER.setLevel(logging.NOTSET)
    assert expected in stream.getvalue()
    assert bool(stream.getvalue()) == bool(expected)
