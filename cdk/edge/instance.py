"""An edge in the stack's VPC (`device_type: EC2`): no way in but DICOM, installed through Systems Manager."""

from __future__ import annotations

from aws_cdk import Stack, Tags
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from cdk.data import Data
from cdk.device import install_script
from cdk.edge.identity import EdgeDevice
from cdk.edge.installer import registration
from cdk.edge.ubuntu import Ubuntu
from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.configuration.edges import EdgeConfig

DICOM_PORTS = {11112: "DICOM", 2762: "DICOM TLS"}
OUTBOUND_PORTS = {443: "AWS", 80: "Ubuntu's packages"}
SPOOL_GIB = 200


class EdgeInstance(Construct):
    """The instance, its role, its security group and its installation. Rendered and tested, never yet run."""

    def __init__(
        self,
        scope: Construct,
        edge: EdgeConfig,
        config: Config,
        data: Data,
        device: EdgeDevice,
        group_arn: str,
    ) -> None:
        super().__init__(scope, f"{edge.name}-instance")
        self._data = data
        self._keep = config.environment == "prod"
        role = self._role(device, group_arn)
        self.instance = ec2.Instance(
            self,
            "instance",
            vpc=data.network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            instance_type=ec2.InstanceType.of(ec2.InstanceClass.M7I, ec2.InstanceSize.LARGE),
            machine_image=Ubuntu(),
            role=role,
            security_group=self._security_group(edge, device),
            require_imdsv2=True,
            detailed_monitoring=True,
            ebs_optimized=True,
            disable_api_termination=self._keep,
            block_devices=[
                self._disk("/dev/sda1", 30, keep=False),
                self._disk("/dev/sdf", SPOOL_GIB, keep=self._keep),
            ],
        )
        Tags.of(self.instance).add("Name", device.thing_name)
        self._install(config.cdk_app_name, device)

    def _disk(self, name: str, gib: int, keep: bool) -> ec2.BlockDevice:
        volume = ec2.BlockDeviceVolume.ebs(
            gib,
            encrypted=True,
            kms_key=self._data.key,
            volume_type=ec2.EbsDeviceVolumeType.GP3,
            delete_on_termination=not keep,
        )
        return ec2.BlockDevice(device_name=name, volume=volume)

    def _role(self, device: EdgeDevice, group_arn: str) -> iam.Role:
        managed = iam.ManagedPolicy.from_aws_managed_policy_name("AmazonSSMManagedInstanceCore")
        role = iam.Role(
            self,
            "role",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            managed_policies=[managed],
            description="Systems Manager, and the registration of this one device",
        )
        for statement in registration(Stack.of(self), [device], group_arn):
            role.add_to_policy(statement)
        return role

    def _security_group(self, edge: EdgeConfig, device: EdgeDevice) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            self,
            "dicom",
            vpc=self._data.network.vpc,
            description=f"DICOM to {device.thing_name}",
            allow_all_outbound=False,
        )
        for block in edge.dicom_networks:
            for port, name in DICOM_PORTS.items():
                group.add_ingress_rule(ec2.Peer.ipv4(block), ec2.Port.tcp(port), name)
        for port, name in OUTBOUND_PORTS.items():
            group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(port), name)
        return group

    def _install(self, stack: str, device: EdgeDevice) -> None:
        script = install_script(stack, device.thing_name, Stack.of(self).region, own_volume=True)
        ssm.CfnAssociation(
            self,
            "installation",
            name="AWS-RunShellScript",
            association_name=f"{device.thing_name}-installation",
            targets=[
                ssm.CfnAssociation.TargetProperty(key="InstanceIds", values=[self.instance.instance_id])
            ],
            parameters={"commands": [script], "executionTimeout": ["1800"]},
            schedule_expression="rate(30 minutes)",  # one that broke off is continued
        )
