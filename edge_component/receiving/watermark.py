"""How full the spool is, and what follows: warn, slow down, refuse, before the disk is full; and back."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_component.receiving.pressure import Pressure, Pressures
from edge_component.settings import Settings

Level = Literal["normal", "warn", "slow", "refuse"]
BulkStep = Literal["normal", "slow", "refuse"]
FULL = "the spool is above its watermark, try again later"
LEAST_DELAY = 0.1
"""Of `bulk_slow_down_seconds`: what a step begins with."""
KEPT_FREE = "the spool has room for live senders only, try again later"


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
    percent = percent_of(settings, disk, spool_bytes)
    if percent >= settings.watermark_refuse_percent:
        return "refuse"
    if percent >= settings.watermark_slow_percent:
        return "slow"
    return "warn" if percent >= settings.watermark_warn_percent else "normal"


def percent_of(settings: Settings, disk: Disk, spool_bytes: int) -> float:
    """How full: the fuller of disk and allowance."""
    percent = 100 * (1 - disk.free / disk.total) if disk.total else 100.0
    if settings.spool_max_bytes is not None:
        percent = max(percent, 100 * spool_bytes / settings.spool_max_bytes)
    return percent


def room_for(settings: Settings, disk: Disk, spool_bytes: int) -> int:
    """Bytes that may still come before live senders are refused."""
    percent = settings.watermark_refuse_percent
    room = disk.free - max(settings.disk_reserve_bytes, disk.total * (100 - percent) / 100)
    if settings.spool_max_bytes is not None:
        room = min(room, settings.spool_max_bytes * percent / 100 - spool_bytes)
    return max(0, round(room))


def pressures_of(settings: Settings, level: Level, percent: float) -> Pressures:
    """What follows from how full the spool is."""
    before = settings.slow_down_seconds if level == "slow" else 0.0
    live = Pressure(FULL if level == "refuse" else None, before)
    refuse = settings.watermark_bulk_refuse_percent
    if level == "refuse" or (refuse is not None and percent >= refuse):
        return Pressures(live, Pressure(live.refusal or KEPT_FREE, before))
    slow = settings.watermark_bulk_slow_percent
    if slow is None or percent < slow:
        return Pressures(live, live)
    span = (refuse or settings.watermark_refuse_percent) - slow
    share = (percent - slow) / span if span else 1.0
    answer = settings.bulk_slow_down_seconds * min(1.0, max(LEAST_DELAY, share))
    return Pressures(live, Pressure(None, before, round(answer, 3)))


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
        self.percent = 0.0
        self.pressures = Pressures()
        self.disk = disk(settings.spool)

    def measure(self) -> Level:
        """Look again."""
        with self._lock:
            try:
                self.disk, held = self._disk(self._settings.spool), self._spool_bytes()
                self.percent = percent_of(self._settings, self.disk, held)
                self.level = level_of(self._settings, self.disk, held)
            except BaseException:
                self.level = "refuse"  # as long as it is unknown whether there is room
                raise
            finally:
                self.pressures = pressures_of(self._settings, self.level, self.percent)
        return self.level

    @property
    def bulk_step(self) -> BulkStep:
        """What is done to `bulk` senders, beyond what is done to all."""
        live, bulk = self.pressures.live, self.pressures.bulk
        if bulk.refusal and not live.refusal:
            return "refuse"
        return "slow" if bulk.answer else "normal"

    def refusal_now(self, *, bulk: bool = False) -> str | None:
        """Why no more is taken."""
        return self.pressures.of(bulk=bulk).refusal

    def refusal(self, *, bulk: bool = False) -> str | None:
        """Why the next instance is not taken; above the slow watermark the sender waits a little."""
        if seconds := self.pressures.of(bulk=bulk).before:
            self._sleep(seconds)
        return self.refusal_now(bulk=bulk)

    def answer_after(self, *, bulk: bool) -> float:
        """Seconds that the answer to a stored instance waits."""
        return self.pressures.of(bulk=bulk).answer
