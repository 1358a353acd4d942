"""Temporary folders in memory, where making a file costs a tenth: databases, installations, emulators.

What pytest calls `tmp_path` stays on the disk: spools of edges are tested where they are in a hospital.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 3 << 30
"""Bytes that have to be free: a whole run takes a third of it."""


def use_memory() -> None:
    """Let this process, and those that it starts, make temporary folders in memory if there is room.

    `TMPDIR` of the caller comes first, and programs need a place that they may be run from.
    """
    if "TMPDIR" in os.environ or not MEMORY.is_dir():
        return
    found = os.statvfs(MEMORY)
    if found.f_bavail * found.f_frsize < ROOM or found.f_flag & os.ST_NOEXEC:
        return
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
