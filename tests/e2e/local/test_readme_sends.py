"""DCMTK sends the example studies to `make up` exactly as the README and the demo say."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator

import pytest

from local.cli.demo import SEND_A_FOLDER
from local.run.wiring import REPOSITORY
from tests.support.local.cli import Up, up
from tests.support.machine.waiting import wait_until

pytestmark = pytest.mark.xdist_group("local-readme")
README = (REPOSITORY / "README.md").read_text("utf-8")
SENDS = [
    *re.findall(r"^((?:dcmsend|storescu) .*dcmdata.*)$", README, re.MULTILINE),
    SEND_A_FOLDER.replace("FOLDER", "dcmdata"),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(tmp_path_factory.mktemp("runs")) as running:
        running.state()
        yield running


def received(running: Up) -> int:
    url = f"http://127.0.0.1:{running.state()['health_port']}/status"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return int(json.load(answer)["instances_received"])


@pytest.mark.parametrize("command", SENDS, ids=lambda command: command.split()[0])
def test_dcmtk_sends_the_example_studies_as_printed(running: Up, command: str) -> None:
    if shutil.which(command.split()[0]) is None:
        pytest.skip("DCMTK is not installed")
    words = shlex.split(command.replace("11112", str(running.state()["dicom_port"])))
    before = received(running)
    sent = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    files = list((REPOSITORY / words[-1]).rglob("*.dcm"))
    wait_until(lambda: received(running) - before == len(files))


def test_the_readme_sends_with_both_programs() -> None:
    assert {command.split()[0] for command in SENDS} == {"dcmsend", "storescu"}
