"""The processes of a local run and how each is told what it needs."""

from __future__ import annotations

from pathlib import Path

from local.parts.part import Part
from local.run.options import Options
from local.run.wiring import CREDENTIALS

HEALTHIMAGING_LISTENS = r"HealthImaging listens on (http://\S+)"
DATASTORE = "datastore"


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
