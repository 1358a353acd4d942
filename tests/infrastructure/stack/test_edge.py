"""Edges: things, aliases, the installer's role, and the instance of an EC2 edge."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from cdk.device import NUCLEUS_VERSION, settings
from cdk.edge.recipe import PLACEHOLDER
from edge_component.settings import load_settings
from tests.infrastructure.template import Template


@pytest.fixture
def edges(template: Callable[[str], Template]) -> Template:
    """Two devices and one EC2 edge."""
    return template("edges")


def test_names_are_those_that_operators_know(default: Template) -> None:
    assert default.properties("AWS::IoT::ThingGroup")["ThingGroupName"] == "dicom-ingest-IEP-devices"
    assert default.properties("AWS::IoT::Thing")["ThingName"] == "dicom-ingest-edge1"
    alias = default.properties("AWS::IoT::RoleAlias")
    assert alias["RoleAlias"] == "dicom-ingest-edge1-GG-Role-Alias"
    roles = default.resources("AWS::IAM::Role")
    assert roles["edge/edge1/role"]["Properties"]["RoleName"] == "dicom-ingest-edge1-GG-Role"
    assert roles["edge/installer-role"]["Properties"]["RoleName"] == "dicom-ingest-GGInstallerRole"
    assert default.outputs()["EdgeThingGroup"] == "dicom-ingest-IEP-devices"


def test_the_device_is_told_the_names_that_the_stack_gives(default: Template) -> None:
    told = settings("dicom-ingest", "dicom-ingest-edge1", "eu-west-1")
    assert told["GROUP"] == default.properties("AWS::IoT::ThingGroup")["ThingGroupName"]
    assert told["POLICY"] == default.properties("AWS::IoT::Policy")["PolicyName"]
    assert told["ROLE_ALIAS"] == default.properties("AWS::IoT::RoleAlias")["RoleAlias"]


def test_an_edges_role_trusts_iots_credentials_with_no_condition_that_aws_does_not_document(
    edges: Template,
) -> None:
    """A key that the credentials provider does not send would leave the device without credentials."""
    for edge in ("edge1", "edge10", "cloud"):
        role = edges.properties("AWS::IAM::Role", f"edge/{edge}/role")
        trusts = {s.principals: s.conditions for s in edges.statements(role["AssumeRolePolicyDocument"])}
        assert trusts.pop(("credentials.iot.amazonaws.com",)) == {}
        assert set(trusts) <= {("rolesanywhere.amazonaws.com",)}  # where the edge has a trust anchor


def test_a_role_can_be_had_through_its_own_alias_only(edges: Template) -> None:
    for edge in ("edge1", "edge10", "cloud"):
        alias = edges.properties("AWS::IoT::RoleAlias", f"edge/{edge}/alias")
        assert edges.text(alias["RoleArn"]) == f"<edge/{edge}/role.Arn>"
        named = {
            resource.rpartition("/")[2]
            for path, s in edges.all_statements()
            if path == f"edge/{edge}/policy" and "iot:AssumeRoleWithCertificate" in s.actions
            for resource in s.resources
        }
        assert named == {alias["RoleAlias"]}


def test_the_installer_can_register_devices_of_this_stack_and_nothing_else(edges: Template) -> None:
    granted = edges.granted("edge/installer-role")
    assert {action.partition(":")[0] for s in granted for action in s.actions} == {"iot"}
    named = {resource for s in granted for resource in s.resources if not resource.endswith("*")}
    account = "arn:<Partition>:iot:<Region>:<AccountId>"
    expected = {
        f"{account}:{place}"
        for edge in ("edge1", "edge10", "cloud")
        for place in (f"thing/clinic-{edge}", f"policy/clinic-{edge}-GG-Policy")
    }
    assert named == {*expected, "<edge/devices.Arn>"}
    role = edges.properties("AWS::IAM::Role", "edge/installer-role")
    assert role["MaxSessionDuration"] == 3600


def test_only_an_ec2_edge_makes_an_instance_and_a_way_out(edges: Template, default: Template) -> None:
    assert len(edges.resources("AWS::EC2::Instance")) == 1
    assert len(edges.resources("AWS::EC2::NatGateway")) == 1
    assert not default.resources("AWS::EC2::Instance")


def test_an_ec2_edge_is_open_to_the_configured_networks_for_dicom_only(edges: Template) -> None:
    group = edges.properties("AWS::EC2::SecurityGroup", "edge/cloud-instance/dicom")
    opened = {(rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupIngress"]}
    assert opened == {
        (network, port, port) for network in ("10.20.0.0/16", "192.168.7.0/24") for port in (11112, 2762)
    }


def test_an_ec2_edge_has_no_public_address_and_encrypted_disks_that_outlive_it(edges: Template) -> None:
    instance = _instance(edges)
    assert not instance.get("NetworkInterfaces")
    assert edges.text(instance["SubnetId"]) == "<data/network/vpc/edgeSubnet1/Subnet>"
    disks = {disk["DeviceName"]: disk["Ebs"] for disk in instance["BlockDeviceMappings"]}
    assert all(disk["Encrypted"] is True for disk in disks.values())
    assert disks["/dev/sdf"]["DeleteOnTermination"] is False
    assert instance["DisableApiTermination"] is True
    subnets = edges.resources("AWS::EC2::Subnet").values()
    assert not [s for s in subnets if s["Properties"]["MapPublicIpOnLaunch"]]


def test_an_ec2_edge_answers_the_metadata_service_version_2_only(edges: Template) -> None:
    template = edges.properties("AWS::EC2::LaunchTemplate")
    assert template["LaunchTemplateData"]["MetadataOptions"] == {"HttpTokens": "required"}


def test_an_ec2_edge_installs_itself_through_systems_manager(edges: Template) -> None:
    association = edges.properties("AWS::SSM::Association")
    assert association["Name"] == "AWS-RunShellScript"
    # One that broke off is continued, at apt's lock or half-way: where all is done nothing is changed.
    assert association["ScheduleExpression"] == "rate(30 minutes)"
    (target,) = association["Targets"]
    assert [edges.text(value) for value in target["Values"]] == ["<edge/cloud-instance/instance>"]
    (script,) = (edges.text(command) for command in association["Parameters"]["commands"])
    assert script.startswith("#!/bin/bash\nexport THING=clinic-cloud\n")
    assert "export AWS_REGION=<Region>\n" in script
    assert script.index("mount /greengrass") < script.index("Greengrass.jar")


def test_an_ec2_edge_may_register_itself_only(edges: Template) -> None:
    granted = edges.granted("edge/cloud-instance/role")
    things = {r.rpartition("/")[2] for s in granted for r in s.resources if ":thing/" in r}
    assert things == {"clinic-cloud"}


def test_an_update_of_ubuntus_image_does_not_replace_the_instance(edges: Template) -> None:
    assert (
        edges.text(_instance(edges)["ImageId"])
        == "<edge/cloud-instance/instance/image/Resource/Default.Parameter.Value>"
    )
    assert "Parameters" not in edges.body or "ImageId" not in str(edges.body["Parameters"])


def _instance(edges: Template) -> Any:
    return edges.properties("AWS::EC2::Instance")


def _recipe(template: Template) -> Any:
    return json.loads(
        template.text(template.properties("AWS::GreengrassV2::ComponentVersion")["InlineRecipe"])
    )


def test_the_deployment_asks_for_the_version_of_the_recipe(default: Template) -> None:
    recipe = _recipe(default)
    assert recipe["ComponentName"] == "dicom-ingest-DIMSEtoS3"
    deployment = default.properties("AWS::GreengrassV2::Deployment")
    assert default.text(deployment["TargetArn"]) == "<edge/devices.Arn>"
    components = deployment["Components"]
    assert components["dicom-ingest-DIMSEtoS3"]["ComponentVersion"] == recipe["ComponentVersion"]
    assert components["aws.greengrass.Nucleus"]["ComponentVersion"] == NUCLEUS_VERSION
    assert not [name for name in components if "Cli" in name]


def test_settings_of_the_configuration_reach_devices_that_had_others(edges: Template) -> None:
    recipe = _recipe(edges)
    settings = recipe["ComponentConfiguration"]["DefaultConfiguration"]
    assert settings["edge"]["senders"] == [
        {
            "calling_ae": "CT1",
            "priority": "bulk",
            "series_quiet_seconds": 60,
            "prefer": "lossless",
            "compress": "off",
        }
    ]
    rule = {"days": ["mon", "tue", "wed", "thu", "fri"], "hours": "08:00-18:00", "mbit": 20}
    line = {"uplink": [rule], "time_zone": "Europe/Berlin", "full_warning_hours": 24}
    assert settings["edge"]["edges"] == {"edge1": line}
    assert settings["edge"]["bucket"] == "<data/bucket>"
    assert settings["edge"]["event_bus"] == "<pipeline/bus/bus>"
    component = edges.properties("AWS::GreengrassV2::Deployment")["Components"]["clinic-DIMSEtoS3"]
    for pointer in component["ConfigurationUpdate"]["Reset"]:
        place = settings
        for part in pointer.strip("/").split("/"):
            place = place[part]


def test_another_content_of_the_configuration_is_another_version(default: Template, edges: Template) -> None:
    assert _recipe(default)["ComponentVersion"] != _recipe(edges)["ComponentVersion"]


def test_an_edge_may_fetch_its_component_and_nothing_of_other_stacks(edges: Template) -> None:
    (artifact,) = {m["Artifacts"][0]["URI"] for m in _recipe(edges)["Manifests"]}
    bucket, folder, name = artifact.removeprefix("s3://").rsplit("/", 2)
    assert (folder, name.rpartition(".")[2]) == ("clinic", "zip")
    for edge in ("edge1", "edge10", "cloud"):
        granted = edges.granted(f"edge/{edge}/role")
        (reading,) = [s for s in granted if s.actions == ("s3:GetObject",)]
        assert reading.resources == (f"arn:<Partition>:s3:::{bucket}/clinic/*.zip",)


def test_an_edge_may_ask_where_the_bucket_of_its_component_is(edges: Template) -> None:
    """The nucleus does before every download, and takes 403 for the end of the deployment."""
    (artifact,) = {m["Artifacts"][0]["URI"] for m in _recipe(edges)["Manifests"]}
    bucket = artifact.removeprefix("s3://").split("/")[0]
    for edge in ("edge1", "edge10", "cloud"):
        pairs = {pair for s in edges.granted(f"edge/{edge}/role") for pair in s.pairs}
        assert ("s3:GetBucketLocation", f"arn:<Partition>:s3:::{bucket}") in pairs


def test_the_folder_that_the_nucleus_unpacks_to_is_the_artifacts_name(default: Template) -> None:
    for manifest in _recipe(default)["Manifests"]:
        (artifact,) = manifest["Artifacts"]
        unpacked = artifact["URI"].rpartition("/")[2].removesuffix(".zip")
        lifecycle = json.dumps(manifest["Lifecycle"])
        named = set(re.findall(r"\{artifacts:decompressedPath\}[/\\]+([^/\\\"]+)", lifecycle))
        assert named == {unpacked}


def test_no_device_is_asked_to_run_a_version_before_it_may_fetch_it(edges: Template) -> None:
    """A device that is refused its artifact is not asked again before the next version."""
    (deployment,) = edges.resources("AWS::GreengrassV2::Deployment").values()
    before = {edges.paths[id_] for id_ in deployment["DependsOn"]}
    for edge in ("edge1", "edge10", "cloud"):
        assert {f"edge/{edge}/role/DefaultPolicy", f"edge/{edge}/policy", f"edge/{edge}/alias"} <= before


def test_the_settings_are_ones_that_the_edge_takes(edges: Template) -> None:
    recipe = _recipe(edges)
    edge = recipe["ComponentConfiguration"]["DefaultConfiguration"]["edge"]
    told = {"EDGE_CONFIG": json.dumps(edge), "EDGE_SPOOL": "/spool", "AWS_IOT_THING_NAME": "clinic-edge10"}
    settings = load_settings(told)
    assert settings.edge == "clinic-edge10"
    assert settings.sender("CT1") is not None


def test_no_placeholder_is_left(default: Template) -> None:
    assert not PLACEHOLDER.findall(json.dumps(_recipe(default)))
