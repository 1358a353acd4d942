"""The processes of a local run and how each is told what it needs."""

from __future__ import annotations

import json
from pathlib import Path

from local.parts.part import Part
from local.run.options import Options
from local.run.wiring import CREDENTIALS, endpoints

HEALTHIMAGING_LISTENS = r"HealthImaging listens on (http://\S+)"
DATASTORE = "datastore"
DRAIN_SECONDS = 3


def aws(options: Options, folder: Path) -> Part:
    """moto's server with our Lambda service."""
    arguments = ["--port", str(options.aws_port), "--logs", str(folder / "functions")]
    ready = ["--ready-file", str(folder / "aws.ready.json")]
    return Part("aws", "local.aws.server", arguments + ready, {**CREDENTIALS, "TZ": "UTC"}, folder)


def healthimaging(options: Options, folder: Path, aws_url: str, datastore_id: str) -> Part:
    """The HealthImaging emulator, with one data store."""
    arguments = ["--port", str(options.healthimaging_port), "--state-dir", str(folder / DATASTORE)]
    arguments += ["--s3-endpoint", aws_url, "--events-endpoint", aws_url]
    arguments += ["--datastore", f"{options.names.stack}-datastore", "--datastore-id", datastore_id]
    if options.fast_imports:
        arguments.append("--fast")
    if options.healthimaging_settings is not None:
        arguments += ["--settings", str(options.healthimaging_settings.resolve())]
    return Part("healthimaging", "healthimaging_emulator", arguments, CREDENTIALS, folder)


def edge(options: Options, folder: Path, aws_url: str) -> Part:
    """The edge, as it runs in a hospital; only its addresses are local."""
    settings = {
        "STACK": options.names.stack,
        "NAME": options.edge_name,
        "BUCKET": options.names.bucket,
        "EVENT_BUS": options.names.bus,
        "SPOOL": str(folder / "spool"),
        "BIND": options.edge_host,
        "DICOM_PORT": str(options.edge_port),
        "HEALTH_PORT": str(options.health_port),
        "DRAIN_SECONDS": str(DRAIN_SECONDS),
        # A developer's disk is often nearly full: the reserve counts, not the percentage.
        **{f"WATERMARK_{level}_PERCENT": "100" for level in ("WARN", "SLOW", "REFUSE")},
        "SENDERS": json.dumps([sender.model_dump(mode="json") for sender in options.config.senders]),
    }
    if options.quiet_seconds is not None:
        settings["SERIES_QUIET_SECONDS"] = str(options.quiet_seconds)
    environment = {f"EDGE_{name}": value for name, value in settings.items()}
    ready = ["--ready-file", str(folder / "edge.ready.json")]
    return Part("edge", "edge_component", ready, {**endpoints(aws_url), **environment}, folder)
