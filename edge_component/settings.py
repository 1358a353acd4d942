"""What an edge is told: one frozen, typed model, from the environment, a file or one JSON text."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator
from typing_extensions import Self

from dicom_ingest.contracts.configuration.senders import SenderConfig
from dicom_ingest.contracts.configuration.uplink import LineConfig
from dicom_ingest.contracts.identifiers import EDGE_NAME
from dicom_ingest.contracts.keys import RESERVED_EDGE_NAMES

PREFIX = "EDGE_"
WHOLE = "EDGE_CONFIG"
"""The environment variable that may hold the whole configuration as one JSON text (Greengrass)."""
SINGLE = "edges"
"""Settings of single edges, by name: all edges of a stack get the same configuration."""
THING_NAME = "AWS_IOT_THING_NAME"
"""Greengrass says which device this is; the thing's name is ``{stack}-{name}``."""
MIB = 1024 * 1024


class SettingsError(ValueError):
    """Settings that cannot be used; the message lists every mistake."""


class Settings(LineConfig):
    """Every setting of the edge. Times in seconds, sizes in bytes."""

    stack: str = Field(min_length=1)
    """``{stack}-{name}`` is the edge's name, its IoT thing name and the first part of its keys."""
    name: str = Field(min_length=1)
    bucket: str = Field(min_length=3)
    """The one DICOM bucket."""
    event_bus: str = Field(min_length=1)
    """Name or ARN of the bus that *Series Complete* goes to."""
    spool: Path
    """The durable inbox. Until S3 has an instance, the only copy is here: use a mirrored, encrypted disk."""

    ae_title: str = Field(default="DICOM-INGEST", min_length=1, max_length=16)
    bind: str = "0.0.0.0"
    """Address that the DICOM ports listen on."""
    dicom_port: int = Field(default=11112, ge=0, le=65535)
    """0 takes any free port; the ready file says which."""
    health_port: int = Field(default=8042, ge=0, le=65535)
    """Loopback only: /health, /metrics, /status. 0 takes any free port."""

    tls_port: int | None = Field(default=None, ge=0, le=65535)
    """DICOM TLS (PS3.15 B.12); 2762 is the registered port. Needs `tls_certificate` and `tls_key`."""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    """Certificate authorities of peers; where it is set, a client without a certificate is refused.

    Peers that get reports over TLS (`commitment.tls`) are checked by it too; without it by the system's.
    """
    tls_strict: bool = True
    """RFC 5280 to the letter for certificates of peers; hospital CAs are often older than that."""
    plain_dicom: bool = True
    """False: only the TLS port listens."""

    calling_aes: list[str] = []
    """Application entities that may call; empty: any."""
    called_aes: list[str] = []
    """Titles under which the edge may be called; empty: any."""
    networks: list[str] = []
    """CIDR blocks that may connect; empty: any."""
    max_associations: int = Field(default=200, ge=1)
    """Four times as many connections may be open; beyond it the oldest without an association is closed."""
    max_associations_per_peer: int = Field(default=100, ge=1)
    """Per IP address, which may have twice as many connections."""
    max_pdu_bytes: int = Field(default=128 * 1024, ge=4096, le=16 * MIB)
    receiver_processes: int = Field(default=2, ge=0, le=64)
    """Processes that serve connections (on Windows the edge does it itself). 0: the edge does it itself."""
    association_timeout: float = Field(default=10, gt=0)
    """How long a connection may take to send its A-ASSOCIATE-RQ (and its TLS handshake)."""
    network_timeout: float = Field(default=60, gt=0)
    """How long an association may be silent before it is aborted."""
    hung_seconds: float = Field(default=30, ge=1)
    """A process of the edge that has not been heard for as long is killed and started again."""
    drain_seconds: float = Field(default=30, ge=0)
    """After SIGTERM: how long open associations may go on."""

    senders: list[SenderConfig] = []
    series_quiet_seconds: float | None = Field(default=None, gt=0, le=86400)
    """For all series, instead of the defaults by modality; a sender's own value comes first."""
    series_inactive_seconds: float = Field(default=120, gt=0)
    """A series without a new instance for so long is complete although an association stays open."""
    series_hard_cap_seconds: float = Field(default=1800, gt=0)
    max_series_instances: int = Field(default=4500, ge=1, le=5000)
    """HealthImaging takes 5,000 files a job; the rest goes into a new transfer."""
    max_series_bytes: int = Field(default=9_000_000_000, ge=1, le=10_000_000_000)
    """HealthImaging takes 10 GB a job."""
    bulk_transfer_minutes: float = Field(default=5, gt=0, le=60)
    """So long a transfer of a `bulk` sender takes further studies, up to `max_series_instances` and
    `max_series_bytes` in all. A transfer of any other sender is one study."""
    duplicate_seconds: float = Field(default=3600, ge=0)
    """An unchanged instance is counted, not sent, until so long after its first copy was announced."""
    series_patience_seconds: float = Field(default=3600, ge=0)
    """A sealed series is announced without instances that cannot be sent after so long."""

    uploads_in_flight: int = Field(default=8, ge=1, le=64)
    compress_processes: int = Field(default=1, ge=1, le=16)
    """Encoders for senders with `compress`. Each uses one processor core, at the lowest priority."""
    multipart_bytes: int = Field(default=16 * MIB, ge=5 * MIB)
    """Files above it go as parts of this size (S3 wants at least 5 MiB, and at most 10,000 parts)."""
    backoff_base_seconds: float = Field(default=0.5, gt=0)
    backoff_cap_seconds: float = Field(default=60, gt=0)
    aws_timeout: float = Field(default=30, gt=0)

    watermark_warn_percent: float = Field(default=80, gt=0, le=100)
    watermark_slow_percent: float = Field(default=90, gt=0, le=100)
    watermark_refuse_percent: float = Field(default=95, gt=0, le=100)
    """Of the disk, or of `spool_max_bytes`, whichever is fuller."""
    spool_max_bytes: int | None = Field(default=None, ge=1)
    disk_reserve_bytes: int = Field(default=1_000_000_000, ge=0)
    """Free space below which instances are refused whatever the percentage."""
    slow_down_seconds: float = Field(default=0.25, ge=0, le=10)
    """Above the slow watermark each answer waits so long."""
    watermark_bulk_slow_percent: float | None = Field(default=None, gt=0, le=100)
    """Above it answers to `bulk` senders wait, the longer the fuller the spool. None: as for all senders."""
    watermark_bulk_refuse_percent: float | None = Field(default=None, gt=0, le=100)
    """Above it instances and associations of `bulk` senders are refused for now. None: as for all senders."""
    bulk_slow_down_seconds: float = Field(default=5, gt=0, le=10)
    """The longest that an answer to a `bulk` sender waits: less than any DIMSE time-out in use."""
    forecast_minutes: float = Field(default=15, gt=0, le=1440)
    """The forecast of disk and backlog goes by the rates of about this time."""

    quarantine_days: float = Field(default=30, gt=0)
    quarantine_max_bytes: int | None = Field(default=None, ge=0)
    """Of copies of refused instances; the oldest go first. Not set: 1 % of the disk."""
    receipt_days: float = Field(default=365, gt=0)
    commitment_patience_seconds: float = Field(default=86400, ge=0)
    """How long a storage commitment waits for instances that are not in S3 yet."""
    commitment_days: float = Field(default=7, gt=0)
    """A report that its peer has not taken after as long is given up, and counted."""
    heartbeat_seconds: float = Field(default=300, gt=0)
    log_format: Literal["json", "human"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("networks")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for block in value:
            ipaddress.ip_network(block)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not EDGE_NAME.fullmatch(self.edge) or self.edge in RESERVED_EDGE_NAMES:
            raise ValueError(
                f"{self.edge!r} cannot be an edge's name: letters, digits and hyphens are allowed"
            )
        if not self.watermark_warn_percent <= self.watermark_slow_percent <= self.watermark_refuse_percent:
            raise ValueError("watermarks must rise: warn, slow, refuse")
        slow, refuse = self.watermark_bulk_slow_percent, self.watermark_bulk_refuse_percent
        marks = [mark for mark in (slow, refuse, self.watermark_refuse_percent) if mark is not None]
        if marks != sorted(marks):
            raise ValueError(
                "watermarks must rise: watermark_bulk_slow_percent, watermark_bulk_refuse_percent, "
                f"watermark_refuse_percent, not {', '.join(f'{mark:g}' for mark in marks)}"
            )
        if slow is not None and self.bulk_slow_down_seconds >= self.network_timeout / 2:
            raise ValueError(
                "bulk_slow_down_seconds must be below half of network_timeout, "
                f"not {self.bulk_slow_down_seconds:g}"
            )
        if self.tls_port is not None and not (self.tls_certificate and self.tls_key):
            raise ValueError("tls_port needs tls_certificate and tls_key")
        if not self.plain_dicom and self.tls_port is None:
            raise ValueError("plain_dicom: false leaves no port; set tls_port")
        names = [sender.calling_ae for sender in self.senders]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"senders names {', '.join(twice)} twice")
        return self

    @property
    def edge(self) -> str:
        """``{stack}-{name}``."""
        return f"{self.stack}-{self.name}"

    def sender(self, calling_ae: str) -> SenderConfig | None:
        """What is configured for this application entity."""
        return next((sender for sender in self.senders if sender.calling_ae == calling_ae), None)

    @property
    def bulk_aes(self) -> frozenset[str]:
        """The application entities that give way to others."""
        return frozenset(sender.calling_ae for sender in self.senders if sender.priority == "bulk")


def load_settings(environment: Mapping[str, str], file: Path | None = None) -> Settings:
    """The settings: the file, then the JSON text in EDGE_CONFIG, then single EDGE_ variables; the last wins.

    What `edges` has for an edge of this name fills in what none of them says.

    Raises:
        SettingsError: one line per mistake: where, what was found, what is allowed.
    """
    data: dict[str, Any] = {}
    if file is not None:
        data.update(_from_file(file))
    if text := environment.get(WHOLE):
        data.update(_mapping(text, WHOLE))
    for variable, text in environment.items():
        if variable.startswith(PREFIX) and variable != WHOLE:
            data[variable.removeprefix(PREFIX).lower()] = _parsed(text)
    if "name" not in data and (thing := environment.get(THING_NAME)):
        data["name"] = thing.removeprefix(f"{data.get('stack')}-")
    single = data.pop(SINGLE, {})
    if not isinstance(single, dict) or not isinstance(own := single.get(data.get("name"), {}), dict):
        raise SettingsError(f"{SINGLE}: settings by the name of an edge are expected")
    data = {**own, **data}
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from error


def _explain(error: ValidationError) -> str:
    lines = ["The edge's settings cannot be used:"]
    for mistake in error.errors():
        where = ".".join(str(part) for part in mistake["loc"]) or "settings"
        variable = f"{PREFIX}{where.upper()}" if len(mistake["loc"]) == 1 else where
        if mistake["type"] == "extra_forbidden":
            lines.append(f"  {variable}: no such setting")
        elif mistake["type"] == "missing":
            lines.append(f"  {variable} is not set")
        else:
            found = f" (found {mistake['input']!r})" if mistake["loc"] else ""
            lines.append(f"  {variable}: {mistake['msg']}{found}")
    return "\n".join(lines)


def _parsed(text: str) -> Any:
    """Lists and objects are written as JSON; everything else is left to the field's type."""
    if text[:1] in "[{" and text:
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text
    return None if text == "" else text


def _mapping(text: str, origin: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"{origin} is neither JSON nor YAML: {error}") from error
    if not isinstance(data, dict):
        raise SettingsError(f"{origin}: a mapping of settings is expected, found {type(data).__name__}")
    return data


def _from_file(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{file} is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}"
        ) from error
    return _mapping(text, str(file))
