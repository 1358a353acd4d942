"""``python -m edge_component [--config FILE] [--ready-file PATH]``, or a verb: aside, spool, where."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from edge_component.running import logs
from edge_component.running.lean import be_lean
from edge_component.running.locks import LockedError
from edge_component.running.startup import StartError
from edge_component.settings import Settings, SettingsError, load_settings


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m edge_component", description="DICOM storage SCP to S3.")
    parser.add_argument("--config", type=Path, help="settings as JSON or YAML; EDGE_ variables come first")
    parser.add_argument("--ready-file", type=Path, help="JSON of ports and pid, once they listen")
    verbs = parser.add_subparsers(dest="verb", metavar="aside|spool|where")
    aside = verbs.add_parser("aside", help="instances announced as missing: list them, send them again")
    aside.add_argument("--spool", type=Path, help="the edge's spool; default: as in its settings")
    actions = aside.add_subparsers(dest="action", required=True, metavar="list|send")
    for action in ("list", "send"):
        names = actions.add_parser(action)
        names.add_argument("names", nargs="*", metavar="NAME", help="files in aside/; none: all")
    spool = verbs.add_parser("spool", help="list the instances in the spool, or copy them out of it")
    spool.add_argument("--spool", type=Path, help="the edge's spool; default: as in its settings")
    actions = spool.add_subparsers(dest="action", required=True, metavar="list|export")
    actions.add_parser("list")
    export = actions.add_parser("export")
    export.add_argument("folder", type=Path, metavar="FOLDER", help="where Part 10 files are written to")
    export.add_argument("uids", nargs="*", metavar="SOP_INSTANCE_UID", help="none: all")
    where = verbs.add_parser("where", help="which series the edge holds, and what each waits for")
    where.add_argument("--spool", type=Path, help="the edge's spool; default: as in its settings")
    where.add_argument("--json", action="store_true", help="one JSON document")
    where.add_argument(
        "term",
        metavar="TERM",
        help="accession number, patient id, UID, AE title, transfer, or how a study's or series' UID begins",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT, or do what an operator asks; 2: the settings cannot be used."""
    try:
        code = _main(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more
        return 1
    return code


def _main(arguments: list[str] | None) -> int:
    options = build_parser().parse_args(arguments)
    be_lean()
    try:
        if options.verb == "aside":
            from edge_component.commands import (
                aside as aside_commands,  # loads pydicom, which must not find them
            )

            return aside_commands.run(options, os.environ)
        if options.verb == "spool":
            from edge_component.commands import spool as spool_commands

            return spool_commands.run(options, os.environ)
        if options.verb == "where":
            from edge_component.commands import where as where_commands

            return where_commands.run(options, os.environ)
        settings = load_settings(os.environ, options.config)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return _receive(settings, options.ready_file)


def _receive(settings: Settings, ready_file: Path | None) -> int:
    logs.configure(settings.log_format, settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    from edge_component.edge import Edge  # pynetdicom is slow to load, and a verb does without it

    try:
        edge = Edge(settings)
        edge.start(ready_file)
    except LockedError as error:
        logs.error("spool is in use", reason=str(error))
        return 1
    except StartError as error:
        logs.error("edge cannot start", reason=str(error))
        return 1
    while not stop.wait(1.0):  # a plain wait would not let Windows deliver the signal
        pass
    edge.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
