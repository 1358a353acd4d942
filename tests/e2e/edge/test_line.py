"""A narrow line through the wire: its limit holds, what is urgent passes, what will come is said."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from edge_component.line.bucket import burst_of
from tests.e2e.edge.test_says import said
from tests.support.edge.aws import EdgeCloud
from tests.support.edge.dicom import association, send, series_of
from tests.support.edge.network.gateway import Gateway
from tests.support.edge.network.line import MeteredLine
from tests.support.edge.process import EdgeProcess
from tests.support.machine.waiting import wait_until

BULK = [{"calling_ae": "OLD", "priority": "bulk"}]
UNSHAPED_BYTES = 100_000
"""Manifests, events and heartbeats of a test."""


def test_uploads_on_many_connections_and_in_parts_are_never_faster_than_the_limit(
    tmp_path: Path, cloud: EdgeCloud
) -> None:
    rate = 24 * 125_000.0
    datasets = [*series_of(10, pixels=150_000 // 256 * 256), *series_of(1, pixels=6 * 1024 * 1024)]
    with MeteredLine(cloud.endpoint) as line:
        environment = {**cloud.environment, "AWS_ENDPOINT_URL": line.endpoint}
        settings = {"uplink": [{"mbit": 24}], "multipart_bytes": 5 * 1024 * 1024}
        with EdgeProcess(tmp_path, environment, **settings) as edge:
            begun = time.monotonic()
            assert send(edge.dicom_port, datasets) == [0] * len(datasets)
            wait_until(lambda: edge.status()["series_announced"] == 2, "all is announced")
            assert line.bytes > 7_500_000
            assert line.most_above(begun, rate) <= burst_of(rate) + UNSHAPED_BYTES
            assert line.connections > 2
            uplink = edge.status()["uplink"]
            assert (uplink["limit_mbit"], uplink["paused"], uplink["changes_at"]) == (24, None, None)
            assert "dicom_ingest_edge_uplink_limit_mbit 24" in edge.get("/metrics")[1]


def test_a_stat_study_passes_a_migration_on_a_narrow_line(tmp_path: Path, cloud: EdgeCloud) -> None:
    """The migration needs 84 seconds of this line, the study one."""
    migration, stat = series_of(160, pixels=32 * 1024), series_of(4, pixels=15_360)
    settings = {"uplink": [{"mbit": 0.5}], "senders": BULK, "series_quiet_seconds": 0.5}
    with EdgeProcess(tmp_path, cloud.environment, **settings) as edge:
        assert set(send(edge.dicom_port, migration, calling_ae="OLD")) == {0}
        wait_until(lambda: edge.status()["instances_uploaded"] >= 4, "the migration is on its way")
        assert send(edge.dicom_port, stat, calling_ae="CT1") == [0] * 4
        event = wait_until(lambda: next(iter(cloud.announcements()), None), "the study is announced")
        assert event["detail"]["calling_ae"] == "CT1"
        status = edge.status()
        assert status["instances_uploaded"] < 0.8 * len(migration)
        assert status["uplink"]["used_mbit"] > 0


def test_a_pause_is_said_and_holds_bulk_uploads_back(tmp_path: Path, cloud: EdgeCloud) -> None:
    settings = {"uplink": [{"mbit": 0}], "senders": BULK, "heartbeat_seconds": 1}
    with EdgeProcess(tmp_path, cloud.environment, **settings) as edge:
        assert send(edge.dicom_port, series_of(2), calling_ae="OLD") == [0, 0]
        assert send(edge.dicom_port, series_of(1), calling_ae="CT1") == [0]
        seen: list[dict[str, Any]] = []

        def of_live() -> bool:
            seen.extend(cloud.events())
            return any(event["detail"].get("calling_ae") == "CT1" for event in seen)

        wait_until(of_live, "the live series is announced")
        wait_until(lambda: edge.status()["spool_instances"] == 2, "the live instance is released")
        status = edge.status()
        assert status["instances_uploaded"] == 1
        assert (status["uplink"]["limit_mbit"], status["uplink"]["paused"]) == (0, "bulk")

        def beat() -> dict[str, Any] | None:
            seen.extend(cloud.events())
            beats = [event["detail"] for event in seen if event["detail-type"] == "Edge Heartbeat"]
            return next((beat for beat in beats if beat["spool_instances"] == 2), None)

        assert wait_until(beat, "a heartbeat says so")["uplink"]["paused"] == "bulk"
        assert json.loads(edge.get("/health")[1])["status"] == "ok"


def test_an_edge_foretells_that_its_disk_will_be_full(tmp_path: Path, cloud: EdgeCloud) -> None:
    """S3 is away while instances come: the edge knows hours before. S3 is back: it says so no more."""
    with Gateway(cloud.endpoint) as gateway:
        gateway.refuse = lambda method, _path: 503 if method == "PUT" else None
        environment = {**cloud.environment, "AWS_ENDPOINT_URL": gateway.endpoint}
        settings = {
            "spool_max_bytes": 50_000_000,
            "forecast_minutes": 1,
            "full_warning_hours": 100,
            "heartbeat_seconds": 1,
        }
        with EdgeProcess(tmp_path, environment, **settings) as edge:
            assert set(send(edge.dicom_port, series_of(20, pixels=256_000))) == {0}
            problem = said(edge, "forecast")
            assert problem["see"] == "docs/operations.md#edge-disk-will-be-full"
            assert problem["reason"].startswith("the disk will be full in ")
            status = edge.status()
            assert status["hours_until_full"] < 100
            assert status["forecast"]["in_bytes_per_second"] > 0
            assert status["forecast"]["out_bytes_per_second"] == 0
            assert status["forecast"]["backlog_empty_at"] is None
            seen: list[dict[str, Any]] = []

            def beat() -> dict[str, Any] | None:
                seen.extend(cloud.events())
                beats = [event["detail"] for event in seen if event["detail-type"] == "Edge Heartbeat"]
                return next((beat for beat in beats if beat["hours_until_full"] is not None), None)

            assert wait_until(beat, "a heartbeat says so")["forecast"]["disk_full_at"] is not None
            gateway.refuse = lambda _method, _path: None
            wait_until(lambda: edge.status()["spool_instances"] == 0, "all goes out")
            wait_until(lambda: json.loads(edge.get("/health")[1])["status"] == "ok", "it is over")


def test_while_the_spool_fills_bulk_senders_wait_then_are_refused_and_live_ones_go_on(
    tmp_path: Path, cloud: EdgeCloud
) -> None:
    disk = shutil.disk_usage(tmp_path)
    low = 100 * (1 - disk.free / disk.total) + 4  # the marks count for the fuller of disk and allowance
    spool = round(100_000 * 100 / (100 - low))
    with Gateway(cloud.endpoint) as gateway:
        gateway.refuse = lambda _method, _path: 503
        environment = {**cloud.environment, "AWS_ENDPOINT_URL": gateway.endpoint}
        settings = {
            "senders": BULK,
            "spool_max_bytes": spool,
            "watermark_bulk_slow_percent": low + 0.2 * (100 - low),
            "watermark_bulk_refuse_percent": low + 0.45 * (100 - low),
            "bulk_slow_down_seconds": 1,
        }
        with EdgeProcess(tmp_path, environment, **settings) as edge:
            old, live = series_of(20, pixels=10_240), series_of(20, pixels=10_240)
            assert send(edge.dicom_port, series_of(1, pixels=int(spool * low / 25600) * 256)) == [0]

            def step(name: str) -> None:
                wait_until(lambda: edge.status()["bulk_senders"] == name, f"the step {name}")

            with (
                association(edge.dicom_port, old, calling_ae="OLD") as bulk,
                association(edge.dicom_port, live, calling_ae="CT1") as ct,
            ):
                assert [bulk.send_c_store(ds).Status for ds in old[:2]] == [0, 0]
                assert edge.status()["bulk_answers_delayed"] == {}
                assert ct.send_c_store(live[0]).Status == 0
                step("slow")
                begun = time.monotonic()
                assert bulk.send_c_store(old[2]).Status == 0
                assert time.monotonic() - begun >= 0.1
                assert "bulk senders are answered slowly" in said(edge, "bulk senders")["reason"]
                assert edge.status()["bulk_answers_delayed"] == {"OLD": 1}
                assert ct.send_c_store(live[1]).Status == 0
                step("refuse")
                refused = bulk.send_c_store(old[3])
                assert (refused.Status, "live senders only" in refused.ErrorComment) == (0xA700, True)
                with association(edge.dicom_port, old, calling_ae="OLD") as rejected:
                    assert rejected.is_rejected
                assert edge.status()["bulk_associations_rejected"] == {"OLD": 1}
                assert "bulk senders are refused for now" in said(edge, "bulk senders")["reason"]
                assert json.loads(edge.get("/health")[1])["status"] == "degraded"
                with association(edge.dicom_port, live, calling_ae="CT2") as other:
                    assert other.is_established
                assert ct.send_c_store(live[2]).Status == 0
                wait_until(lambda: edge.status()["refused"], "the refusal is counted")
                [row] = edge.status()["refused"]
                assert (row["calling_ae"], row["status"], row["instances"]) == ("OLD", "0xA700", 1)
                stored = 0
                for ds in live[3:]:  # the watermark is measured once a second
                    if (status := ct.send_c_store(ds).Status) != 0:
                        break
                    stored += 1
                    if stored > 8:
                        wait_until(lambda: edge.status()["watermark"] == "refuse", "the hard limit")
                assert status == 0xA700
                assert stored >= 3
                gateway.refuse = lambda _method, _path: None
                step("normal")
                wait_until(lambda: edge.status()["watermark"] == "normal", "it recovers")
                assert bulk.send_c_store(old[3]).Status == 0
            wait_until(
                lambda: edge.status()["spool_instances"] == 0, "all that was acknowledged is announced"
            )
            final = edge.status()
            assert final["instances_announced"] == final["instances_received"] == 8 + stored
