"""The edges of a run, each in a folder of its own; one is started again when asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from dicom_ingest.contracts.configuration.config import Config
from local.parts.part import Part, PartFailedError
from local.run.options import Options
from local.run.state import EdgeState
from local.run.wiring import endpoints

DRAIN_SECONDS = 3
PORTS = {"dicom_port": "EDGE_DICOM_PORT", "tls_port": "EDGE_TLS_PORT", "health_port": "EDGE_HEALTH_PORT"}
REQUEST, ANSWER = "restart.json", "restarted.json"
"""In the run's folder: what another terminal asks for, and what came of it."""


class RestartRequest(BaseModel):
    """Start an edge again, killed or not. `settings`: EDGE_ variables that replace those it had."""

    model_config = ConfigDict(frozen=True)

    edge: str
    settings: dict[str, str] = {}


class RestartAnswer(BaseModel):
    """`error`: why it does not run; None: it does."""

    model_config = ConfigDict(frozen=True)

    error: str | None = None


class Edges:
    """All edges of one run. `stop` ends them."""

    def __init__(self, options: Options, folder: Path, aws_url: str) -> None:
        self._options = options
        self._folder = folder
        self._aws_url = aws_url
        self._settings = {name: self._given(name) for name in options.edge_names}
        self._ended: set[str] = set()
        """Edges whose end was told."""
        self.parts: dict[str, Part] = {}
        self.states: dict[str, EdgeState] = {}

    def _given(self, name: str) -> dict[str, str]:
        """The caller's settings; a port can be that of one edge only."""
        given = dict(self._options.edge_settings)
        if name != self._options.edge_name:
            given |= {port: "0" for port in PORTS.values() if port in given}
        return given

    def start(self) -> None:
        """Start all, and wait until they listen.

        Raises:
            PartFailedError: one does not start.
        """
        for name in self._options.edge_names:
            self.parts[name] = self._part(name)
            self.parts[name].start()
        for name in self._options.edge_names:
            self._ready(name)

    def stop(self) -> None:
        """End them, as an operator would."""
        for part in self.parts.values():
            part.stop()

    def newly_ended(self) -> list[PartFailedError]:
        """Edges that have ended by themselves since the last look."""
        ended = {name for name, part in self.parts.items() if part.ended is not None}
        new, self._ended = ended - self._ended, ended
        return [self.parts[name].failure() for name in sorted(new)]

    def heed(self) -> bool:
        """Do what another terminal asks for; True: an edge was started again."""
        path = self._folder / REQUEST
        if not path.exists():
            return False
        request = RestartRequest.model_validate_json(path.read_text(encoding="utf-8"))
        path.unlink()
        try:
            self._restart(request)
            answer = RestartAnswer()
        except PartFailedError as error:
            answer = RestartAnswer(error=str(error))
        aside = self._folder / f"{ANSWER}.new"
        aside.write_text(answer.model_dump_json(), encoding="utf-8")
        aside.replace(self._folder / ANSWER)
        return answer.error is None

    def _restart(self, request: RestartRequest) -> None:
        if request.edge not in self.parts:
            known = ", ".join(self.parts)
            raise PartFailedError(f"this run has no edge named {request.edge!r}: it has {known}")
        self.parts[request.edge].stop()
        self._settings[request.edge] |= self._kept_ports(request.edge) | request.settings
        self.parts[request.edge] = self._part(request.edge)
        self.parts[request.edge].ready_file.unlink(missing_ok=True)
        self.parts[request.edge].start()
        self._ended.discard(request.edge)
        self._ready(request.edge)

    def _kept_ports(self, name: str) -> dict[str, str]:
        """Those that it had: a sender need not know that it was started again."""
        before = self.states[name]
        return {port: str(number) for field, port in PORTS.items() if (number := getattr(before, field))}

    def _part(self, name: str) -> Part:
        part = "edge" if name == self._options.edge_name else f"edge-{name}"
        settings = self._settings_of(name)
        environment = {f"EDGE_{key}": value for key, value in settings.items()} | self._settings[name]
        ready = ["--ready-file", str(self._folder / f"{part}.ready.json")]
        return Part(part, "edge_component", ready, {**endpoints(self._aws_url), **environment}, self._folder)

    def _settings_of(self, name: str) -> dict[str, str]:
        options, first = self._options, name == self._options.edge_name
        settings = {
            "STACK": options.names.stack,
            "NAME": name,
            "BUCKET": options.names.bucket,
            "EVENT_BUS": options.names.bus,
            "SPOOL": str(self._folder / ("spool" if first else f"spool-{name}")),
            "BIND": options.edge_host,
            "DICOM_PORT": str(options.edge_port if first else 0),
            "HEALTH_PORT": str(options.health_port if first else 0),
            "DRAIN_SECONDS": str(DRAIN_SECONDS),
            # A developer's disk is often nearly full: the reserve counts, not the percentage.
            **{f"WATERMARK_{level}_PERCENT": "100" for level in ("WARN", "SLOW", "REFUSE")},
            "SENDERS": json.dumps([sender.model_dump(mode="json") for sender in options.config.senders]),
        }
        settings |= line_settings(options.config, name)
        if options.quiet_seconds is not None:
            settings["SERIES_QUIET_SECONDS"] = str(options.quiet_seconds)
        return settings

    def _ready(self, name: str) -> None:
        part = self.parts[name]
        said: dict[str, Any] = part.wait_ready_file()
        self.states[name] = EdgeState(
            name=name,
            edge=self._options.config.edge_name(name),
            pid=part.pid or 0,
            dicom_port=said.get("dicom_port"),
            tls_port=said.get("tls_port"),
            health_port=said["health_port"],
        )


def line_settings(config: Config, name: str) -> dict[str, str]:
    """What `config.yaml` says of this edge's uplink, as EDGE_ variables without their prefix."""
    told = next((edge.line for edge in config.edge_config if edge.name == name), {})
    return {
        key.upper(): value if isinstance(value, str) else json.dumps(value) for key, value in told.items()
    }
