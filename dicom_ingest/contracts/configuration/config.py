"""``config.yaml`` as a typed model: errors name the key, the value and what is allowed."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from typing_extensions import Self

from dicom_ingest.contracts.configuration.uplink import LineConfig, UplinkRule
from dicom_ingest.contracts.configuration.yaml_file import YamlFileError, read_yaml
from dicom_ingest.contracts.identifiers import EDGE_NAME
from dicom_ingest.contracts.keys import RESERVED_EDGE_NAMES
from dicom_ingest.contracts.messages.events import Priority
from dicom_ingest.contracts.messages.model import StrictModel

HEALTHIMAGING_REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-west-2", "ap-southeast-2")
EDGE_NAME_LENGTH = 56
"""An IAM role's name has at most 64 characters, and an edge's is `{stack}-{edge}-GG-Role`."""
AUTO_PAUSE_MINUTES = range(5, 1441)
"""Aurora Serverless v2: 300 to 86,400 seconds."""


class ConfigError(ValueError):
    """A configuration that cannot be used; the message lists every mistake."""


def _acu(value: Any) -> Any:
    """``ACU_8``, ``8`` and ``0.5`` all mean Aurora capacity units."""
    if isinstance(value, str):
        return value.upper().removeprefix("ACU_")
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise ValueError("must be a network address such as 10.31.0.0/16") from error


def _matches(pattern: str, words: str) -> AfterValidator:
    """Text of this pattern; a mistake is told in words."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"must be {words}")
        return value

    return AfterValidator(check)


Network = Annotated[str, AfterValidator(_network)]
Acu = Annotated[float, BeforeValidator(_acu), Field(ge=0, le=256, multiple_of=0.5)]

LogRetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]
"""What CloudWatch Logs accepts."""
Email = Annotated[str, _matches(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address")]
AeTitle = Annotated[
    str,
    Field(min_length=1, max_length=16),
    AfterValidator(str.strip),
    _matches(r"[\x20-\x5b\x5d-\x7e]+", "ASCII characters without a backslash, and not blank"),
]
"""PS3.5 6.2, AE: leading and trailing blanks do not count."""
TagKey = Annotated[
    str,
    _matches(
        r"(?!(?i:aws:))[\w\s.:/=+@-]{1,128}", "1 to 128 letters, digits, blanks or _.:/=+@-, not 'aws:…'"
    ),
]
TagValue = Annotated[str, _matches(r"[\w\s.:/=+@-]{0,256}", "0 to 256 letters, digits, blanks or _.:/=+@-")]
"""https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html"""
AvailabilityZone = Annotated[
    str, _matches(r"[a-z]{2}(-[a-z]+)+-[0-9][a-z]", "a zone's name such as us-east-1a")
]


class EdgeConfig(LineConfig):
    """One edge device."""

    name: Annotated[
        str,
        _matches(
            r"[A-Za-z][A-Za-z0-9-]{0,62}", "1 to 63 letters, digits and hyphens, beginning with a letter"
        ),
    ]
    device_type: Literal["LOCAL", "EC2"] = "LOCAL"
    dicom_networks: list[Network] = []
    """EC2 only: IPv4 blocks that may reach the DICOM ports."""
    trust_anchor: (
        Annotated[
            str,
            _matches(
                r"arn:aws[\w-]*:rolesanywhere:[a-z0-9-]+:\d{12}:trust-anchor/[0-9a-f-]{36}",
                "the ARN of a trust anchor, such as arn:aws:rolesanywhere:REGION:ACCOUNT:trust-anchor/ID",
            ),
        ]
        | None
    ) = None
    """An edge without Greengrass signs in with a certificate of this anchor of IAM Roles Anywhere."""

    @property
    def line(self) -> dict[str, Any]:
        """What it is told of its line, where that is not the default; for its settings."""
        return self.model_dump(mode="json", include=set(LineConfig.model_fields), exclude_defaults=True)

    @field_validator("dicom_networks")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for block in value:
            if ipaddress.ip_network(block).version != 4:
                raise ValueError(f"{block} must be an IPv4 network")
        return value


class HealthImagingConfig(StrictModel):
    """The import side."""

    ahli_enabled: bool = True
    ahli_endpoint: Annotated[str, _matches(r"https?://\S+", "a URL such as https://host")] | None = None
    ahli_concurrent_imports: int = Field(default=50, ge=1, le=1000)
    start_rate: float = Field(default=1.0, gt=0, le=100)
    """Imports started a second; AWS's default quota is 1."""
    start_burst: int = Field(default=2, ge=1, le=200)
    bundles: bool = True
    """Whether series of one transfer share an import while others wait: one start for all of them."""
    bundle_patience_seconds: int = Field(default=600, ge=0, le=3600)
    """How long a series of a `bulk` sender waits for the rest of its transfer before it goes alone."""


class DatabaseConfig(StrictModel):
    """The index in Aurora PostgreSQL Serverless v2."""

    db_name: Annotated[
        str, _matches(r"[a-z][a-z0-9_]{0,62}", "1 to 63 of a-z, 0-9 and _, beginning with a letter")
    ] = "dicomindex"
    db_engine_pause: int = 20
    """Minutes without a connection before Aurora pauses; 0 never."""
    min_acu_capacity: Acu = 0
    max_acu_capacity: Acu = 16

    @field_validator("db_engine_pause")
    @classmethod
    def _pause(cls, value: int) -> int:
        if value != 0 and value not in AUTO_PAUSE_MINUTES:
            raise ValueError("must be 0 (never) or from 5 to 1440 minutes")
        return value

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.max_acu_capacity < 1 or self.max_acu_capacity < self.min_acu_capacity:
            raise ValueError("max_acu_capacity must be at least 1 and not below min_acu_capacity")
        return self


class CommitmentPeer(StrictModel):
    """Where storage commitment reports go."""

    ae: AeTitle
    host: str
    port: int = Field(ge=1, le=65535)
    tls: bool = False
    """Over DICOM TLS; its certificate must be for `host`."""


TransferSyntaxPreference = Literal["as_proposed", "lossless"]
"""Which of the proposed transfer syntaxes an edge accepts: the sender's first, or its first lossless one."""


class SenderConfig(StrictModel):
    """What is known of one sending application entity."""

    calling_ae: AeTitle
    issuer_of_patient_id: str | None = None
    priority: Priority = "live"
    series_quiet_seconds: float | None = Field(default=None, gt=0, le=86400)
    prefer: TransferSyntaxPreference = "as_proposed"
    """`lossless`: for senders that propose lossy compression first although they hold the original."""
    commitment: CommitmentPeer | None = None
    compress: Literal["off", "htj2k"] = "off"
    """`htj2k`: uncompressed images go to S3 as HTJ2K Lossless RPCL (1.2.840.10008.1.2.4.202), after each
    pixel and each element was compared. What cannot be compressed so goes as it was received."""


class Config(StrictModel):
    """The whole of ``config.yaml``; the defaults work untouched."""

    cdk_app_name: Annotated[
        str,
        _matches(
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
        block = ipaddress.ip_network(value)
        if block.version != 4 or not 16 <= block.prefixlen <= 24:
            raise ValueError("must be an IPv4 network from /16 to /24")
        return value

    @field_validator("edge_config")
    @classmethod
    def _edges(cls, value: list[EdgeConfig]) -> list[EdgeConfig]:
        _once("name", [edge.name for edge in value])
        return value

    @field_validator("senders")
    @classmethod
    def _senders(cls, value: list[SenderConfig]) -> list[SenderConfig]:
        _once("calling_ae", [sender.calling_ae for sender in value])
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
        if elsewhere := [zone for zone in self.availability_zones if region and zone[:-1] != region]:
            found.append(f"availability_zones: {', '.join(elsewhere)} not in {region}")
        return found


def _once(key: str, values: list[str]) -> None:
    if twice := sorted({value for value in values if values.count(value) > 1}):
        raise ValueError(f"{key} must be given once, not twice: {', '.join(twice)}")


def parse_config(data: Any, origin: str = "config.yaml") -> Config:
    """A checked configuration.

    Raises:
        ConfigError: one line per mistake: the key, what is allowed, the value.
    """
    try:
        return Config.model_validate(data or {})
    except ValidationError as error:
        lines = [f"{origin} cannot be used:", *(f"  {_mistake(found)}" for found in error.errors())]
        raise ConfigError("\n".join(lines)) from error


_WORDS = {
    "missing": "is required",
    "dict_type": "must be a mapping of keys",
    "model_type": "must be a mapping of keys",
    "list_type": "must be a list",
    "string_type": "must be text",
}


def _mistake(found: ErrorDetails) -> str:
    where, value = ".".join(str(part) for part in found["loc"] if part != "[key]"), found["input"]
    if found["type"] == "extra_forbidden":
        return f"{where}: no such key; allowed here: {', '.join(_allowed(found['loc']))}"
    if found["type"] in ("too_long", "too_short"):
        bound = "at most" if found["type"] == "too_long" else "at least"
        limit = found["ctx"].get("max_length", found["ctx"].get("min_length"))
        return f"{where}: {bound} {limit} must be given, not {len(value)}"
    words = _WORDS.get(
        found["type"], found["msg"].removeprefix("Value error, ").replace("Input should", "must")
    )
    shown = found["type"] != "missing" and isinstance(value, str | int | float | None)
    return (f"{where}: " if where else "") + words + (f", not {_short(value)}" if shown else "")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"


def _allowed(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the model allows beside the unknown one at this place."""
    models: dict[str, type[StrictModel]] = {
        "edge_config": EdgeConfig,
        "uplink": UplinkRule,
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
        ConfigError: the file is missing, not UTF-8, not YAML, has a key twice, or has a mistake.
    """
    try:
        data = read_yaml(path)
    except YamlFileError as error:
        raise ConfigError(str(error)) from error
    if data is not None and not isinstance(data, dict):
        raise ConfigError(f"{path}: a mapping of keys is expected, found {type(data).__name__}")
    return parse_config(data, path.name)
