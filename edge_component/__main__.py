"""``python -m edge_component [--config FILE] [--ready-file PATH]``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from edge_component import logs
from edge_component.lean import without_decoders
from edge_component.locks import LockedError
from edge_component.settings import SettingsError, load_settings


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; 2: the settings cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m edge_component", description="DICOM storage SCP to S3.")
    parser.add_argument("--config", type=Path, help="settings as JSON or YAML; EDGE_ variables come first")
    parser.add_argument("--ready-file", type=Path, help="JSON of ports and pid, once they listen")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings(os.environ, options.config)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logs.configure(settings.log_format, settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    without_decoders()
    from edge_component.edge import Edge  # loads pydicom, which must not find them

    try:
        edge = Edge(settings)
    except LockedError as error:
        logs.error("spool is in use", reason=str(error))
        return 1
    edge.start(options.ready_file)
    while not stop.wait(1.0):  # a plain wait would not let Windows deliver the signal
        pass
    edge.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
