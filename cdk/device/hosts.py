"""The hosts that a device speaks to, and no other: what a firewall must let out."""

from __future__ import annotations

from dataclasses import dataclass

from cdk.device import NUCLEUS_VERSION


@dataclass(frozen=True)
class Names:
    """Of one account and stack; a star where they are not known."""

    data: str = "*-ats"
    """First part of the IoT data endpoint."""
    credentials: str = "*"
    """First part of the IoT credential endpoint."""
    bucket: str = "*"
    """The DICOM bucket."""
    software: str = "cdk-*"
    """The bucket of the component's artifact, made by `cdk bootstrap`."""


@dataclass(frozen=True)
class Host:
    """TCP from the device. `installing`: not needed afterwards, but for updates of the system."""

    name: str
    port: int
    purpose: str
    installing: bool = False

    @property
    def url(self) -> str:
        """What the doctor asks for."""
        return f"{'http' if self.port == 80 else 'https'}://{self.name}:{self.port}/"


def hosts(region: str, names: Names | None = None, *, greengrass: bool = True) -> list[Host]:
    """All of them. The edge's own first, then Greengrass', then what only the installation needs."""
    names = names or Names()
    edge = [
        Host(f"{names.bucket}.s3.{region}.amazonaws.com", 443, "instances and manifests"),
        Host(f"events.{region}.amazonaws.com", 443, "announcements and heartbeats"),
    ]
    ubuntu = [
        Host("archive.ubuntu.com", 80, "packages", installing=True),
        Host("security.ubuntu.com", 80, "packages", installing=True),
    ]
    if not greengrass:
        return [*edge, Host(f"rolesanywhere.{region}.amazonaws.com", 443, "credentials"), *ubuntu]
    return [
        *edge,
        Host(f"{names.credentials}.credentials.iot.{region}.amazonaws.com", 443, "credentials"),
        Host(f"{names.data}.iot.{region}.amazonaws.com", 443, "MQTT: deployments"),
        Host(f"greengrass-ats.iot.{region}.amazonaws.com", 443, "deployments"),
        Host(f"{names.software}.s3.{region}.amazonaws.com", 443, "the component"),
        Host(f"iot.{region}.amazonaws.com", 443, "registration", installing=True),
        Host("d2s8p88vqu9w66.cloudfront.net", 443, f"Greengrass {NUCLEUS_VERSION}", installing=True),
        *ubuntu,
    ]


def firewall_list(region: str, names: Names | None = None, *, greengrass: bool = True) -> str:
    """As a person gives it to the network's people."""
    found = hosts(region, names, greengrass=greengrass)
    wide = max(len(host.name) for host in found)
    lines = [
        f"{host.name:<{wide}}  {host.port:>3}  {host.purpose}{' (installation)' if host.installing else ''}"
        for host in found
    ]
    return "\n".join([*lines, f"{'your time server, or ntp.ubuntu.com':<{wide}}  123  UDP: clock"]) + "\n"
