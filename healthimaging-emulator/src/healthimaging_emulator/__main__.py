"""The emulator as a process: `python -m healthimaging_emulator --port 8500 --s3-endpoint http://127.0.0.1:5000`."""

from __future__ import annotations

import argparse
import re
import signal
import sys
import threading
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from pydantic import ValidationError

from .adapter import Proxy
from .client import S3_CONFIG, events_client, s3_client
from .emulator import HealthImaging
from .server import serve
from .service.settings import Settings
from .service.validation import in_words
from .state.events import Publish

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="healthimaging-emulator", description="AWS HealthImaging.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=_port, default=0, help="0 takes a free port (default)")
    parser.add_argument(
        "--in-front-of",
        metavar="URL",
        type=_url,
        help="pass on what is not HealthImaging's; also S3 and EventBridge",
    )
    parser.add_argument(
        "--s3-endpoint", metavar="URL", type=_url, help="S3; default: the one of the AWS environment"
    )
    parser.add_argument(
        "--events-endpoint", metavar="URL", type=_url, help="EventBridge, for the events; default: none"
    )
    parser.add_argument("--event-bus", default="default", help="bus for the events (default: %(default)s)")
    parser.add_argument("--state-dir", type=Path, help="keep state here; default: a temporary folder")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--datastore", metavar="NAME", help="have an ACTIVE data store of this name")
    parser.add_argument(
        "--datastore-id", metavar="ID", type=_datastore_id, help="its id (32 of 0-9a-z); default: a new one"
    )
    parser.add_argument("--settings", type=Path, metavar="JSON", help="file of settings, see README.md")
    parser.add_argument("--fast", action="store_true", help="no throttling, imports take no modelled time")
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {version('healthimaging-emulator')}"
    )
    args = parser.parse_args(argv)
    if args.datastore_id and not args.datastore:
        parser.error("--datastore-id needs --datastore, the name")
    args.s3_endpoint = args.s3_endpoint or args.in_front_of
    args.events_endpoint = args.events_endpoint or args.in_front_of
    return args


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"must be from 0 to 65535, not {text}")
    return int(text)


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", text):
        raise argparse.ArgumentTypeError(f"must be a URL like http://127.0.0.1:5000, not {text}")
    return text


def _datastore_id(text: str) -> str:
    if not re.fullmatch("[0-9a-z]{32}", text):
        raise argparse.ArgumentTypeError(f"must be 32 of 0-9 and a-z, not {text}")
    return text


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings file's values, overruled by the command line; raises pydantic.ValidationError."""
    content = args.settings.read_text(encoding="utf-8") if args.settings else "{}"
    base = Settings.model_validate_json(content)
    changes = {"region": args.region, "state_dir": args.state_dir or base.state_dir}
    if args.fast:
        fast = Settings.fast()
        limits = base.limits.model_copy(update={"rates": {}})
        changes |= {"timing": fast.timing, "limits": limits}
    return base.model_copy(update=changes)


def s3_of(args: argparse.Namespace) -> S3Client:
    """The S3 at --s3-endpoint, else the one of the AWS environment."""
    if args.s3_endpoint is not None:
        return s3_client(args.s3_endpoint, args.region)
    return boto3.client("s3", region_name=args.region, config=S3_CONFIG)


def publisher(args: argparse.Namespace) -> Publish | None:
    """Sends events to an EventBridge endpoint, when one is named."""
    if args.events_endpoint is None:
        return None
    client = events_client(args.events_endpoint, args.region)
    bus = args.event_bus
    return lambda entries: client.put_events(Entries=[{**entry, "EventBusName": bus} for entry in entries])  # type: ignore[typeddict-item]


def main(argv: list[str] | None = None) -> int:
    """Serves until interrupted or terminated."""
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    run(argv, stop)
    return 0


def run(argv: list[str] | None, stop: threading.Event) -> None:
    """Serve until `stop` is set; raises SystemExit with one line for what cannot be done."""
    args = arguments(argv)
    try:
        settings = settings_of(args)
    except OSError as error:
        sys.exit(f"error: --settings {args.settings}: {error.strerror}")
    except ValidationError as error:
        sys.exit(f"error: --settings {args.settings}: {in_words(error)}")
    try:
        _serve(args, settings, stop)
    except OSError as error:
        what = error.filename or f"{args.host} port {args.port}"
        sys.exit(f"error: {what}: {str(error.strerror).partition(' (')[0]}")  # less Python's own comment
    except RuntimeError as error:
        sys.exit(f"error: {error}")


def _serve(args: argparse.Namespace, settings: Settings, stop: threading.Event) -> None:
    with HealthImaging(s3_of(args), settings, publish=publisher(args)) as emulator:
        if args.datastore:
            datastore_id = emulator.ensure_datastore(args.datastore, args.datastore_id)
            print(f"data store {args.datastore}: {datastore_id}", flush=True)  # noqa: T201 - the process's answer
        behind = Proxy(args.in_front_of) if args.in_front_of else None
        with serve(emulator, args.host, args.port, behind) as server:
            print(f"HealthImaging listens on {server.url}", flush=True)  # noqa: T201 - the process's answer
            stop.wait()


if __name__ == "__main__":
    sys.exit(main())
