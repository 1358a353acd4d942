"""How full the spool is, and what follows: warn, slow down, refuse, before the disk is full; and back."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_component.settings import Settings

Level = Literal["normal", "warn", "slow", "refuse"]


@dataclass(frozen=True)
class Disk:
    """Bytes of the file system under the spool."""

    total: int
    free: int


def disk_under(path: Path) -> Disk:
    """The file system as it is now."""
    usage = shutil.disk_usage(path)
    return Disk(usage.total, usage.free)


def level_of(settings: Settings, disk: Disk, spool_bytes: int) -> Level:
    """The level by the fuller of disk and allowance."""
    if disk.free < settings.disk_reserve_bytes:
        return "refuse"
    percent = 100 * (1 - disk.free / disk.total) if disk.total else 100.0
    if settings.spool_max_bytes is not None:
        percent = max(percent, 100 * spool_bytes / settings.spool_max_bytes)
    if percent >= settings.watermark_refuse_percent:
        return "refuse"
    if percent >= settings.watermark_slow_percent:
        return "slow"
    return "warn" if percent >= settings.watermark_warn_percent else "normal"


class Watermark:
    """The level, measured again by `measure`; asked by every C-STORE."""

    def __init__(
        self,
        settings: Settings,
        spool_bytes: Callable[[], int],
        disk: Callable[[Path], Disk] = disk_under,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._spool_bytes = spool_bytes
        self._disk = disk
        self._sleep = sleep
        self._lock = threading.Lock()
        self.level: Level = "normal"
        self.disk = disk(settings.spool)

    def measure(self) -> Level:
        """Look again."""
        with self._lock:
            try:
                self.disk = self._disk(self._settings.spool)
                self.level = level_of(self._settings, self.disk, self._spool_bytes())
            except BaseException:
                self.level = "refuse"  # as long as it is unknown whether there is room
                raise
        return self.level

    def refusal_now(self) -> str | None:
        """Why no more is taken."""
        return "the spool is above its watermark, try again later" if self.level == "refuse" else None

    @property
    def slow_down_now(self) -> float:
        """How long the sender of the next instance waits."""
        return self._settings.slow_down_seconds if self.level == "slow" else 0.0

    def refusal(self) -> str | None:
        """Why the next instance is not taken; above the slow watermark the sender waits a little."""
        if self.slow_down_now:
            self._sleep(self.slow_down_now)
        return self.refusal_now()
