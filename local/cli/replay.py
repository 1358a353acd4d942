"""``replay``: send archived *Series Complete* events through the workflow again."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from local.cli.common import add_run_name, the_run
from local.clients import Clients
from local.tables import console
from local.wiring import Names

HELP = "send archived events through the workflow again (EventBridge archive and replay)"
REPLAY_NAME = re.compile(r"[.\-_A-Za-z0-9]{1,64}")
_AGO = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "--since", type=moment, metavar="TIME", help="RFC 3339, or 30m, 2h, 1d ago; default: all"
    )
    parser.add_argument("--until", type=moment, metavar="TIME", help="default: now")
    parser.add_argument(
        "--replay-name",
        default=f"replay-{uuid4().hex[:8]}",
        help="a name that begins with reindex- or force- says what the replay may do",
    )
    add_run_name(parser)


def run(arguments: argparse.Namespace) -> int:
    """Start the replay; `status` shows what becomes of it."""
    if not REPLAY_NAME.fullmatch(arguments.replay_name):
        sys.stderr.write(
            f"error: --replay-name {arguments.replay_name}: A-Z a-z 0-9 . - _ are allowed, 64 at most\n"
        )
        return 2
    state = the_run(arguments)
    names, clients = Names(state.stack), Clients(state.aws_url)
    clients.events.start_replay(
        ReplayName=arguments.replay_name,
        EventSourceArn=names.archive_arn,
        EventStartTime=arguments.since or state.started_at,
        EventEndTime=arguments.until or datetime.now(UTC),
        Destination={"Arn": names.bus_arn},
    )
    console().print(f"Replay {arguments.replay_name} started: see `status`", highlight=False)
    clients.close()
    return 0


def moment(text: str) -> datetime:
    """``2026-11-22T09:00:00Z`` or ``30m``, ``2h``, ``1d`` ago.

    Raises:
        argparse.ArgumentTypeError: neither.
    """
    if match := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: RFC 3339, or 30m, 2h, 1d are allowed") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
