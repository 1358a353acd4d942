"""The demo's verdict: everything that was accepted must be in an image set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local.demo.main_job import arrived
from local.demo.report import build
from local.sending.dicom_folder import DicomFolder, InstanceFile, OtherFile
from local.sending.sender import Sent


def files(series: str, count: int) -> list[InstanceFile]:
    return [
        InstanceFile(
            Path(f"{series}-{n}.dcm"), "1.2", series, f"{series}.{n}", "1.2.840", "1.2.840.10008.1.2"
        )
        for n in range(count)
    ]


def row(series: str, instances: list[InstanceFile], **changes: Any) -> dict[str, Any]:
    return {
        "transfer_id": "t",
        "study_instance_uid": "1.2",
        "series_instance_uid": series,
        "modality": "CT",
        "instances": len(instances),
        "state": "OVER",
        "outcome": "COMPLETED",
        "outcome_detail": None,
        "image_sets": ["i"],
        "imported": [file.sop_instance_uid for file in instances],
        "execution_arn": "arn",
        "seconds": 1.5,
        **changes,
    }


def test_nothing_is_missing_when_every_instance_is_in_an_image_set() -> None:
    sent = files("1.2.1", 2)
    report = build(DicomFolder(sent, []), Sent(accepted=sent), [row("1.2.1", sent)], 3.0)
    assert report.missing == []
    assert report.totals.instances_imported == report.totals.instances_sent == 2


def test_instances_of_one_series_may_come_in_several_transfers() -> None:
    sent = files("1.2.1", 3)
    rows = [row("1.2.1", sent[:2]), row("1.2.1", sent[2:])]
    assert build(DicomFolder(sent, []), Sent(accepted=sent), rows, 1).missing == []
    assert arrived(sent, rows)
    assert not arrived(sent, rows[:1])


def test_a_failed_import_is_missing_and_says_its_outcome() -> None:
    sent = files("1.2.1", 2)
    rows = [row("1.2.1", sent, outcome="FAILED", imported=[], image_sets=[])]
    (sentence,) = build(DicomFolder(sent, []), Sent(accepted=sent), rows, 1).missing
    assert sentence == "series 1.2.1: 2 of 2 instances are not imported (FAILED)"


def test_a_series_that_nobody_announced_is_missing() -> None:
    sent = files("1.2.1", 1)
    (sentence,) = build(DicomFolder(sent, []), Sent(accepted=sent), [], 1).missing
    assert sentence.endswith("(not in the index)")
    assert not arrived(sent, [])


def test_a_refused_instance_is_missing_a_file_that_is_not_dicom_is_only_counted() -> None:
    sent = files("1.2.1", 2)
    folder = DicomFolder(sent, [OtherFile(Path("README.md"), "not DICOM")])
    outcome = Sent(accepted=sent[:1], refused=[(sent[1], "0xA700")])
    report = build(folder, outcome, [row("1.2.1", sent[:1])], 1)
    assert report.missing == ["refused: 1.2.1-1.dcm: 0xA700"]
    assert (report.totals.files, report.totals.files_not_sent) == (3, 1)
    assert [each.reason for each in report.not_sent] == ["not DICOM", "0xA700"]


def test_without_imports_an_indexed_series_is_complete() -> None:
    sent = files("1.2.1", 1)
    rows = [row("1.2.1", sent, outcome="INDEXED", imported=[], image_sets=[])]
    assert build(DicomFolder(sent, []), Sent(accepted=sent), rows, 1).missing == []


def test_a_transfer_that_is_not_over_is_waited_for() -> None:
    sent = files("1.2.1", 1)
    assert not arrived(sent, [row("1.2.1", sent, state="IMPORTING", outcome="")])
