"""``config.yaml`` as a typed model: errors name the key, the value and what is allowed."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from typing_extensions import Self

from dicom_ingest.contracts.configuration.edges import EdgeConfig
from dicom_ingest.contracts.configuration.mistakes import mistake
from dicom_ingest.contracts.configuration.senders import SenderConfig
from dicom_ingest.contracts.configuration.services import DatabaseConfig, HealthImagingConfig
from dicom_ingest.contracts.configuration.values import (
    AvailabilityZone,
    Email,
    LogRetentionDays,
    Network,
    TagKey,
    TagValue,
    matches,
    once,
)
from dicom_ingest.contracts.configuration.yaml_file import YamlFileError, read_yaml
from dicom_ingest.contracts.identifiers import EDGE_NAME
from dicom_ingest.contracts.keys import RESERVED_EDGE_NAMES
from dicom_ingest.contracts.messages.model import StrictModel

HEALTHIMAGING_REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-west-2", "ap-southeast-2")
EDGE_NAME_LENGTH = 56
"""An IAM role's name has at most 64 characters, and an edge's is `{stack}-{edge}-GG-Role`."""


class ConfigError(ValueError):
    """A configuration that cannot be used; the message lists every mistake."""


class Config(StrictModel):
    """The whole of ``config.yaml``; the defaults work untouched."""

    cdk_app_name: Annotated[
        str,
        matches(
            r"[a-z][a-z0-9-]{0,38}[a-z0-9]",
            "2 to 40 of a-z, 0-9 and hyphens, beginning with a letter and not ending with a hyphen",
        ),
    ] = "dicom-ingest"
    environment: Literal["prod", "dev"] = "prod"
    vpc_cidr: Network = "10.31.0.0/16"
    availability_zones: list[AvailabilityZone] = []
    """The VPC's zones; Aurora needs two. Empty: the first two of the region."""
    resource_tags: dict[TagKey, TagValue] = Field(default={}, max_length=50)
    archive_retention_days: int = Field(default=365, ge=0, le=3650)
    """For how long *Series Complete* events can be replayed; 0: forever."""
    log_retention_days: LogRetentionDays = 90
    alarm_emails: list[Email] = []
    """Addresses that alarms are mailed to. Each must confirm one mail from AWS."""
    lambda_reservations: bool = False
    """Reserve concurrency for each function. Off by default: a new account has ten executions in all."""
    edge_config: list[EdgeConfig] = Field(default=[EdgeConfig(name="edge1")], min_length=1)
    ahli_config: HealthImagingConfig = HealthImagingConfig()
    db_config: DatabaseConfig = DatabaseConfig()
    senders: list[SenderConfig] = []

    @field_validator("vpc_cidr")
    @classmethod
    def _vpc(cls, value: str) -> str:
        block = ipaddress.ip_network(value)
        if block.version != 4 or not 16 <= block.prefixlen <= 24:
            raise ValueError("must be an IPv4 network from /16 to /24")
        return value

    @field_validator("edge_config")
    @classmethod
    def _edges(cls, value: list[EdgeConfig]) -> list[EdgeConfig]:
        once("name", [edge.name for edge in value])
        return value

    @field_validator("senders")
    @classmethod
    def _senders(cls, value: list[SenderConfig]) -> list[SenderConfig]:
        once("calling_ae", [sender.calling_ae for sender in value])
        return value

    @field_validator("availability_zones")
    @classmethod
    def _zones(cls, value: list[str]) -> list[str]:
        if value and (len(value) not in (2, 3) or len(set(value)) != len(value)):
            raise ValueError("must be two or three different zones, or none: the first two of the region")
        return value

    @model_validator(mode="after")
    def _edge_names(self) -> Self:
        for edge in self.edge_config:
            name = self.edge_name(edge.name)
            if not EDGE_NAME.fullmatch(name) or name in RESERVED_EDGE_NAMES:
                raise ValueError(f"{name!r} cannot be an edge's name")
            if len(name) > EDGE_NAME_LENGTH:
                raise ValueError(
                    f"cdk_app_name and edge_config.name together: at most {EDGE_NAME_LENGTH} characters "
                    f"are allowed, not the {len(name)} of {name!r}"
                )
        return self

    @property
    def compresses(self) -> bool:
        """Whether an edge needs the encoder."""
        return any(sender.compress != "off" for sender in self.senders)

    def edge_name(self, name: str) -> str:
        """``{stack}-{edge}``: the edge's IoT thing name and the first part of its keys."""
        return f"{self.cdk_app_name}-{name}"

    def warnings(self, region: str | None = None) -> list[str]:
        """A sentence for each value that is allowed and has no effect, or will not work."""
        found = []
        if self.db_config.db_engine_pause and self.db_config.min_acu_capacity > 0:
            found.append(
                "db_config: db_engine_pause has no effect while min_acu_capacity is above 0 "
                "(Aurora Serverless v2 pauses only at 0)"
            )
        if self.ahli_config.ahli_enabled and region and region not in HEALTHIMAGING_REGIONS:
            known = ", ".join(HEALTHIMAGING_REGIONS)
            found.append(f"HealthImaging is not known to exist in {region} (known: {known})")
        if elsewhere := [zone for zone in self.availability_zones if region and zone[:-1] != region]:
            found.append(f"availability_zones: {', '.join(elsewhere)} not in {region}")
        return found


def parse_config(data: Any, origin: str = "config.yaml") -> Config:
    """A checked configuration.

    Raises:
        ConfigError: one line per mistake: the key, what is allowed, the value.
    """
    try:
        return Config.model_validate(data or {})
    except ValidationError as error:
        lines = [f"{origin} cannot be used:", *(f"  {mistake(found, Config)}" for found in error.errors())]
        raise ConfigError("\n".join(lines)) from error


def load_config(path: Path) -> Config:
    """The configuration in this file.

    Raises:
        ConfigError: the file is missing, not UTF-8, not YAML, has a key twice, or has a mistake.
    """
    try:
        data = read_yaml(path)
    except YamlFileError as error:
        raise ConfigError(str(error)) from error
    if data is not None and not isinstance(data, dict):
        raise ConfigError(f"{path}: a mapping of keys is expected, found {type(data).__name__}")
    return parse_config(data, path.name)
