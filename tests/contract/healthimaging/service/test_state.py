"""State: kept in a folder over restarts, gone with the emulator otherwise."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from healthimaging_emulator import HealthImaging, JobFault, ManualClock, Settings, Timing

from ..conftest import MakeStand, stand_maker
from ..stand import INPUT, OUTPUT, ROLE, Stand, instance, medical_imaging, part10, wait_for

if TYPE_CHECKING:
    from mypy_boto3_medical_imaging import HealthImagingClient
    from mypy_boto3_s3 import S3Client


class Restarts:
    """Stands on one state folder, one after the other."""

    def __init__(self, s3: S3Client, folder: Path) -> None:
        self._s3 = s3
        self._folder = folder
        self._stack = ExitStack()

    def start(self, clock: ManualClock | None = None, **settings: object) -> Stand:
        self.stop()
        chosen = Settings.fast(state_dir=self._folder, **settings)
        return stand_maker(self._s3, self._stack)(chosen, clock=clock)

    def stop(self) -> None:
        self._stack.close()


@pytest.fixture
def restarts(s3: S3Client, tmp_path: Path) -> Restarts:
    return Restarts(s3, tmp_path / "state")


def test_everything_is_there_after_a_restart(restarts: Restarts) -> None:
    stand = restarts.start()
    uid = stand.put("a/1.dcm", instance())
    job = stand.run("a/", clientToken="token")
    (image_set,) = stand.image_sets()
    metadata = stand.metadata(image_set["imageSetId"])
    again = restarts.start()
    assert again.datastore_id == stand.datastore_id
    assert again.job(job["jobId"]) == job
    assert again.image_sets()[0]["imageSetId"] == image_set["imageSetId"]
    assert again.metadata(image_set["imageSetId"]) == metadata
    frame = metadata["Study"]["Series"]["1.2.826.0.1.1.1"]["Instances"][uid]["ImageFrames"][0]
    assert len(again.frame(image_set["imageSetId"], frame["ID"])[0]) == frame["FrameSizeInBytes"]
    assert again.start("a/", clientToken="token") == job["jobId"]
    restarts.stop()


def test_an_import_that_was_running_goes_on_after_a_restart(restarts: Restarts) -> None:
    stand = restarts.start()
    stand.put("a/1.dcm", instance())
    stand.emulator.faults.add(JobFault(effect="stuck"))
    job_id = stand.start("a/")
    wait_for(lambda: stand.emulator.faults.stuck() or None, "the job is stuck")
    again = restarts.start()
    job = again.wait_for_status(job_id, "COMPLETED")
    assert again.summary(job)["numberOfImportedFiles"] == 1
    restarts.stop()


def test_an_import_that_was_read_but_not_ended_is_not_doubled(restarts: Restarts) -> None:
    clock = ManualClock()
    stand = restarts.start(clock, timing=Timing(submitted=0, import_base=60, import_per_file=0))
    stand.put("a/1.dcm", instance())
    job_id = stand.start("a/")
    frames = Path(stand.emulator.settings.state_dir or "") / "frames"
    wait_for(lambda: list(frames.iterdir()) or None, "the file is read")
    again = restarts.start()
    again.wait_for_status(job_id, "COMPLETED")
    assert [each["version"] for each in again.image_sets()] == [1]
    assert len(list(frames.iterdir())) == 1
    restarts.stop()


def test_frames_that_a_killed_process_left_are_swept(restarts: Restarts) -> None:
    stand = restarts.start()
    stand.put("a/1.dcm", instance())
    stand.run("a/")
    frames = stand.emulator.folder / "frames"
    kept = set(frames.iterdir())
    restarts.stop()
    (frames / ("0" * 32)).write_bytes(b"half a frame")
    restarts.start()
    assert set(frames.iterdir()) == kept
    restarts.stop()


def test_a_late_manifest_is_written_after_a_restart(restarts: Restarts) -> None:
    stand = restarts.start()
    stand.put("a/1.dcm", instance())
    stand.emulator.faults.add(JobFault(effect="late_manifest", seconds=3600))
    job = stand.run("a/")
    again = restarts.start()
    assert again.summary(job)["numberOfImportedFiles"] == 1
    restarts.stop()


def test_a_write_that_was_cut_off_has_failed_or_is_finished(restarts: Restarts) -> None:
    clock = ManualClock()
    slow = Timing(submitted=0, import_base=0, import_per_file=0, write=60)
    stand = restarts.start(clock, timing=slow)
    for number in (1, 2):
        stand.put(f"{number}/1.dcm", instance(SeriesInstanceUID=f"1.2.{number}", SeriesNumber=str(number)))
        stand.run(f"{number}/")
    first, second = (each["imageSetId"] for each in stand.image_sets())
    stand.client.update_image_set_metadata(
        datastoreId=stand.datastore_id,
        imageSetId=first,
        latestVersionId="1",
        updateImageSetMetadataUpdates={
            "DICOMUpdates": {"updatableAttributes": b'{"Study": {"DICOM": {"StudyDescription": "x"}}}'}
        },
    )
    stand.client.delete_image_set(datastoreId=stand.datastore_id, imageSetId=second)
    again = restarts.start()
    states = [
        again.client.get_image_set(datastoreId=again.datastore_id, imageSetId=image_set_id)
        for image_set_id in (first, second)
    ]
    assert [each["imageSetWorkflowStatus"] for each in states] == ["UPDATE_FAILED", "DELETED"]
    assert [each["imageSetState"] for each in states] == ["ACTIVE", "DELETED"]
    restarts.stop()


def test_a_state_folder_belongs_to_one_process(restarts: Restarts, s3: S3Client, tmp_path: Path) -> None:
    restarts.start()
    with pytest.raises(RuntimeError, match=r"state folder .* is in use"):
        HealthImaging(s3, Settings.fast(state_dir=tmp_path / "state"))
    restarts.stop()


def test_without_a_folder_nothing_is_left_behind(make_stand: MakeStand) -> None:
    stand = make_stand()
    folder = stand.emulator.folder
    assert folder.is_dir()
    stand.server.close()
    stand.emulator.close()
    assert not folder.exists()


STORE = "0" * 31 + "1"


def command(*more: str) -> list[str]:
    start = [
        sys.executable,
        "-X",
        "dev",
        "-W",
        "error",
        "-m",
        "healthimaging_emulator",
        "--datastore",
        "named",
    ]
    return [*start, "--datastore-id", STORE, *more]


def address_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    assert process.stdout.readline() == f"data store named: {STORE}\n"
    found = re.search(r"listens on (http://127\.0\.0\.1:\d+)\n", process.stdout.readline())
    assert found is not None
    return found[1]


def ended(client: HealthImagingClient, job_id: str) -> bool | None:
    job = client.get_dicom_import_job(datastoreId=STORE, jobId=job_id)["jobProperties"]
    return job["jobStatus"] == "COMPLETED" or None


def start(client: HealthImagingClient) -> str:
    return client.start_dicom_import_job(
        datastoreId=STORE,
        dataAccessRoleArn=ROLE,
        clientToken="t",
        inputS3Uri=f"s3://{INPUT}/a/",
        outputS3Uri=f"s3://{OUTPUT}/o/",
    )["jobId"]


def test_the_command_line_serves_and_ends_cleanly(s3: S3Client, s3_endpoint: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"limits": {"concurrent_import_jobs": 1}}), encoding="utf-8")
    s3.put_object(Bucket=INPUT, Key="a/1.txt", Body=b"x")
    more = command("--fast", "--s3-endpoint", s3_endpoint, "--settings", str(settings))
    with subprocess.Popen(more, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        client = medical_imaging(address_of(process))
        job_id = start(client)
        wait_for(lambda: ended(client, job_id), "the job")
        client.close()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def test_settings_that_are_not_understood_are_named(tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"limits": {"speed": 1}}), encoding="utf-8")
    done = subprocess.run(command("--settings", str(settings)), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "limits.speed" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_killed_process_loses_no_import(s3: S3Client, s3_endpoint: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    s3.put_object(Bucket=INPUT, Key="a/1.dcm", Body=part10(instance()))
    more = command("--s3-endpoint", s3_endpoint, "--state-dir", str(state))
    with subprocess.Popen(more, stdout=subprocess.PIPE, text=True) as process:
        client = medical_imaging(address_of(process))
        job_id = start(client)
        wait_for(lambda: list((state / "frames").iterdir()) or None, "the file is being read")
        client.close()
        process.kill()
    with subprocess.Popen([*more, "--fast"], stdout=subprocess.PIPE, text=True) as process:
        client = medical_imaging(address_of(process))
        wait_for(lambda: ended(client, job_id), "the job")
        found = client.search_image_sets(datastoreId=STORE)["imageSetsMetadataSummaries"]
        assert [each["version"] for each in found] == [1]
        client.close()
        process.terminate()
