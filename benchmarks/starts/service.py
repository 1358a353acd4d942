"""A model of HealthImaging: its documented quotas, and an assumption about how long an import takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from dicom_ingest.contracts.platform import quotas
from dicom_ingest.operators.forecast import import_seconds


class Bucket:
    """A token bucket: what a throttled operation allows."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = float(burst), 0.0

    def take(self, now: float) -> bool:
        """False: the call is throttled."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass
class HealthImaging:
    """Counts what it is asked; `seconds_a_file` is the named assumption."""

    seconds_a_file: float
    starts: int = 0
    starts_throttled: int = 0
    reads: int = 0
    reads_throttled: int = 0
    most_at_once: int = 0
    refused: int = 0
    _ends: dict[int, float] = field(default_factory=dict)
    _start: Bucket = field(default_factory=lambda: Bucket(quotas.STARTS_PER_SECOND, quotas.START_BURST))
    _read: Bucket = field(default_factory=lambda: Bucket(quotas.READS_PER_SECOND, quotas.READ_BURST))

    def start(self, job: int, files: int, size: int, now: float) -> bool:
        """StartDICOMImportJob; False: try again."""
        if not self._start.take(now):
            self.starts_throttled += 1
            return False
        if files > quotas.FILES_PER_IMPORT or size > quotas.BYTES_PER_IMPORT:
            raise AssertionError(f"{files} files of {size} bytes: no import takes them")
        running = sum(end > now for end in self._ends.values())
        if running >= quotas.IMPORTS_AT_ONCE:
            self.refused += 1
            return False
        self.starts += 1
        self.most_at_once = max(self.most_at_once, running + 1)
        self._ends[job] = now + import_seconds(files, self.seconds_a_file)
        return True

    def over(self, job: int, now: float) -> bool:
        """GetDICOMImportJob: whether it has ended. A throttled call says no."""
        self.reads += 1
        if not self._read.take(now):
            self.reads_throttled += 1
            return False
        if self._ends[job] > now:
            return False
        del self._ends[job]
        return True
