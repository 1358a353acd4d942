"""Memory and processor time of a process with all its children."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

WATCH_SECONDS = 0.1
GONE = (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError, ProcessLookupError, PermissionError)


@dataclass
class Usage:
    """Peaks in bytes, processor time in seconds. Pages that processes share count once in `pss`.

    `apart_`: of the processes that were to be counted apart, in nothing else.
    """

    pss: int = 0
    rss: int = 0
    cpu_seconds: float = 0.0
    apart_pss: int = 0
    apart_cpu_seconds: float = 0.0


@contextmanager
def usage_of(pid: int, apart: str | None = None) -> Iterator[Usage]:
    """What the process and its children use inside the block; `apart`: a word of some command lines."""
    usage, stop, root = Usage(), threading.Event(), psutil.Process(pid)
    before, before_apart = _cpu(root, apart)

    def watch() -> None:
        while not stop.wait(WATCH_SECONDS):
            pss, rss, apart_pss = _memory(root, apart)
            usage.pss, usage.rss = max(usage.pss, pss), max(usage.rss, rss)
            usage.apart_pss = max(usage.apart_pss, apart_pss)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield usage
    finally:
        after, after_apart = _cpu(root, apart)
        usage.cpu_seconds, usage.apart_cpu_seconds = after - before, after_apart - before_apart
        stop.set()
        thread.join()


def cpu_seconds(pid: int, *, alone: bool = False) -> float:
    """Processor time so far, of a process and its children or of itself alone."""
    process = psutil.Process(pid)
    if alone:
        times = process.cpu_times()
        return float(times.user + times.system)
    return _cpu(process, None)[0]


def peak_kibibytes() -> int:
    """Of this program; what getrusage says includes the process that has started it (Linux)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError("the kernel does not say how much memory the process has used")


def _family(root: psutil.Process, apart: str | None) -> list[tuple[psutil.Process, bool]]:
    """All processes, and which of them count apart."""
    try:
        family = [root, *root.children(recursive=True)]
    except GONE:
        return []
    found = []
    for process in family:
        with suppress(*GONE):
            found.append((process, apart is not None and apart in process.cmdline()))
    return found


def _cpu(root: psutil.Process, apart: str | None) -> tuple[float, float]:
    """Own time, and that of children: living ones and those that were waited for."""
    seconds = [0.0, 0.0]
    for process, is_apart in _family(root, apart):
        with suppress(*GONE):
            times = process.cpu_times()
            seconds[is_apart] += times.user + times.system + times.children_user + times.children_system
    return seconds[0], seconds[1]


def _memory(root: psutil.Process, apart: str | None) -> tuple[int, int, int]:
    pss, rss = [0, 0], 0
    for process, is_apart in _family(root, apart):
        with suppress(*GONE):
            pss[is_apart] += _pss(process.pid)
            rss += 0 if is_apart else process.memory_info().rss
    return pss[0], rss, pss[1]


def _pss(pid: int) -> int:
    """The kernel's own sum, quicker than adding up every mapping (Linux)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
