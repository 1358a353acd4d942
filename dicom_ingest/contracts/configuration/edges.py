"""What ``config.yaml`` says of an edge."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import field_validator

from dicom_ingest.contracts.configuration.uplink import LineConfig
from dicom_ingest.contracts.configuration.values import Network, matches


class EdgeConfig(LineConfig):
    """One edge device."""

    name: Annotated[
        str,
        matches(
            r"[A-Za-z][A-Za-z0-9-]{0,62}", "1 to 63 letters, digits and hyphens, beginning with a letter"
        ),
    ]
    device_type: Literal["LOCAL", "EC2"] = "LOCAL"
    dicom_networks: list[Network] = []
    """EC2 only: IPv4 blocks that may reach the DICOM ports."""
    trust_anchor: (
        Annotated[
            str,
            matches(
                r"arn:aws[\w-]*:rolesanywhere:[a-z0-9-]+:\d{12}:trust-anchor/[0-9a-f-]{36}",
                "the ARN of a trust anchor, such as arn:aws:rolesanywhere:REGION:ACCOUNT:trust-anchor/ID",
            ),
        ]
        | None
    ) = None
    """IAM Roles Anywhere: an edge without Greengrass signs in with a certificate of this trust anchor."""

    @property
    def line(self) -> dict[str, Any]:
        """The settings of its uplink that differ from the defaults."""
        return self.model_dump(mode="json", include=set(LineConfig.model_fields), exclude_defaults=True)

    @field_validator("dicom_networks")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for block in value:
            if ipaddress.ip_network(block).version != 4:
                raise ValueError(f"{block} must be an IPv4 network")
        return value
