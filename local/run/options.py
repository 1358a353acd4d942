"""What can be chosen of a local run, with its defaults."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path

from pydantic import ValidationError

from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.messages.steps import SemaphoreSettings
from dicom_ingest.contracts.platform.wiring import RECLAIM_MINUTES
from local.run.wiring import DEFINITION, REPOSITORY, Names

RUN_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
RUNS = REPOSITORY / ".local"
MOST_EDGES = 9
CHOSEN = frozenset(("EDGE_CONFIG", "EDGE_STACK", "EDGE_NAME", "EDGE_SPOOL"))
"""Settings of an edge that would tear it out of its run."""
FREE_BYTES = 1_500_000_000
"""The edge's reserve (`disk_reserve_bytes`), the database and what is sent."""


class OptionsError(ValueError):
    """A choice that cannot be followed; one line that says which and what is allowed."""


@dataclass(frozen=True)
class Options:
    """One local run. A port of 0 takes a free one."""

    name: str = "up"
    config: Config = field(default_factory=Config)
    runs: Path = RUNS
    edge_host: str = "127.0.0.1"
    edge_port: int = 0
    health_port: int = 0
    aws_port: int = 0
    healthimaging_port: int = 0
    quiet_seconds: float | None = None
    """Of every series; None: the edge's defaults by modality."""
    import_slots: int | None = None
    start_rate: float | None = None
    start_burst: int | None = None
    """None: what config.yaml says."""
    healthimaging_settings: Path | None = None
    fast_imports: bool = False
    """The emulator throttles nothing and imports at once."""
    database_url: str | None = None
    """Another PostgreSQL server, where a database is made for the run; None: the embedded one."""
    reclaim_seconds: float = RECLAIM_MINUTES * 60
    audit_seconds: float = 3600
    definition: Path = DEFINITION
    """The state machine, with placeholders."""
    with_edge: bool = True
    edges: int = 1
    """How many edges run."""
    edge_settings: Mapping[str, str] = field(default_factory=dict)
    """EDGE_ variables of the caller, for every edge of the run."""

    @property
    def folder(self) -> Path:
        """Everything that the run writes."""
        return self.runs / self.name

    @property
    def names(self) -> Names:
        """The names of the stack."""
        return Names(self.config.cdk_app_name)

    @property
    def imports(self) -> bool:
        """False: S3 and index only (`ahli_enabled: false`)."""
        return self.config.ahli_config.ahli_enabled

    @property
    def edge_name(self) -> str:
        """The first edge of config.yaml."""
        return self.config.edge_config[0].name

    @property
    def edge_names(self) -> list[str]:
        """Those of config.yaml, and further ones where more edges run than it names."""
        if not self.with_edge:
            return []
        configured = [edge.name for edge in self.config.edge_config]
        further = (f"edge{number}" for number in count(2))
        more = (name for name in further if name not in configured)
        return [*configured, *islice(more, self.edges)][: self.edges]

    def semaphore(self, datastore_id: str) -> SemaphoreSettings:
        """The import semaphore as this run wants it.

        Raises:
            OptionsError: it cannot be so.
        """
        ahli = self.config.ahli_config
        chosen = {
            "capacity": (self.import_slots, ahli.ahli_concurrent_imports),
            "start_rate": (self.start_rate, ahli.start_rate),
            "start_burst": (self.start_burst, ahli.start_burst),
        }
        values = {name: default if own is None else own for name, (own, default) in chosen.items()}
        values |= {"bundles": ahli.bundles, "bundle_patience": ahli.bundle_patience_seconds}
        try:
            return SemaphoreSettings.model_validate({"datastore_id": datastore_id, **values})
        except ValidationError as error:
            (mistake, *_) = error.errors()
            option = {"capacity": "--import-slots"}.get(str(mistake["loc"][0]), "--start-rate")
            raise OptionsError(f"{option} {mistake['input']}: {mistake['msg']}") from error

    def check(self) -> None:
        """Find out now what would fail later.

        Raises:
            OptionsError: a name or number cannot be used, a port is taken, or the disk is nearly full.
        """
        self.semaphore("")
        if self.quiet_seconds is not None and self.quiet_seconds <= 0:
            raise OptionsError(f"--quiet-seconds {self.quiet_seconds:g}: more than 0 is allowed")
        if not RUN_NAME.fullmatch(self.name):
            raise OptionsError(f"--run {self.name}: a letter, then a-z, 0-9 and - are allowed (32 at most)")
        if not 1 <= self.edges <= MOST_EDGES:
            raise OptionsError(f"--edges must be from 1 to {MOST_EDGES}, not {self.edges}")
        if chosen := sorted(CHOSEN & self.edge_settings.keys()):
            raise OptionsError(f"{', '.join(chosen)}: the run chooses this itself; unset it")
        ports = {
            "--edge-port": (self.edge_host, self.edge_port),
            "--health-port": ("127.0.0.1", self.health_port),
            "--aws-port": ("127.0.0.1", self.aws_port),
            "--healthimaging-port": ("127.0.0.1", self.healthimaging_port),
        }
        for option, (host, port) in ports.items():
            _check_port(option, host, port)
        _check_disk(self.runs)


def _check_disk(runs: Path) -> None:
    existing = next(folder for folder in (runs, *runs.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < FREE_BYTES:
        raise OptionsError(
            f"{runs} has {free / 1e9:.1f} GB free; a run needs {FREE_BYTES / 1e9:.1f} GB, "
            "of which its edge leaves 1 GB untouched"
        )


def _check_port(option: str, host: str, port: int) -> None:
    if not 0 <= port <= 65535:
        raise OptionsError(f"{option} {port}: 0 (any free port) to 65535 are allowed")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = error.strerror or str(error)
            raise OptionsError(
                f"{option} {port} on {host}: {reason}. Choose another one; 0 takes any free port"
            ) from error
