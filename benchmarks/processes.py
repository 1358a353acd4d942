"""Memory and processor time of a process with all its children."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

WATCH_SECONDS = 0.1
GONE = (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError, ProcessLookupError, PermissionError)


@dataclass
class Usage:
    """Peaks in bytes, processor time in seconds. Pages that processes share count once in `pss`."""

    pss: int = 0
    rss: int = 0
    cpu_seconds: float = 0.0


@contextmanager
def usage_of(pid: int) -> Iterator[Usage]:
    """What the process and its children use inside the block."""
    usage, stop, root = Usage(), threading.Event(), psutil.Process(pid)
    before = _cpu(root)

    def watch() -> None:
        while not stop.wait(WATCH_SECONDS):
            pss, rss = _memory(root)
            usage.pss, usage.rss = max(usage.pss, pss), max(usage.rss, rss)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield usage
    finally:
        usage.cpu_seconds = _cpu(root) - before
        stop.set()
        thread.join()


def cpu_seconds(pid: int, *, alone: bool = False) -> float:
    """Processor time so far, of a process and its children or of itself alone."""
    process = psutil.Process(pid)
    if alone:
        times = process.cpu_times()
        return float(times.user + times.system)
    return _cpu(process)


def _family(root: psutil.Process) -> list[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except GONE:
        return []


def _cpu(root: psutil.Process) -> float:
    """Own time, and that of children: living ones and those that were waited for."""
    seconds = 0.0
    for process in _family(root):
        try:
            times = process.cpu_times()
        except GONE:
            continue
        seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def _memory(root: psutil.Process) -> tuple[int, int]:
    pss = rss = 0
    for process in _family(root):
        try:
            pss += _pss(process.pid)
            rss += process.memory_info().rss
        except GONE:
            continue
    return pss, rss


def _pss(pid: int) -> int:
    """The kernel's own sum, quicker than adding up every mapping (Linux)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
