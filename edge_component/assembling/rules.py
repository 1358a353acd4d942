"""Which transfer an instance belongs to, and when a series is complete: pure functions of rows and time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from dicom_ingest.contracts.messages.events import SealReason


@dataclass(frozen=True)
class Rules:
    """The settings that decide; seconds and bytes."""

    inactive_seconds: float
    hard_cap_seconds: float
    max_instances: int
    max_bytes: int
    duplicate_seconds: float
    bulk_seconds: float = 300
    """So long a bulk transfer takes further studies."""


@dataclass(frozen=True)
class Arrival:
    """An instance that the journal holds and no transfer has yet."""

    sop_instance_uid: str
    dataset_sha256: str | None
    """None: no other instance has its UID."""
    bytes: int
    received_at: float


@dataclass(frozen=True)
class Version:
    """An earlier instance of the same series with the same SOP Instance UID."""

    sequence: int
    transfer_id: str
    dataset_sha256: str | None
    """None: its file cannot be read, and so is not known to be the same."""
    announced_at: float | None
    uploaded: bool = True
    """False: it cannot be sent, or was announced as missing, so a new copy is welcome."""
    unsent: int | None = None
    """Its instance in the journal, until it is in S3."""


@dataclass(frozen=True)
class OpenSeries:
    """A series transfer that may still grow; counts of its whole transfer where that is a bulk one."""

    sequence: int
    transfer_id: str
    instances: int
    bytes: int


@dataclass
class Sitting:
    """An open transfer of a bulk sender, which takes series of any study."""

    transfer_id: str
    opened_at: float
    instances: int = 0
    bytes: int = 0
    largest: tuple[int, int] = (0, 0)
    """Most instances and most bytes that one of its series has."""
    series: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Instances and bytes by sequence."""

    def add(self, sequence: int, count: int, size: int) -> None:
        """So many instances, of so many bytes together, go into one of its series."""
        before = self.series.get(sequence, (0, 0))
        now = self.series[sequence] = before[0] + count, before[1] + size
        self.largest = max(self.largest[0], now[0]), max(self.largest[1], now[1])
        self.instances += count
        self.bytes += size

    def takes(self, received_at: float, rules: Rules) -> bool:
        """Whether a series may begin in it.

        There must be room for one as large as its largest, so that few are divided. Its age is that at the
        time the instance was received: a backlog of the assembler makes no transfers of one series.
        """
        return (
            self.instances + self.largest[0] <= rules.max_instances
            and self.bytes + self.largest[1] <= rules.max_bytes
            and self.opened_at > received_at - rules.bulk_seconds
        )


@dataclass(frozen=True)
class Duplicate:
    """The same instance again: counted, not sent. `twin`: the first, where it is not in S3 yet."""

    dataset_sha256: str
    twin: int | None = None


@dataclass(frozen=True)
class Join:
    """Into an open series transfer; `after`: earlier transfers that hold the same SOP Instance UID."""

    sequence: int
    after: tuple[str, ...]


@dataclass(frozen=True)
class Begin:
    """A new series transfer; `full`: the open one that had no room for it, and why."""

    sequence: int
    transfer_id: str
    after: tuple[str, ...]
    full: tuple[int, SealReason] | None


def assign(
    arrival: Arrival,
    versions: Collection[Version],
    open_series: Sequence[OpenSeries],
    rules: Rules,
    new_place: Callable[[], tuple[int, str]],
) -> Duplicate | Join | Begin:
    """Where an instance goes.

    `open_series`: the open transfers of its series. `new_place`: sequence and transfer id of a new series
    transfer; it is asked only where one begins.
    """
    latest = max(versions, key=lambda version: version.sequence, default=None)
    if arrival.dataset_sha256 is not None and latest is not None and _unchanged(arrival, latest, rules):
        return Duplicate(arrival.dataset_sha256, latest.unsent)
    after = tuple(
        dict.fromkeys(version.transfer_id for version in sorted(versions, key=lambda v: v.sequence))
    )
    # A transfer holds an instance once, and versions keep their order in the sequence of transfers.
    newest = max(open_series, key=lambda series: series.sequence, default=None)
    if newest is not None and (latest is None or newest.sequence > latest.sequence):
        if newest.instances < rules.max_instances and newest.bytes + arrival.bytes <= rules.max_bytes:
            return Join(newest.sequence, after)
        full = _full(newest, rules)
    else:
        full = None
    return Begin(*new_place(), after, full)


def is_full(series: OpenSeries, rules: Rules) -> bool:
    """Whether it has reached a limit of size."""
    return series.instances >= rules.max_instances or series.bytes >= rules.max_bytes


def _full(series: OpenSeries, rules: Rules) -> tuple[int, SealReason]:
    return series.sequence, "instances" if series.instances >= rules.max_instances else "bytes"


def _unchanged(arrival: Arrival, latest: Version, rules: Rules) -> bool:
    if arrival.dataset_sha256 != latest.dataset_sha256 or not latest.uploaded:
        return False
    announced_at = latest.announced_at
    return announced_at is None or arrival.received_at < announced_at + rules.duplicate_seconds


def grown(open_series: Sequence[OpenSeries], decision: Join | Begin, size: int) -> list[OpenSeries]:
    """The open series transfers after an instance of `size` bytes was assigned."""
    if isinstance(decision, Begin):
        full = decision.full[0] if decision.full else None
        left = [series for series in open_series if series.sequence != full]
        return [*left, OpenSeries(decision.sequence, decision.transfer_id, 1, size)]
    return [
        OpenSeries(series.sequence, series.transfer_id, series.instances + 1, series.bytes + size)
        if series.sequence == decision.sequence
        else series
        for series in open_series
    ]


@dataclass(frozen=True)
class Progress:
    """The state of an open series transfer; times are ages in seconds.

    `associations_open`: any that carried it is open. `since_aborted`: the last aborted association that
    carried it ended so long ago; the sender may come back.
    """

    age_seconds: float
    since_received: float
    instances: int
    bytes: int
    quiet_seconds: float
    associations_open: bool
    since_aborted: float | None = None


def seal_reason(series: Progress, rules: Rules) -> SealReason | None:
    """Why this series counts as complete now; None: it does not."""
    if series.instances >= rules.max_instances:
        return "instances"
    if series.bytes >= rules.max_bytes:
        return "bytes"
    if series.age_seconds >= rules.hard_cap_seconds:
        return "hard_cap"
    if not series.associations_open:
        aborted = series.since_received if series.since_aborted is None else series.since_aborted
        return "quiet" if min(series.since_received, aborted) >= series.quiet_seconds else None
    inactive = max(rules.inactive_seconds, series.quiet_seconds)
    return "inactive" if series.since_received >= inactive else None


def not_due_for(series: Progress, rules: Rules) -> float:
    """Seconds for which it cannot count as complete, if it does not reach a limit of size; at least 0."""
    quiet = series.quiet_seconds - series.since_received
    return max(0.0, min(quiet, rules.hard_cap_seconds - series.age_seconds))


def next_sequence(last: int, now: float) -> int:
    """One more than the last, and never below the time: a lost journal does not turn the order around."""
    return max(last + 1, int(now))
