"""The events on EventBridge, versioned; a sample of every released version is in ``tests/events``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dicom_ingest.contracts.identifiers import AETitle, EdgeName, Sha256, TransferId, Uid
from dicom_ingest.contracts.messages.model import Message
from dicom_ingest.contracts.times import Timestamp

EDGE_SOURCE = "dicom-ingest.edge"
SERIES_COMPLETE = "Series Complete"
EDGE_HEARTBEAT = "Edge Heartbeat"
EDGE_HOLDINGS = "Edge Holdings"
MAX_EVENT_BYTES = 64_000

Priority = Literal["live", "bulk"]
SealReason = Literal["quiet", "inactive", "instances", "bytes", "hard_cap", "drain"]
"""Why a series was called complete: quiet after the last release, inactive although an association
stays open, 4,500 instances, 9 GB, the longest time a series may stay open, or an operator's drain."""


HeldState = Literal["received", "open", "sealed", "announcing"]
"""Not assigned yet; instances may still come; complete, not all in S3; in S3, its event not accepted yet."""


ReadPriority = Annotated[Priority, BeforeValidator(lambda word: word if word in ("live", "bulk") else "live")]
"""As it is read: a priority that a newer edge knows and this release does not is `live`."""


class SeriesComplete(Message):
    """``detail`` of *Series Complete*: one series transfer, immutable from now on. No patient data.

    A newer edge may use words that this release does not know: none of them is a reason to fail a series.
    """

    schema_version: int = Field(default=1, ge=1)
    correlation_id: str = Field(max_length=128)
    edge: EdgeName
    transfer_id: TransferId
    sequence: int = Field(ge=1)
    study_instance_uid: Uid
    series_instance_uid: Uid
    modality: str | None = None
    priority: ReadPriority = "live"
    bucket: str
    prefix: str
    manifest_key: str
    manifest_sha256: Sha256
    instance_count: int = Field(ge=0)
    total_bytes: int = Field(ge=0)
    first_received_at: Timestamp
    last_received_at: Timestamp
    sealed_at: Timestamp
    seal_reason: str
    """A :data:`SealReason`, as the edge says it."""
    aborted: bool = False
    calling_ae: AETitle
    called_ae: AETitle
    transfer_series: int | None = Field(default=None, ge=1)
    """The transfer is closed, and has so many series; said by its last one only."""


class SenderSilence(Message):
    """When an application entity was last heard."""

    calling_ae: AETitle
    last_association_at: Timestamp


class EdgeProblem(Message):
    """What is wrong at an edge, since when, and where the runbook has it."""

    name: str
    level: Literal["degraded", "failed"]
    reason: str
    since: Timestamp | None = None
    see: str


class EdgeUplink(Message):
    """What an edge may use of its line, and uses. Rates in Mbit/s."""

    limit_mbit: float | None = None
    """None: no limit; 0: a pause of what `paused` says."""
    paused: Literal["bulk", "all"] | None = None
    since: Timestamp | None = None
    changes_at: Timestamp | None = None
    next_limit_mbit: float | None = None
    """From `changes_at` on."""
    used_mbit: float = 0


class EdgeForecast(Message):
    """Where an edge's spool goes if it goes on like this. None: not within two weeks, or not known yet."""

    behind: bool = False
    """False: everything goes out as it comes in, and nothing is foretold."""
    in_bytes_per_second: float
    """Acknowledged."""
    out_bytes_per_second: float | None = None
    """Released, under the limit of now; None: nothing has had to wait yet."""
    disk_full_at: Timestamp | None = None
    """When instances will be refused."""
    backlog_empty_at: Timestamp | None = None


BulkStep = Literal["normal", "slow", "refuse"]
"""What is done to `bulk` senders so that there is room for the others."""


class EdgeHeartbeat(Message):
    """``detail`` of *Edge Heartbeat*, every five minutes: cumulative, so a lost one costs nothing."""

    schema_version: Literal[1] = 1
    edge: EdgeName
    version: str
    started_at: Timestamp
    instances_received: int
    instances_duplicate: int
    instances_refused: int
    instances_uploaded: int
    instances_announced: int
    series_announced: int
    spool_instances: int
    spool_bytes: int
    oldest_unsent_at: Timestamp | None = None
    disk_free_bytes: int
    disk_total_bytes: int
    watermark: Literal["normal", "warn", "slow", "refuse"]
    certificate_expires_at: Timestamp | None = None
    certificate_days_left: int | None = None
    """Whole days, negative once it has expired: a metric filter reckons with no dates."""
    senders: list[SenderSilence] = []
    silent_aes: list[AETitle] = []
    """Fell silent against their own rhythm of the weeks before."""
    silent_senders: int = 0
    """How many: a metric filter counts no list."""
    instances_missing: int = 0
    """Announced as missing, since the spool was made."""
    instances_missing_lately: int = 0
    """Of them, within the last day."""
    instances_with_problem: int = 0
    """In the spool, and cannot be sent."""
    instances_quarantined: int = 0
    instances_aside: int = 0
    oldest_unsent_seconds: int = 0
    series_held: int = 0
    """Open, or complete and not announced: *Edge Holdings* events name them."""
    failing_seconds: int = 0
    """For how long no upload, announcement or commitment report has succeeded: the longest; 0: all do."""
    state: Literal["ok", "degraded", "failed"] = "ok"
    problems: list[EdgeProblem] = []
    uplink: EdgeUplink | None = None
    forecast: EdgeForecast | None = None
    hours_until_full: float | None = None
    """Only where the disk will be full before the backlog is gone."""
    bulk_senders: BulkStep = "normal"


class HeldSeries(Message):
    """Instances of one series that an edge holds and has not announced. UIDs and counts, no names."""

    study_instance_uid: Uid
    series_instance_uid: Uid
    transfer_id: TransferId | None = None
    """None: just received, not assigned to a transfer yet."""
    modality: str | None = None
    calling_ae: AETitle
    state: HeldState
    instances: int
    instances_uploaded: int
    total_bytes: int
    first_received_at: Timestamp
    last_received_at: Timestamp
    problem: str | None = None


class EdgeHoldings(Message):
    """``detail`` of *Edge Holdings*, after a heartbeat: what the edge holds, in several events when long."""

    schema_version: Literal[1] = 1
    edge: EdgeName
    said_at: Timestamp
    """The same in all events of one look."""
    page: int = Field(ge=1)
    pages: int = Field(ge=1)
    series: list[HeldSeries] = []
    series_more: int = 0
    """Held as well, and not listed."""


class Envelope(BaseModel):
    """What EventBridge wraps around a detail; `account` may be absent, a replay adds `replay-name`.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    id: str
    source: str
    detail_type: Annotated[str, Field(alias="detail-type")]
    time: Timestamp
    account: str | None = None
    region: str | None = None
    replay_name: Annotated[str | None, Field(alias="replay-name")] = None


class SeriesCompleteEvent(Envelope):
    """The execution's input: the whole EventBridge event, unchanged."""

    detail: SeriesComplete
