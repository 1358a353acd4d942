"""Send archived Series Complete events through the workflow again. EventBridge replays them.

Replays are safe to repeat: what is imported is left alone. The verb reprocess does the same for chosen
series, and for series that are older than the archive.

examples:
  ops replay --since 12h
  ops replay --since 2026-11-21T00:00:00Z --until 2026-11-22T00:00:00Z --reindex
"""

from __future__ import annotations

import argparse
import re
from datetime import datetime, timezone
from uuid import uuid4

from dicom_ingest.contracts.platform.wiring import archive_name, bus_name
from ops.errors import OperatorError
from ops.moments import moment
from ops.output import Output, text
from ops.targets.target import Target

HELP = "send archived events through the workflow again; --force imports again"
REPLAY_NAME = re.compile(r"[.\-_A-Za-z0-9]{1,64}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument(
        "--since", type=moment, metavar="TIME", help="RFC 3339, or 30m, 2h, 1d ago; default: all"
    )
    parser.add_argument("--until", type=moment, metavar="TIME", help="default: now")
    parser.add_argument("--replay-name", metavar="NAME", help="default: replay-… and a number")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--force", action="store_true", help="import again what has been imported already")
    how.add_argument("--reindex", action="store_true", help="write the index again, import nothing")


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: the replay was started; `status` and `tail` show what becomes of it."""
    events, archive = target.client("events"), archive_name(target.stack)
    until = arguments.until or datetime.now(timezone.utc)
    since = arguments.since or events.describe_archive(ArchiveName=archive)["CreationTime"]
    if since >= until:
        raise OperatorError(f"replay: --since {text(since)} is not before --until {text(until)}")
    name = _name(arguments)
    events.start_replay(
        ReplayName=name,
        EventSourceArn=target.arn("events", f"archive/{archive}"),
        EventStartTime=since,
        EventEndTime=until,
        Destination={"Arn": target.arn("events", f"event-bus/{bus_name(target.stack)}")},
    )
    if output.as_json:
        output.data({"replay": name, "since": since, "until": until})
    else:
        output.line(f"{target.name}: replay {name} of {text(since)} to {text(until)} UTC started: see `tail`")
    return 0


def _name(arguments: argparse.Namespace) -> str:
    """The workflow reads from its first word what the replay may do."""
    given = arguments.replay_name or f"replay-{uuid4().hex[:8]}"
    purpose = "force-" if arguments.force else "reindex-" if arguments.reindex else ""
    name = given if given.startswith(purpose) else purpose + given
    if not REPLAY_NAME.fullmatch(name):
        raise OperatorError(f"--replay-name {name}: A-Z a-z 0-9 . - _ are allowed, 64 at most")
    return name
