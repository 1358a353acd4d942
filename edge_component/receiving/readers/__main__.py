"""``python -m edge_component.receiving.readers DESCRIPTOR NUMBER``; the settings come on standard input."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from pathlib import Path

from edge_component.running import logs
from edge_component.running.lean import be_lean
from edge_component.running.locks import ProcessLock, reader_lock

SELDOM = 50_000
"""Objects between two searches for cycles: receiving makes none."""


def main() -> int:
    """Until the channel is closed."""
    be_lean()
    from edge_component.receiving.readers.channel import Channel
    from edge_component.receiving.readers.messages import ReaderSettings
    from edge_component.receiving.readers.reader import Reader  # loads pydicom, which must not find them

    settings = ReaderSettings.decode(sys.stdin.readline())
    logs.configure(settings.log_format, settings.log_level)
    for number in (signal.SIGINT, signal.SIGTERM):  # the edge drains, and then closes the channel
        signal.signal(number, signal.SIG_IGN)
    lock = ProcessLock(reader_lock(Path(settings.spool), int(sys.argv[2])))
    lock.acquire(settings.lock_timeout)
    gc.freeze()  # what was imported never becomes garbage: it need not be looked through again
    gc.set_threshold(SELDOM)
    Reader(settings, Channel(socket.socket(fileno=int(sys.argv[1])))).run()
    os._exit(0)  # associations that are still read belong to an edge that is gone


if __name__ == "__main__":
    sys.exit(main())
