"""The main job with one command: sends a folder, shows what arrives, fails when anything is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom.uid import MRImageStorage

from local.demo.report import Report
from tests.support.local.cli import run
from tests.support.local.dicom import write_series

pytestmark = pytest.mark.xdist_group("local-demo")
QUICK = ("--quiet-seconds", "0.5", "--fast-imports", "--start-rate", "50")


def test_a_demo_sends_a_folder_and_reports_every_series_as_text_files_and_json(tmp_path: Path) -> None:
    sent = {
        write_series(tmp_path / "in" / "ct", 4),
        write_series(tmp_path / "in" / "mr", 2, sop_class=MRImageStorage),
    }
    (tmp_path / "in" / "README.md").write_text("not DICOM")
    whole = (tmp_path / "in" / "ct" / "IM0001.dcm").read_bytes()
    (tmp_path / "in" / "cut.dcm").write_bytes(whole[:-7])
    report_file = tmp_path / "report.json"

    done = run(tmp_path, "demo", *QUICK, "--input", str(tmp_path / "in"), "--json", str(report_file))

    assert done.returncode == 0, done.stdout + done.stderr
    report = Report.model_validate_json(report_file.read_text())
    assert {series.series_instance_uid for series in report.series} == sent
    assert {series.outcome for series in report.series} == {"COMPLETED"}
    assert all(series.image_sets and series.execution_arn for series in report.series)
    assert (report.totals.instances_sent, report.totals.instances_imported) == (6, 6)
    assert {each.path.rsplit("/", 1)[-1]: each.reason for each in report.not_sent} == {
        "README.md": "not DICOM",
        "cut.dcm": "truncated",
    }
    for title in ("Patient (1)", "Study (2)", "Series (2)", "Ahlijob (2)", "Ahliimageset (2)"):
        assert title in done.stdout
    for word in ("received 6", "uploaded 6", "indexed 2", "imported 2", "make up", "dcmsend"):
        assert word in done.stdout
    assert not list((tmp_path / "demo").rglob("*.dcm"))
    assert not (tmp_path / "demo" / "datastore").exists()
    for uid in sent:
        (event,) = (tmp_path / "demo" / "events").glob(f"{uid}.*.json")
        (execution,) = (tmp_path / "demo" / "executions").glob(f"{uid}.*.json")
        assert json.loads(event.read_text())["detail"]["series_instance_uid"] == uid
        history = json.loads(execution.read_text())
        assert history["status"] == "SUCCEEDED"
        assert history["events"][-1]["type"] == "ExecutionSucceeded"


def test_a_demo_with_failing_imports_says_what_is_missing_and_fails(tmp_path: Path) -> None:
    uid = write_series(tmp_path / "in", 2)
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"limits": {"bytes_per_file": 10}}))
    done = run(
        tmp_path, "demo", *QUICK, "--healthimaging-settings", str(settings), "--input", str(tmp_path / "in")
    )
    assert done.returncode == 1
    assert f"missing: series {uid}: 2 of 2 instances are not imported" in done.stdout


def test_a_folder_without_dicom_is_one_clear_line_and_nothing_is_started(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    done = run(tmp_path, "demo", "--input", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {tmp_path} has no DICOM instance: 1 not sent, not DICOM: notes.txt\n"
    assert not (tmp_path / "demo").exists()


def test_a_misspelt_key_in_config_yaml_is_one_clear_line(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("cdk_app_nam: x\n")
    done = run(tmp_path, "demo", "--config", str(config))
    assert done.returncode == 2
    assert "cdk_app_nam: no such key" in done.stderr
