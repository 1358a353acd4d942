"""Run the pipeline on one machine. To query and control it: python -m ops."""

from __future__ import annotations

import argparse
import logging
import signal
import sys

from botocore.exceptions import BotoCoreError, ClientError

from dicom_ingest.contracts.configuration.config import ConfigError
from dicom_ingest.errors import DatabaseAwayError
from local.cli import demo, restart, send, up
from local.clients.edge import EdgeSilentError
from local.parts.part import PartFailedError
from local.postgres.server import PostgresError
from local.run.options import OptionsError
from local.run.state import AlreadyRunningError, ForeignFolderError, NotRunningError
from local.sending.dicom_folder import EmptyFolderError
from local.sending.sender import SendError
from local.viewer.package import ViewerError

COMMANDS = {
    "up": up,
    "demo": demo,
    "send": send,
    "restart": restart,
}
WRONG_INPUT = (
    AlreadyRunningError,
    ConfigError,
    EmptyFolderError,
    ForeignFolderError,
    NotRunningError,
    OptionsError,
)
TROUBLE = (
    BotoCoreError,
    ClientError,
    DatabaseAwayError,
    EdgeSilentError,
    PartFailedError,
    PostgresError,
    SendError,
    ViewerError,
)


def build_parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        module.add_arguments(
            commands.add_parser(
                name,
                help=module.HELP,
                description=module.__doc__,
                formatter_class=argparse.RawDescriptionHelpFormatter,
            )
        )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """0: done; 1: something went wrong or is missing; 2: wrong input. Errors are one clear message."""
    chosen = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # SIGTERM ends a run as Ctrl-C does: parts are stopped in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status_code: int = COMMANDS[chosen.command].run(chosen)
    except WRONG_INPUT as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except TROUBLE as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return status_code
