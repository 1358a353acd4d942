"""How long a migration takes: arithmetic from HealthImaging's quotas, the line, and one named assumption."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from dicom_ingest.contracts.platform import quotas
from dicom_ingest.contracts.platform.slots import FOR_BULK, kept_for_live
from dicom_ingest.healthimaging.polling import FIRST_POLL_SECONDS, MEAN_JITTER, poll_after

IMPORT_SECONDS = 4.0
"""An import of a few files: 3.4 s is the shortest on record."""
ASSUMED_SECONDS_A_FILE = (0.02, 0.1, 0.5)
"""Assumed, because AWS publishes none: measure yours with the first imports."""
STEPS_SECONDS = 2.0
"""A slot is held so much longer: the start, the record and the release."""
TRANSFER_SECONDS = 300
"""An edge adds studies to the transfer of a `bulk` sender for this long (`bulk_transfer_minutes`)."""


def import_seconds(files: float, seconds_a_file: float) -> float:
    """How long HealthImaging imports."""
    return IMPORT_SECONDS + files * seconds_a_file


def held_seconds(seconds: float, *, shared: bool) -> float:
    """How long an import of this length holds its slot: until the first look after its end, and the steps."""
    age = float(FIRST_POLL_SECONDS)
    while age < seconds:
        age += MEAN_JITTER * poll_after(age, shared=shared)
    return age + STEPS_SECONDS


@dataclass(frozen=True)
class Archive:
    """What is to be migrated."""

    series: int
    instances: int
    bytes: int

    @property
    def files(self) -> float:
        """Of a series."""
        return self.instances / self.series

    @property
    def series_bytes(self) -> float:
        """Of a series."""
        return self.bytes / self.series


@dataclass(frozen=True)
class Service:
    """What imports it: quotas and settings of one data store."""

    slots: int = quotas.IMPORTS_AT_ONCE
    start_rate: float = quotas.STARTS_PER_SECOND
    bundles: bool = True


@dataclass(frozen=True)
class Forecast:
    """`limits`: most series a second by what could bind; the smallest does."""

    seconds_a_file: float
    series_per_start: float
    limits: dict[str, float]

    @property
    def binds(self) -> str:
        """What the migration waits for."""
        return min(self.limits, key=lambda name: self.limits[name])

    @property
    def series_per_second(self) -> float:
        """In the long run."""
        return self.limits[self.binds]

    def days(self, series: int) -> float:
        """Until all of them are imported."""
        return series / self.series_per_second / 86400

    def said(self, series: int) -> dict[str, Any]:
        """All of it, rounded."""
        limits = {name: round(limit, 2) for name, limit in self.limits.items()}
        return asdict(self) | {
            "series_per_start": round(self.series_per_start, 2),
            "limits": limits,
            "binds": self.binds,
            "series_per_second": round(self.series_per_second, 2),
            "days": round(self.days(series), 2),
        }


def series_per_start(archive: Archive, mbit: float | None, *, bundles: bool) -> float:
    """How many series an import takes; below 1 where a series needs several."""
    fitting = min(quotas.FILES_WANTED / archive.files, quotas.BYTES_WANTED / archive.series_bytes)
    if fitting < 1:
        return 1 / math.ceil(1 / fitting)
    if not bundles:
        return 1
    arriving = math.inf if mbit is None else mbit * 1e6 / 8 * TRANSFER_SECONDS / archive.series_bytes
    return max(1, math.floor(min(fitting, arriving)))


def forecast(
    archive: Archive, seconds_a_file: float, mbit: float | None = None, service: Service | None = None
) -> Forecast:
    """The rate of a migration whose series wait in the queue; `mbit`: of the line, megabits a second."""
    service = service or Service()
    several = series_per_start(archive, mbit, bundles=service.bundles)
    slots = max(1, service.slots - kept_for_live(service.slots))
    held = held_seconds(import_seconds(several * archive.files, seconds_a_file), shared=several > 1)
    limits = {"starts": service.start_rate * FOR_BULK * several, "imports": slots / held * several}
    if mbit is not None:
        limits["line"] = mbit * 1e6 / 8 / archive.series_bytes
    return Forecast(seconds_a_file, several, limits)
