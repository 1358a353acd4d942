"""What arrives: an archive that is sent as fast as it goes, and a large hospital's day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dicom_ingest.contracts.platform import quotas

LIVE, BULK = 0, 1
CT_INSTANCE, CR_INSTANCE, DX_INSTANCE, US_INSTANCE = 526_000, 8_000_000, 15_000_000, 1_000_000
"""Bytes of an instance: assumed."""
STUDIES, SERIES_A_STUDY, INSTANCES, EDGES, HOURS = 2_000, 8, 100, 30, 10
BUSY = (2, 4, 5, 4, 2, 3, 4, 4, 3, 2)
"""Studies by hour, as shares: assumed."""
IN_BURSTS, BURST = 0.3, 10
"""Of the studies, three in ten come ten at a time: an edge's line was down, a scanner sent its morning."""


@dataclass(frozen=True)
class Series:
    """One series transfer. `at`: when it is announced, in seconds."""

    number: int
    transfer: int
    study: int
    files: int
    bytes: int
    priority: int
    transfer_series: int | None = None
    at: float = 0.0
    uid: int | None = None
    """Its SeriesInstanceUID's number, where another series transfer has the same."""


def _transfers(studies: Iterator[list[tuple[int, int]]], first: int = 0) -> Iterator[list[Series]]:
    """Transfers of many studies, closed as an edge closes those of a `bulk` sender: files and bytes."""
    number, transfer, found = first, first, list[Series]()
    files = size = 0
    for study, series in enumerate(studies):
        for of, each in series:
            if found and (files + of > quotas.FILES_WANTED or size + of * each > quotas.BYTES_WANTED):
                yield closed(found)
                transfer, found, files, size = transfer + 1, [], 0, 0
            found.append(Series(number, transfer, study, of, of * each, BULK))
            number, files, size = number + 1, files + of, size + of * each


def closed(series: list[Series]) -> list[Series]:
    """The last one says how many there are."""
    return [*series[:-1], replace(series[-1], transfer_series=len(series))]


def ct_archive() -> Iterator[list[Series]]:
    """Series of 100 instances, eight to a study."""
    return _transfers(iter(lambda: [(INSTANCES, CT_INSTANCE)] * SERIES_A_STUDY, None))


def radiography_archive() -> Iterator[list[Series]]:
    """Studies of one series: CR 2 or 3, DX 2 to 4, US 10 to 20 instances."""
    chance = random.Random(7)  # noqa: S311 - the same archive every time

    def study() -> list[tuple[int, int]]:
        kind = chance.choices(("CR", "DX", "US"), (2, 4, 4))[0]
        if kind == "US":
            return [(chance.randint(10, 20), US_INSTANCE)]
        return [(chance.randint(2, 4), DX_INSTANCE if kind == "DX" else CR_INSTANCE)]

    return _transfers(iter(study, None))


def one_by_one(transfers: Iterator[list[Series]]) -> Iterator[list[Series]]:
    """The same, each to be imported alone: of transfers that never close."""
    return ([replace(series, transfer_series=None)] for several in transfers for series in several)


def large_series(first: int) -> Iterator[list[Series]]:
    """A migration behind the day: as many files a transfer, in fewer rows."""
    return _transfers(iter(lambda: [(500, CT_INSTANCE)], None), first)


DAY_SECONDS = 86_400


def hospital_day(hours: int = HOURS, day: int = 0) -> list[Series]:
    """Studies of eight series over a day; the series of a study are announced within seconds."""
    chance = random.Random(11 + day)  # noqa: S311 - the same days every time
    begun: list[float] = []
    studies = STUDIES * sum(BUSY[:hours]) // sum(BUSY)
    while len(begun) < studies:
        hour = chance.choices(range(hours), BUSY[:hours])[0]
        at = day * DAY_SECONDS + 3600 * (hour + chance.random())
        together = BURST if chance.random() < IN_BURSTS / BURST / (1 - IN_BURSTS + IN_BURSTS / BURST) else 1
        begun += [at + chance.uniform(0, 30) for _ in range(together)]
    announced: list[Series] = []
    for study, at in enumerate(sorted(begun), day * STUDIES):
        several = [
            Series(study * SERIES_A_STUDY + n, study, study, INSTANCES, INSTANCES * CT_INSTANCE, LIVE)
            for n in range(SERIES_A_STUDY)
        ]
        announced += [replace(one, at=at + chance.uniform(0, 4)) for one in closed(several)]
    return sorted(announced, key=lambda series: series.at)
