"""The VPC: isolated subnets for the database and its functions, an endpoint per client they make."""

from __future__ import annotations

from aws_cdk import Stack, Token
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from cdk.limits import interface_endpoints
from cdk.resources.logs import log_group
from dicom_ingest.contracts.configuration.config import Config


class Network(Construct):
    """VPC, subnets, endpoints and security groups. Without EC2 edges nothing in it reaches the internet."""

    def __init__(self, scope: Construct, config: Config, key: kms.IKey) -> None:
        super().__init__(scope, "network")
        self.has_edges = any(edge.device_type == "EC2" for edge in config.edge_config)
        self.vpc = ec2.Vpc(
            self,
            "vpc",
            ip_addresses=ec2.IpAddresses.cidr(config.vpc_cidr),
            availability_zones=config.availability_zones or None,
            max_azs=None if config.availability_zones else 2,
            nat_gateways=1 if self.has_edges else 0,
            restrict_default_security_group=True,
            subnet_configuration=_subnets(self.has_edges),
            gateway_endpoints={
                "s3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)
            },
        )
        self.isolated = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self._flow_log(config, key)
        self.functions = self._group("functions", "Functions that open the database")
        self.database = self._group("database", "Aurora: the functions alone")
        endpoints = self._group("endpoints", "AWS services: the functions alone")
        self.database.add_ingress_rule(self.functions, ec2.Port.tcp(5432), "PostgreSQL")
        endpoints.add_ingress_rule(self.functions, ec2.Port.tcp(443), "HTTPS")
        self.functions.add_egress_rule(self.database, ec2.Port.tcp(5432), "PostgreSQL")
        self.functions.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "Endpoints and S3's gateway")
        for name in interface_endpoints(config):
            self.vpc.add_interface_endpoint(
                name,
                service=ec2.InterfaceVpcEndpointAwsService(name),
                subnets=self.isolated,
                security_groups=[endpoints],
                open=False,
                lookup_supported_azs=_known(Stack.of(self)),
            )

    def _group(self, name: str, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(self, name, vpc=self.vpc, description=description, allow_all_outbound=False)

    def _flow_log(self, config: Config, key: kms.IKey) -> None:
        group = log_group(self, "flow-log", f"/{config.cdk_app_name}/vpc-flow", config, key)
        role = iam.Role(self, "flow-log-role", assumed_by=iam.ServicePrincipal("vpc-flow-logs.amazonaws.com"))
        self.vpc.add_flow_log("flow", destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role))


def _known(stack: Stack) -> bool:
    """On deploy the CDK asks AWS which zones an endpoint exists in; without an account it cannot.

    A service has no endpoint in some zones, and then CloudFormation refuses the whole endpoint. One zone is
    enough: the endpoint's name leads there from every subnet of the VPC.
    """
    return not (Token.is_unresolved(stack.account) or Token.is_unresolved(stack.region))


def _subnets(has_edges: bool) -> list[ec2.SubnetConfiguration]:
    subnets = [
        ec2.SubnetConfiguration(name="isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=26)
    ]
    if has_edges:
        egress = ec2.SubnetType.PRIVATE_WITH_EGRESS
        subnets += [
            ec2.SubnetConfiguration(
                name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=28, map_public_ip_on_launch=False
            ),
            ec2.SubnetConfiguration(name="edge", subnet_type=egress, cidr_mask=28),
        ]
    return subnets
