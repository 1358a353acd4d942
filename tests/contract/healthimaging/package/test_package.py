"""The wheel of the emulator: what is in it, and every example of its README in an empty environment."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pydicom.data
import pytest
from botocore.config import Config

from .conftest import ROOM, UV, Installed

pytestmark = pytest.mark.xdist_group("emulator-package")
README = (ROOM / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
TESTS = {each.splitlines()[0].removeprefix("# "): each for each in EXAMPLES if "def test_" in each}
SCRIPTS = [each for each in EXAMPLES if "def test_" not in each]
COMMANDS = re.findall(r"^\$ (.*)$", README, re.MULTILINE)
LISTENS = re.compile(r"HealthImaging listens on (http://\S+)")
FORMER = "http://127.0.0.1:8500"


@contextmanager
def process(installed: Installed, *arguments: str) -> Iterator[tuple[str, str]]:
    """The running process: what it said before its address, and the address."""
    command = [installed.command("healthimaging-emulator"), "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=installed.environment()) as running:
        assert running.stdout is not None
        said = ""
        try:
            for line in running.stdout:
                if found := LISTENS.match(line):
                    yield said, found[1]
                    return
                said += line
            raise AssertionError(f"it ended with {running.wait()} before it listened: {said}")
        finally:
            running.terminate()


def test_the_wheel_is_typed_licensed_and_has_its_entry_points(wheel_files: zipfile.ZipFile) -> None:
    names = set(wheel_files.namelist())
    (metadata_name,) = (name for name in names if name.endswith(".dist-info/METADATA"))
    info = metadata_name.removesuffix("METADATA")
    assert {"healthimaging_emulator/py.typed", "healthimaging_emulator/state/schema.sql"} <= names
    assert f"{info}licenses/LICENSE" in names
    assert {name.partition("/")[0] for name in names} == {"healthimaging_emulator", info.rstrip("/")}
    metadata = wheel_files.read(metadata_name).decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert {"Provides-Extra: codecs", "Provides-Extra: moto"} <= set(metadata.splitlines())
    entry_points = wheel_files.read(f"{info}entry_points.txt").decode()
    assert "healthimaging-emulator = healthimaging_emulator.__main__:main" in entry_points
    assert "[pytest11]" in entry_points


def test_the_container_file_copies_all_that_the_package_is_built_from(tmp_path: Path) -> None:
    copies = re.findall(r"^COPY (.*) /source/", (ROOM / "Containerfile").read_text("utf-8"), re.MULTILINE)
    for name in " ".join(copies).split():
        source = ROOM / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    built = [UV, "build", "--quiet", "--wheel", "--out-dir", str(tmp_path / "dist"), str(tmp_path)]
    subprocess.run(built, check=True, capture_output=True)


@pytest.mark.parametrize("example", TESTS.values(), ids=TESTS)
def test_an_example_of_a_test_passes(installed: Installed, scans: Path, example: str) -> None:
    name = example.splitlines()[0].removeprefix("# ")
    (scans / name).write_text(example, encoding="utf-8")
    said = installed.run("pytest", "-q", "-W", "error", name, cwd=scans)
    assert f"{example.count('def test_')} passed" in said


@pytest.mark.parametrize("example", SCRIPTS, ids=range(len(SCRIPTS)))
def test_an_example_of_a_script_runs(
    installed: Installed, scans: Path, s3_endpoint: str, example: str
) -> None:
    (scans / "example.py").write_text(example, encoding="utf-8")
    if FORMER not in example:
        assert installed.run("python", "-W", "error", "example.py", cwd=scans)
        return
    with process(installed, "--s3-endpoint", s3_endpoint, "--datastore", "demo") as (_, url):
        (scans / "example.py").write_text(example.replace(FORMER, url), encoding="utf-8")
        assert installed.run("python", "example.py", cwd=scans) == "demo\n"


def test_every_command_of_the_readme_is_known(installed: Installed, tmp_path: Path) -> None:
    """Each program exists, and the emulator's options are its own."""
    for command in COMMANDS:
        program, *arguments = command.split()
        assert program in ("healthimaging-emulator", "moto_server", "export", "podman", "curl"), command
        if program == "healthimaging-emulator":
            known = installed.run("python", "-m", "healthimaging_emulator", "--help", cwd=tmp_path)
            assert all(each in known for each in arguments if each.startswith("--")), command


def test_the_process_says_what_the_readme_says(installed: Installed, s3_endpoint: str) -> None:
    arguments = ["--s3-endpoint", s3_endpoint, "--datastore", "demo"]
    with process(installed, *arguments) as (said, url):
        assert re.fullmatch(r"data store demo: [0-9a-z]{32}\n", said)
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_commands_of_the_readme_store_and_find(
    installed: Installed, s3_endpoint: str, scans: Path
) -> None:
    find, store = (command for command in COMMANDS if command.startswith("curl"))
    scan = next(path for path in scans.rglob("*") if path.is_file() and path.suffix == ".dcm")
    with process(installed, "--s3-endpoint", s3_endpoint, "--datastore", "demo") as (said, url):
        datastore_id = said.split()[-1]

        def run(command: str) -> object:
            text = command.replace("http://127.0.0.1:8500", url).replace("DATASTORE_ID", datastore_id)
            words = shlex.split(text.replace("scan.dcm", str(scan)).replace("DOE*", "*"))
            return json.loads(subprocess.run([*words, "-sS"], check=True, capture_output=True).stdout)

        assert run(find) == []
        assert "00081199" in str(run(store))
        assert len(str(run(find))) > 100


def test_one_endpoint_serves_healthimaging_and_what_moto_serves(
    installed: Installed, s3_endpoint: str
) -> None:
    with process(installed, "--in-front-of", s3_endpoint, "--datastore", "demo") as (_, url):
        session = boto3.Session("test", "test", region_name="us-east-1")
        config = Config(inject_host_prefix=False, s3={"addressing_style": "path"})
        s3 = session.client("s3", endpoint_url=url, config=config)
        s3.create_bucket(Bucket="one-endpoint")
        body = bytes(range(256)) * 40_000
        s3.put_object(Bucket="one-endpoint", Key="a/1.bin", Body=body)
        assert s3.head_object(Bucket="one-endpoint", Key="a/1.bin")["ContentLength"] == len(body)
        assert s3.get_object(Bucket="one-endpoint", Key="a/1.bin")["Body"].read() == body
        with pytest.raises(s3.exceptions.NoSuchKey):
            s3.get_object(Bucket="one-endpoint", Key="no")
        healthimaging = session.client("medical-imaging", endpoint_url=url, config=config)
        (store,) = healthimaging.list_datastores()["datastoreSummaries"]
        answer = healthimaging.start_dicom_import_job(
            datastoreId=store["datastoreId"],
            dataAccessRoleArn="arn:aws:iam::123456789012:role/import",
            inputS3Uri="s3://one-endpoint/a/",
            outputS3Uri="s3://one-endpoint/out/",
            clientToken="t",
        )
        assert answer["jobStatus"] == "SUBMITTED"


def test_without_codecs_frames_stay_raw_or_as_sent(installed: Installed, tmp_path: Path) -> None:
    for name in ("CT_small.dcm", "MR_small_RLE.dcm", "J2K_pixelrep_mismatch.dcm"):
        shutil.copy(Path(pydicom.data.__file__).parent / "test_files" / name, tmp_path)
    script = """
import sys
sys.modules["imagecodecs"] = None
from healthimaging_emulator import Stand
with Stand() as stand:
    job = stand.import_folder(".")
    for image_set_id in job.image_set_ids:
        (series,) = stand.metadata(image_set_id)["Study"]["Series"].values()
        for instance in series["Instances"].values():
            print(instance["StoredTransferSyntaxUID"], len(instance["ImageFrames"]))
"""
    said = installed.run("python", "-c", script, cwd=tmp_path).splitlines()
    raw = "1.2.840.10008.1.2.1 1"
    assert sorted(said) == [raw, raw, "1.2.840.10008.1.2.4.90 1"]
