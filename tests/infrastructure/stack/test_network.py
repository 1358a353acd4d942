"""Zones: where the subnets and the interface endpoints are."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.infrastructure.conftest import ROOT
from tests.infrastructure.template import Template

_SYNTHESISE = """
import json, sys
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_kms as kms
import cdk
from cdk.data.network import Network
from dicom_ingest.contracts.configuration.config import parse_config
answers, configurations = json.load(sys.stdin)
for settings in configurations:
    app = App(context=answers, analytics_reporting=False)
    stack = Stack(app, "zones", env=Environment(account="123456789012", region="us-east-1"))
    Network(stack, parse_config(settings), kms.Key(stack, "key"))
    print(json.dumps(app.synth().get_stack_by_name("zones").template))
"""
"""The network alone, as on deploy: the command line has asked AWS and put the answers into the context."""
_ACCOUNT = "account=123456789012:region=us-east-1"
_SERVICE = "endpoint-service-availability-zones:account=123456789012:region=us-east-1:serviceName="


def _zones_of_endpoints(imaging: list[str], *configurations: dict[str, Any]) -> list[dict[str, set[str]]]:
    """Of each configuration: the zones of every service's endpoint."""
    everywhere = ["us-east-1a", "us-east-1b", "us-east-1c"]
    answers: dict[str, list[str]] = {f"availability-zones:{_ACCOUNT}": everywhere}
    for service in ("states", "secretsmanager", "medical-imaging"):
        zones = imaging if service == "medical-imaging" else everywhere
        answers[f"{_SERVICE}com.amazonaws.us-east-1.{service}"] = zones
    done = subprocess.run(
        [sys.executable, "-c", _SYNTHESISE],
        cwd=ROOT,
        input=json.dumps([answers, configurations]),
        capture_output=True,
        text=True,
        check=True,
    )
    return [_zones(json.loads(line)["Resources"]) for line in done.stdout.splitlines()]


def _zones(resources: dict[str, Any]) -> dict[str, set[str]]:
    return {
        endpoint["Properties"]["ServiceName"].rpartition(".")[2]: {
            resources[subnet["Ref"]]["Properties"]["AvailabilityZone"]
            for subnet in endpoint["Properties"]["SubnetIds"]
        }
        for endpoint in resources.values()
        if endpoint["Type"] == "AWS::EC2::VPCEndpoint"
        and endpoint["Properties"]["VpcEndpointType"] == "Interface"
    }


def test_an_endpoint_is_only_in_zones_where_its_service_has_one() -> None:
    """CloudFormation refuses an endpoint that names one zone too many."""
    first, configured = _zones_of_endpoints(
        ["us-east-1b", "us-east-1f"], {}, {"availability_zones": ["us-east-1b", "us-east-1c"]}
    )
    both = {"us-east-1a", "us-east-1b"}
    assert first == {"states": both, "secretsmanager": both, "medical-imaging": {"us-east-1b"}}
    both = {"us-east-1b", "us-east-1c"}
    assert configured == {"states": both, "secretsmanager": both, "medical-imaging": {"us-east-1b"}}


def test_the_configured_zones_are_the_subnets(longest: Template) -> None:
    zones = {s["Properties"]["AvailabilityZone"] for s in longest.resources("AWS::EC2::Subnet").values()}
    assert zones == {"us-east-1b", "us-east-1d"}
