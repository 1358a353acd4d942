"""``config.yaml`` as a typed model: errors name the key, the value and what is allowed."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from typing_extensions import Self

from dicom_ingest.contracts.events import Priority
from dicom_ingest.contracts.identifiers import EDGE_NAME
from dicom_ingest.contracts.keys import RESERVED_EDGE_NAMES
from dicom_ingest.contracts.model import StrictModel

HEALTHIMAGING_REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-west-2", "ap-southeast-2")
AUTO_PAUSE_MINUTES = range(5, 1441)
"""Aurora Serverless v2: 300 to 86,400 seconds."""


class ConfigError(ValueError):
    """A configuration that cannot be used; the message lists every mistake."""


def _acu(value: Any) -> Any:
    """``ACU_8``, ``8`` and ``0.5`` all mean Aurora capacity units."""
    if isinstance(value, str):
        return value.upper().removeprefix("ACU_")
    return value


Acu = Annotated[float, BeforeValidator(_acu), Field(ge=0, le=256, multiple_of=0.5)]

LogRetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]
"""What CloudWatch Logs accepts."""
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class EdgeConfig(StrictModel):
    """One edge device."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,62}$")
    device_type: Literal["LOCAL", "EC2"] = "LOCAL"
    dicom_networks: list[str] = []
    """EC2 only: CIDR blocks that may reach the DICOM ports."""

    @field_validator("dicom_networks")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for block in value:
            ipaddress.ip_network(block)
        return value


class HealthImagingConfig(StrictModel):
    """The import side."""

    ahli_enabled: bool = True
    ahli_endpoint: str | None = Field(default=None, pattern=r"^https?://[^\s]+$")
    ahli_concurrent_imports: int = Field(default=50, ge=1, le=1000)
    start_rate: float = Field(default=1.0, gt=0, le=100)
    """Imports started a second; AWS's default quota is 1."""
    start_burst: int = Field(default=2, ge=1, le=200)


class DatabaseConfig(StrictModel):
    """The index in Aurora PostgreSQL Serverless v2."""

    db_name: str = Field(default="dicomindex", pattern=r"^[a-z][a-z0-9_]{0,62}$")
    db_engine_pause: int = 20
    """Minutes without a connection before Aurora pauses; 0 never."""
    min_acu_capacity: Acu = 0
    max_acu_capacity: Acu = 16

    @field_validator("db_engine_pause")
    @classmethod
    def _pause(cls, value: int) -> int:
        if value != 0 and value not in AUTO_PAUSE_MINUTES:
            raise ValueError("0 (never) or 5 to 1440 minutes are allowed")
        return value

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.max_acu_capacity < 1 or self.max_acu_capacity < self.min_acu_capacity:
            raise ValueError("max_acu_capacity must be at least 1 and not below min_acu_capacity")
        return self


class CommitmentPeer(StrictModel):
    """Where storage commitment reports go."""

    ae: str = Field(min_length=1, max_length=16)
    host: str
    port: int = Field(ge=1, le=65535)
    tls: bool = False
    """Over DICOM TLS; its certificate must be for `host`."""


TransferSyntaxPreference = Literal["as_proposed", "lossless"]
"""Which of the proposed transfer syntaxes an edge accepts: the sender's first, or its first lossless one."""


class SenderConfig(StrictModel):
    """What is known of one sending application entity."""

    calling_ae: str = Field(min_length=1, max_length=16)
    issuer_of_patient_id: str | None = None
    priority: Priority = "live"
    series_quiet_seconds: float | None = Field(default=None, gt=0, le=86400)
    prefer: TransferSyntaxPreference = "as_proposed"
    """`lossless`: for senders that propose lossy compression first although they hold the original."""
    commitment: CommitmentPeer | None = None


class Config(StrictModel):
    """The whole of ``config.yaml``; the defaults work untouched."""

    cdk_app_name: str = Field(default="dicom-ingest", pattern=r"^[a-z][a-z0-9-]{0,38}[a-z0-9]$")
    environment: Literal["prod", "dev"] = "prod"
    vpc_cidr: str = "10.31.0.0/16"
    resource_tags: dict[str, str] = Field(default={}, max_length=50)
    archive_retention_days: int = Field(default=365, ge=0, le=3650)
    """How long *Series Complete* events can be replayed; 0 keeps them for ever."""
    log_retention_days: LogRetentionDays = 90
    alarm_emails: list[Email] = []
    """Who is told of alarms; each address has to confirm a mail from AWS once."""
    lambda_reservations: bool = False
    """Reserve concurrency per function. A new account has ten executions in all: off by default."""
    edge_config: list[EdgeConfig] = Field(default=[EdgeConfig(name="edge1")], min_length=1)
    ahli_config: HealthImagingConfig = HealthImagingConfig()
    db_config: DatabaseConfig = DatabaseConfig()
    senders: list[SenderConfig] = []

    @field_validator("vpc_cidr")
    @classmethod
    def _vpc(cls, value: str) -> str:
        if not 16 <= ipaddress.IPv4Network(value).prefixlen <= 24:
            raise ValueError("a block between /16 and /24 is allowed")
        return value

    @model_validator(mode="after")
    def _edges(self) -> Self:
        names = [edge.name for edge in self.edge_config]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"edge_config names {', '.join(twice)} twice")
        for name in names:
            if not EDGE_NAME.fullmatch(self.edge_name(name)) or self.edge_name(name) in RESERVED_EDGE_NAMES:
                raise ValueError(f"{self.edge_name(name)!r} cannot be an edge's name")
        return self

    def edge_name(self, name: str) -> str:
        """``{stack}-{edge}``: the edge's IoT thing name and the first part of its keys."""
        return f"{self.cdk_app_name}-{name}"

    def warnings(self, region: str | None = None) -> list[str]:
        """What is allowed but will disappoint."""
        found = []
        if self.db_config.db_engine_pause and self.db_config.min_acu_capacity > 0:
            found.append(
                "db_config: db_engine_pause has no effect while min_acu_capacity is above 0 "
                "(Aurora Serverless v2 pauses only at 0)"
            )
        if self.ahli_config.ahli_enabled and region and region not in HEALTHIMAGING_REGIONS:
            known = ", ".join(HEALTHIMAGING_REGIONS)
            found.append(f"HealthImaging is not known to exist in {region} (known: {known})")
        return found


def parse_config(data: Any, origin: str = "config.yaml") -> Config:
    """A checked configuration.

    Raises:
        ConfigError: one line per mistake: where, what was found, what is allowed.
    """
    try:
        return Config.model_validate(data or {})
    except ValidationError as error:
        lines = [f"{origin} cannot be used:"]
        for mistake in error.errors():
            where = ".".join(str(part) for part in mistake["loc"]) or "the file"
            if mistake["type"] == "extra_forbidden":
                lines.append(f"  {where}: no such key; allowed here: {', '.join(_allowed(mistake['loc']))}")
            else:
                lines.append(f"  {where} = {mistake['input']!r}: {mistake['msg']}")
        raise ConfigError("\n".join(lines)) from error


def _allowed(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the model allows beside the unknown one at this place."""
    models: dict[str, type[StrictModel]] = {
        "edge_config": EdgeConfig,
        "ahli_config": HealthImagingConfig,
        "db_config": DatabaseConfig,
        "senders": SenderConfig,
        "commitment": CommitmentPeer,
    }
    parents = [models[str(part)] for part in location[:-1] if str(part) in models]
    return sorted((parents[-1] if parents else Config).model_fields)


def load_config(path: Path) -> Config:
    """The configuration in this file.

    Raises:
        ConfigError: the file is missing, not YAML, or has a mistake.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist") from error
    except yaml.YAMLError as error:
        where = re.sub(r"\s+", " ", str(error))
        raise ConfigError(f"{path} is not YAML: {where}") from error
    if data is not None and not isinstance(data, dict):
        raise ConfigError(f"{path}: a mapping of keys is expected, found {type(data).__name__}")
    return parse_config(data, str(path.name))
