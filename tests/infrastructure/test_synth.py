"""The app as `cdk synth` runs it: offline, with the wheel's Node, and valid for CloudFormation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infrastructure.conftest import ROOT
from tests.infrastructure.variants import VARIANTS


@pytest.mark.parametrize("name", VARIANTS)
def test_synth_asks_nothing_of_aws(name: str, synthesised: Path) -> None:
    manifest = json.loads((synthesised / name / "manifest.json").read_text())
    assert "missing" not in manifest


def test_a_second_deploy_of_the_same_changes_nothing(synthesised: Path) -> None:
    first, again = (
        (synthesised / name / "dicom-ingest.template.json").read_text()
        for name in ("default", "default-again")
    )
    assert first == again


def test_the_app_needs_no_node_on_the_path(tmp_path: Path) -> None:
    only_python = tmp_path / "bin"
    only_python.mkdir()
    (only_python / "python3").symlink_to(sys.executable)
    code = "import cdk, aws_cdk; print(aws_cdk.App().node.path == '')"
    done = subprocess.run(
        [str(only_python / "python3"), "-c", code],
        cwd=ROOT,
        env={"PATH": str(only_python), "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "True\n", done.stderr
    assert "end-of-life" not in done.stderr


def test_a_mistake_in_the_configuration_is_one_message_without_a_traceback(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("edge_config:\n- {name: edge1, device_type: RASPBERRY}\n")
    done = subprocess.run(
        [sys.executable, "-m", "cdk.app"],
        cwd=ROOT,
        env=os.environ | {"CDK_CONTEXT_JSON": json.dumps({"config": str(config)})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "edge_config.0.device_type = 'RASPBERRY'" in done.stderr
    assert "Traceback" not in done.stderr
