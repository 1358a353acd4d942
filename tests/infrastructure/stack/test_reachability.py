"""From every client that a function makes to its service: subnet, route, security group, endpoint, name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest

from dicom_ingest.contracts.platform.functions import FUNCTIONS
from tests.infrastructure.template import Template
from tests.support.iam.recording import recorded
from tests.support.iam.services import service_calls

BY_LAMBDA = ("logs", "xray", "ec2", "kms", "sqs", "iam", "rds-db")
"""Made by Lambda or the service that was called, outside of the VPC; a database token is signed locally."""
VARIANTS = ("default", "edges", "longest", "no-import")


def _clients(template: Template, imports: bool) -> dict[str, set[str]]:
    """Function -> services that its code calls."""
    named = {spec.name for spec in FUNCTIONS}
    found: dict[str, set[str]] = {name: set() for name in named}
    for call in [*recorded("main job"), *recorded("workflow"), *service_calls(template)]:
        service = call.action.partition(":")[0]
        if call.principal in named and service not in BY_LAMBDA and (imports or service != "medical-imaging"):
            found[call.principal].add(service)
    return found


class Network:
    """The VPC of a template, as a packet meets it."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self.endpoints = {
            template.text(e["Properties"]["ServiceName"]).rpartition(".")[2]: e["Properties"]
            for e in template.resources("AWS::EC2::VPCEndpoint").values()
        }

    def of(self, resource: Any, *names: str) -> list[str]:
        """References below these properties, as text."""
        for name in names:
            resource = resource[name]
        return [self._template.text(one) for one in resource]

    def opened(self, direction: str, group: str) -> Iterator[tuple[int, int, str]]:
        """Ports and the other end, of every rule of a group; `direction` is Ingress or Egress."""
        other = {"Ingress": "SourceSecurityGroupId", "Egress": "DestinationSecurityGroupId"}[direction]
        path = group.removesuffix(".GroupId>").removeprefix("<")
        inline = self._template.properties("AWS::EC2::SecurityGroup", path).get(
            f"SecurityGroup{direction}", []
        )
        apart = [
            rule["Properties"]
            for rule in self._template.resources(f"AWS::EC2::SecurityGroup{direction}").values()
            if self._template.text(rule["Properties"]["GroupId"]) == group
        ]
        for rule in (*inline, *apart):
            if rule["IpProtocol"] == "tcp":
                yield (
                    rule["FromPort"],
                    rule["ToPort"],
                    self._template.text(rule.get(other, rule.get("CidrIp"))),
                )

    def lets(self, port: int, source: list[str], destination: list[str]) -> bool:
        """A connection from one of the groups to one of the others."""
        out = any(
            low <= port <= high and end in (*destination, "0.0.0.0/0")
            for group in source
            for low, high, end in self.opened("Egress", group)
        )
        into = any(
            low <= port <= high and end in source
            for group in destination
            for low, high, end in self.opened("Ingress", group)
        )
        return out and into

    def routes(self, subnet: str) -> set[str]:
        """The route tables of a subnet."""
        associations = self._template.resources("AWS::EC2::SubnetRouteTableAssociation").values()
        return {
            self._template.text(a["Properties"]["RouteTableId"])
            for a in associations
            if self._template.text(a["Properties"]["SubnetId"]) == subnet
        }


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_client_of_a_function_reaches_its_service(
    variant: str, template: Callable[[str], Template]
) -> None:
    stack = template(variant)
    network, clients = Network(stack), _clients(stack, imports=variant != "no-import")
    for spec in FUNCTIONS:
        function = stack.properties("AWS::Lambda::Function", f"pipeline/functions/{spec.name}")
        if "VpcConfig" not in function:
            continue
        groups = network.of(function, "VpcConfig", "SecurityGroupIds")
        subnets = network.of(function, "VpcConfig", "SubnetIds")
        for service in clients[spec.name]:
            where = (spec.name, service)
            assert service in network.endpoints, where
            endpoint = network.endpoints[service]
            if endpoint["VpcEndpointType"] == "Gateway":
                reached = set(network.of(endpoint, "RouteTableIds"))
                assert all(network.routes(subnet) <= reached for subnet in subnets), where
                # Gateways have public addresses: the rule names no group.
                open_ = {rule for group in groups for rule in network.opened("Egress", group)}
                assert (443, 443, "0.0.0.0/0") in open_, where
            else:
                assert endpoint["PrivateDnsEnabled"] is True, where
                assert network.of(endpoint, "SubnetIds"), where
                assert network.lets(443, groups, network.of(endpoint, "SecurityGroupIds")), where


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_function_that_opens_the_database_reaches_it(
    variant: str, template: Callable[[str], Template]
) -> None:
    stack = template(variant)
    network, cluster = Network(stack), stack.properties("AWS::RDS::DBCluster")
    for spec in FUNCTIONS:
        function = stack.properties("AWS::Lambda::Function", f"pipeline/functions/{spec.name}")
        assert ("VpcConfig" in function) is spec.opens_database
        if spec.opens_database:
            groups = network.of(function, "VpcConfig", "SecurityGroupIds")
            assert network.lets(5432, groups, network.of(cluster, "VpcSecurityGroupIds")), spec.name


def test_no_endpoint_is_paid_for_that_no_function_uses(template: Callable[[str], Template]) -> None:
    for variant in VARIANTS:
        stack = template(variant)
        used = set[str]().union(*_clients(stack, imports=variant != "no-import").values())
        assert set(Network(stack).endpoints) <= used, variant


IN_THE_VPC = {function.name for function in FUNCTIONS}
"""Operators call from elsewhere."""


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "ap-southeast-2"])
def test_the_sdk_asks_the_hosts_that_the_endpoints_answer_for(region: str, default: Template) -> None:
    """Private DNS answers for `{service}.{region}.amazonaws.com`; the SDK must put nothing before it."""
    session = botocore.session.Session()
    for service, endpoint in Network(default).endpoints.items():
        client = session.create_client({"states": "stepfunctions"}.get(service, service), region_name=region)
        if endpoint["VpcEndpointType"] == "Interface":
            assert client.meta.endpoint_url == f"https://{service}.{region}.amazonaws.com"
            model = client.meta.service_model
            called = {
                call.action.partition(":")[2]
                for call in recorded()
                if f"{service}:" in call.action and call.principal in IN_THE_VPC
            }
            for operation in called & set(model.operation_names):
                assert not model.operation_model(operation).endpoint, operation


def test_what_is_refused_is_seen(default: Template) -> None:
    network = Network(default)
    functions, database = "<data/network/functions.GroupId>", "<data/network/database.GroupId>"
    endpoints = "<data/network/endpoints.GroupId>"
    assert network.lets(5432, [functions], [database])
    assert not network.lets(443, [functions], [database])
    assert not network.lets(5432, [database], [functions])
    assert not network.lets(5432, [functions], [endpoints])
