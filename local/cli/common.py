"""Options that several commands share."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from dicom_ingest.contracts.configuration.config import Config, load_config
from local.demo.tables import console
from local.postgres.databases import without_password
from local.run.options import RUNS, Options
from local.run.state import RunState, find_run
from local.run.wiring import REPOSITORY

CONFIG = REPOSITORY / "config.yaml"


def add_run_name(parser: argparse.ArgumentParser) -> None:
    """Which run to talk to."""
    _add_runs(parser)
    parser.add_argument(
        "--run", dest="name", metavar="NAME", help="the run to talk to; default: the one that is active"
    )


def the_run(arguments: argparse.Namespace) -> RunState:
    """The run that the command talks to; raises NotRunningError."""
    return find_run(arguments.runs, arguments.name)


def _add_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs", type=Path, default=RUNS, metavar="DIR", help="where runs keep their folders"
    )


def add_runtime_options(parser: argparse.ArgumentParser, name: str, ports: dict[str, int]) -> None:
    """What can be chosen when a run is started."""
    _add_runs(parser)
    parser.add_argument(
        "--run",
        dest="name",
        metavar="NAME",
        default=name,
        help="the run's name and folder (default: %(default)s)",
    )
    parser.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help="default: config.yaml")
    parser.add_argument(
        "--edge-host", default="127.0.0.1", metavar="HOST", help="where the edge listens (default: loopback)"
    )
    for option in ("edge", "health", "aws", "healthimaging"):
        parser.add_argument(
            f"--{option}-port",
            type=int,
            default=ports.get(option, 0),
            metavar="PORT",
            help="0 takes a free one (default: %(default)s)",
        )
    parser.add_argument(
        "--edges", type=int, default=1, metavar="NUMBER", help="edges that run (default: %(default)s)"
    )
    parser.add_argument(
        "--quiet-seconds",
        type=float,
        metavar="SECONDS",
        help="a series is complete after this many quiet seconds",
    )
    parser.add_argument(
        "--import-slots", type=int, metavar="NUMBER", help="imports at a time (default: config.yaml)"
    )
    parser.add_argument(
        "--start-rate", type=float, metavar="NUMBER", help="imports started a second (default: config.yaml)"
    )
    parser.add_argument(
        "--fast-imports", action="store_true", help="the emulator neither throttles nor takes time"
    )
    parser.add_argument(
        "--database-url",
        metavar="URL",
        help="another PostgreSQL server, where the run makes a database of its own "
        "(default: $DATABASE_URL, else an embedded server)",
    )
    parser.add_argument(
        "--healthimaging-settings", type=Path, metavar="JSON", help="settings of the emulator"
    )


def runtime_options(arguments: argparse.Namespace) -> Options:
    """The options of a run; raises ConfigError."""
    if (url := os.environ.get("DATABASE_URL")) and not arguments.database_url:
        console().print(
            f"Using the PostgreSQL server of DATABASE_URL: {without_password(url)}", highlight=False
        )
    options = Options(
        name=arguments.name,
        runs=arguments.runs.resolve(),
        config=load_config(arguments.config) if arguments.config.exists() else _default(arguments.config),
        edge_host=arguments.edge_host,
        edge_port=arguments.edge_port,
        health_port=arguments.health_port,
        aws_port=arguments.aws_port,
        healthimaging_port=arguments.healthimaging_port,
        quiet_seconds=arguments.quiet_seconds,
        import_slots=arguments.import_slots,
        start_rate=arguments.start_rate,
        fast_imports=arguments.fast_imports,
        healthimaging_settings=arguments.healthimaging_settings,
        edges=arguments.edges,
        edge_settings=edge_settings(),
        database_url=arguments.database_url or os.environ.get("DATABASE_URL") or None,
    )
    options.check()
    return options


def edge_settings() -> dict[str, str]:
    """The caller's EDGE_ variables."""
    return {name: value for name, value in os.environ.items() if name.startswith("EDGE_")}


def _default(path: Path) -> Config:
    """No config.yaml is legal, another file that does not exist is not."""
    return Config() if path == CONFIG else load_config(path)


def quick(options: Options) -> Options:
    """As a demo wants it: a short quiet time, unless one was chosen."""
    return options if options.quiet_seconds is not None else replace(options, quiet_seconds=2.0)
