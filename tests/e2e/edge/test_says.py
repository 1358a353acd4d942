"""What an edge says while something is wrong: /health, /status, where; and that it ends when that is over."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.edge.aws import EdgeCloud
from tests.support.edge.dicom import association, instance, send, series_of
from tests.support.edge.network.gateway import Gateway
from tests.support.edge.process import EdgeProcess
from tests.support.machine.waiting import wait_until


def health(edge: EdgeProcess) -> dict[str, Any]:
    code, body = edge.get("/health")
    found: dict[str, Any] = json.loads(body)
    assert code == (503 if found["status"] == "failed" else 200)
    return found


def said(edge: EdgeProcess, name: str) -> dict[str, Any]:
    """The problem of this name, once the edge says it."""

    def look() -> dict[str, Any] | None:
        return next((problem for problem in health(edge)["problems"] if problem["name"] == name), None)

    found: dict[str, Any] = wait_until(look, f"a problem {name}")
    return found


def where(edge: EdgeProcess, *arguments: str) -> tuple[int, str, str]:
    """The command on the device."""
    command = [sys.executable, "-m", "edge_component", "where", "--spool", str(edge.spool), *arguments]
    done = subprocess.run(command, env=edge.environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_an_edge_without_trouble_is_ok(tmp_path: Path, cloud: EdgeCloud) -> None:
    with EdgeProcess(tmp_path, cloud.environment) as edge:
        assert send(edge.dicom_port, series_of(1)) == [0]
        wait_until(lambda: edge.status()["series_announced"] == 1, "it is announced")
        assert health(edge) == {"status": "ok", "healthy": True, "reasons": [], "problems": []}
        assert edge.status()["state"] == "ok"


@pytest.mark.parametrize(
    ("settings", "environment", "words"),
    [
        ({"bucket": "no-such-bucket"}, {}, "NoSuchBucket"),
        ({}, {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "NoCredentials"),
        ({}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "127.0.0.1:1"),
    ],
    ids=["a wrong bucket", "no credentials", "a closed line"],
)
def test_what_stops_uploads_is_said_in_the_clouds_own_words(
    tmp_path: Path, cloud: EdgeCloud, settings: dict[str, Any], environment: dict[str, str], words: str
) -> None:
    alone = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": str(tmp_path / "none")}
    given = {
        **cloud.environment,
        **alone,
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        **environment,
    }
    given = {name: value for name, value in given.items() if value}
    ds = instance(PatientID="PHANTOM-1", AccessionNumber="A-1")
    with EdgeProcess(tmp_path, given, **settings) as edge:
        assert send(edge.dicom_port, [ds]) == [0]
        problem = said(edge, "upload")
        assert problem["level"] == "degraded"
        assert problem["see"] == "docs/operations.md#nothing-gets-out"
        assert "no upload has succeeded since" in problem["reason"]
        assert words in problem["reason"]
        assert "1 instance waiting, the oldest since" in problem["reason"]
        channel = edge.status()["channels"]["upload"]
        assert (channel["waiting"], channel["last_success_at"]) == (1, None)
        assert channel["tries"] > 0
        for term in ("A-1", "PHANTOM-1", str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID), "SENDER"):
            [row] = json.loads(edge.get(f"/where?q={term}")[1])["series"]
            assert row["series_instance_uid"] == ds.SeriesInstanceUID
            assert (row["instances"], row["instances_uploaded"]) == (1, 0)
            code, out, _ = where(edge, term)
            assert code == 0
            assert str(ds.SeriesInstanceUID) in out
        wait_until(lambda: words in where(edge, "A-1")[1], "the command says why")


def test_a_disabled_key_is_said_and_ends_by_itself_when_it_is_enabled(
    tmp_path: Path, cloud: EdgeCloud
) -> None:
    with Gateway(cloud.endpoint) as gateway:
        environment = {**cloud.environment, "AWS_ENDPOINT_URL": gateway.endpoint}
        with EdgeProcess(tmp_path, environment) as edge:
            gateway.code = "KMS.DisabledException"
            gateway.refuse = lambda method, _path: 400 if method == "PUT" else None
            assert send(edge.dicom_port, series_of(2)) == [0, 0]
            reason = said(edge, "upload")["reason"]
            assert "2 instances waiting" in reason
            assert "KMS.DisabledException" in reason
            gateway.refuse = lambda _method, _path: None
            wait_until(lambda: health(edge)["status"] == "ok", "it is over")
            assert edge.status()["channels"]["upload"]["failing_since"] is None


def test_a_bus_that_is_not_there_is_said(tmp_path: Path, cloud: EdgeCloud) -> None:
    with EdgeProcess(tmp_path, cloud.environment, event_bus="no-such-bus") as edge:
        ds = instance()
        assert send(edge.dicom_port, [ds]) == [0]
        assert "no announcement has succeeded since" in said(edge, "announcement")["reason"]
        said(edge, "heartbeat")
        [row] = json.loads(edge.get(f"/where?q={ds.SOPInstanceUID}")[1])["series"]
        assert row["state"] == "announcing"
        assert "no announcement has succeeded" in row["waits_for"]


def test_a_series_is_known_from_its_first_instance_on(tmp_path: Path, cloud: EdgeCloud) -> None:
    datasets = series_of(2)
    series = str(datasets[0].SeriesInstanceUID)
    with (
        EdgeProcess(tmp_path, cloud.environment, series_quiet_seconds=600) as edge,
        association(edge.dicom_port, datasets) as assoc,
    ):
        assert assoc.send_c_store(datasets[0]).Status == 0

        def row() -> dict[str, Any] | None:
            found = json.loads(edge.get(f"/where?q={series}")[1])["series"]
            return next(iter(found), None)

        assert wait_until(row, "it is known")["state"] in ("received", "open")
        opened = wait_until(lambda: (found := row()) and found["state"] == "open" and found, "it is open")
        assert "association is open" in opened["waits_for"]
    with edge:
        code, out, err = where(edge, "UNHEARD-OF")
        assert (code, out) == (1, "")
        assert "does not know UNHEARD-OF" in err


def test_what_was_refused_is_counted_by_sender_and_reason(tmp_path: Path, cloud: EdgeCloud) -> None:
    with EdgeProcess(tmp_path, cloud.environment) as edge:
        ds = instance()
        del ds.StudyInstanceUID
        assert send(edge.dicom_port, [ds, ds], calling_ae="CT9") == [0xC000, 0xC000]
        problem = said(edge, "refusals")
        assert "2 of CT9 with 0xC000" in problem["reason"]
        [row] = edge.status()["refused"]
        assert (row["calling_ae"], row["status"], row["instances"]) == ("CT9", "0xC000", 2)
        assert "StudyInstanceUID" in row["reason"]


def test_the_heartbeat_says_what_is_wrong_and_what_the_edge_holds(tmp_path: Path, cloud: EdgeCloud) -> None:
    ds = instance(PatientName="PHANTOM^NAME", PatientID="PHANTOM-2")
    with EdgeProcess(tmp_path, cloud.environment, bucket="no-such-bucket", heartbeat_seconds=1) as edge:
        assert send(edge.dicom_port, [ds]) == [0]
        seen: list[dict[str, Any]] = []

        def beats(kind: str) -> list[dict[str, Any]]:
            seen.extend(cloud.events())
            return [event["detail"] for event in seen if event["detail-type"] == kind]

        def failing() -> dict[str, Any] | None:
            return next((beat for beat in beats("Edge Heartbeat") if beat["failing_seconds"]), None)

        beat = wait_until(failing, "a heartbeat that says so")
        assert beat["state"] == "degraded"
        assert any("NoSuchBucket" in problem["reason"] for problem in beat["problems"])
        assert beat["oldest_unsent_seconds"] > 0
        held = [series for page in beats("Edge Holdings") for series in page["series"]]
    assert {series["series_instance_uid"] for series in held} == {str(ds.SeriesInstanceUID)}
    assert "PHANTOM" not in json.dumps(seen)
