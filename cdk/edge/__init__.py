"""Edges: what a device needs to be in AWS, and the component that it runs."""

from __future__ import annotations

from aws_cdk import aws_events as events
from aws_cdk import aws_iot as iot
from constructs import Construct

from cdk.data import Data
from cdk.edge.component import Component
from cdk.edge.identity import EdgeDevice
from cdk.edge.installer import installer_role
from cdk.edge.instance import EdgeInstance
from cdk.packaging.build import Builder
from dicom_ingest.contracts.configuration.config import Config


class Edge(Construct):
    """The room of the devices."""

    def __init__(
        self, scope: Construct, config: Config, data: Data, bus: events.EventBus, builder: Builder
    ) -> None:
        super().__init__(scope, "edge")
        stack = config.cdk_app_name
        self.group = iot.CfnThingGroup(self, "devices", thing_group_name=f"{stack}-IEP-devices")
        self.devices = [EdgeDevice(self, edge, config, data, bus) for edge in config.edge_config]
        self.installer = installer_role(self, f"{stack}-GGInstallerRole", self.devices, self.group.attr_arn)
        component = Component(self, config, data, bus, builder)
        for device in self.devices:
            component.allow_download(device.role)
        component.deploy(self.group.attr_arn, self.devices)
        for edge, device in zip(config.edge_config, self.devices, strict=True):
            if edge.device_type == "EC2":
                EdgeInstance(self, edge, config, data, device, self.group.attr_arn)
        self.outputs = {
            "EdgeThingGroup": f"{stack}-IEP-devices",
            "EdgeComponent": f"{component.name} {component.version}",
            "EdgeInstallerRole": self.installer.role_arn,
        }
