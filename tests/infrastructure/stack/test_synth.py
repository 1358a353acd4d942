"""The app as `cdk synth` runs it: offline, with the wheel's Node, and valid for CloudFormation."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from tests.infrastructure.conftest import ROOT
from tests.infrastructure.template import Template
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
        env={"PATH": str(only_python), "HOME": str(Path.home()), "PYTHONPATH": os.pathsep.join(sys.path)},
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
    assert "edge_config.0.device_type: must be 'LOCAL' or 'EC2', not 'RASPBERRY'" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_name_fits_the_service_that_it_is_for(longest: Template) -> None:
    """By CloudFormation's own schemas, and IAM's and IoT's limits on documents."""
    tight: dict[str, float] = {}
    for path, properties, schema in _with_schema(longest):
        for name, value in properties.items():
            limit = schema.get(name, {}).get("maxLength", LIMITS.get(name))
            if isinstance(value, str) and limit:
                assert len(value) <= limit, (path, name, value)
                tight[name] = max(tight.get(name, 0), len(value) / limit)
    assert tight["RoleName"] == 1  # 64 of 64: one more character and IAM would refuse it
    assert {"FunctionName", "ArchiveName", "StateMachineName", "PolicyName"} <= tight.keys()


def test_an_iot_policy_of_the_longest_name_fits(longest: Template) -> None:
    """2,048 characters without white space: https://docs.aws.amazon.com/general/latest/gr/iot-core.html"""
    document = longest.properties("AWS::IoT::Policy")["PolicyDocument"]
    filled = re.sub(
        r"<(Partition|Region|AccountId)>", lambda m: PSEUDO[m[1]], json.dumps(longest.plain(document))
    )
    assert len(re.sub(r"\s", "", filled)) <= 2048


LIMITS = {"RoleName": 64, "DBClusterIdentifier": 63, "PolicyName": 128, "AlarmName": 255, "FunctionName": 64}
"""Where the schema has none."""
PSEUDO = {"Partition": "aws", "Region": "ap-southeast-2", "AccountId": "123456789012"}


def _with_schema(template: Template) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for id_, resource in template.body["Resources"].items():
        if not resource["Type"].startswith("Custom::"):
            schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
            yield template.paths[id_], resource.get("Properties", {}), schema["properties"]
