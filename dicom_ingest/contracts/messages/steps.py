"""Request and reply of every step of the workflow.

The state of an execution after IndexSeries is :class:`WorkflowState`; each step owns one of its keys.
Fields are only ever added, with defaults: an execution may run an old definition against new functions.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer

from dicom_ingest.contracts.identifiers import TransferId, Uid
from dicom_ingest.contracts.messages.events import SeriesCompleteEvent
from dicom_ingest.contracts.messages.model import Message
from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.contracts.times import Timestamp

ImportStatus = Literal["SUBMITTED", "IN_PROGRESS", "COMPLETED", "FAILED", "GONE", "NOT_NEEDED", "QUEUE_AGAIN"]
"""HealthImaging's four; GONE: the job or its data store vanished; NOT_NEEDED: nothing to import after all;
QUEUE_AGAIN: its ticket waits for a slot again, in its old place."""


class SeriesTransferRef(Message):
    """Which series transfer an execution works on, and its claim."""

    transfer_id: TransferId
    series_instance_uid: Uid
    correlation_id: str
    fence: int


class Slot(Message):
    """A granted ticket. `start_at`: whole seconds, rounded up."""

    ticket_id: int
    attempt: int
    start_at: Timestamp


class OutcomeState(Message):
    """How it ended, small enough to read in the console."""

    name: Outcome
    detail: str | None = None
    instances: int = 0
    scanned: int = 0
    imported: int = 0
    failed: int = 0
    warned: int = 0
    image_set_ids: list[str] = Field(default=[], max_length=10)


class ImportState(Message):
    """One import as the workflow sees it. `import_id`: HealthImaging's job id."""

    import_id: str | None = None
    status: ImportStatus
    attempt: int = 1
    poll_after_seconds: int = Field(default=5, ge=0)
    retry: bool = False
    """The import is over and earns its one automatic new attempt."""
    retried: bool = False
    """This is that new attempt."""
    message: str | None = None
    datastore_id: str | None = None
    """In which it was started; none where an older definition dropped it: then in the configured one."""
    outcome: OutcomeState | None = None
    """NOT_NEEDED: how the series transfer ended without an import."""
    bundle: int | None = None
    """It is shared by several series transfers; the ticket that it is known by."""
    results_uri: str | None = None
    """Where the results of a shared import are, once it is over."""


class StepError(Message):
    """What a Catch leaves in the state (Step Functions' own names)."""

    Error: str
    Cause: Annotated[str, BeforeValidator(lambda cause: cause or "")] = ""
    """May be absent, or null: a time-out has no words."""


class WorkflowState(Message):
    """The state of an execution after IndexSeries."""

    series_transfer: SeriesTransferRef | None = None
    import_needed: bool = False
    reason: str | None = None
    slot: Slot | None = None
    import_: ImportState | None = Field(default=None, alias="import")
    outcome: OutcomeState | None = None
    error: StepError | None = None


class StepRequest(Message):
    """What every step is told."""

    execution_arn: str


class IndexSeriesRequest(StepRequest):
    """The whole event, as it came."""

    event: SeriesCompleteEvent


class IndexSeriesReply(Message):
    """The state that the other steps add to."""

    series_transfer: SeriesTransferRef
    import_needed: bool
    reason: str
    findings: list[str] = Field(default=[], max_length=20)
    """What is odd about the series and a person may want to know; nothing of it stops the import."""
    slot: None = None
    import_: None = Field(default=None, serialization_alias="import")
    outcome: OutcomeState | None = None
    error: None = None
    wait_seconds: int = 0
    """Above 0: a forced import waits for the owner, then the step is asked again with `event`."""
    event: dict[str, Any] | None = None

    @model_serializer(mode="wrap")
    def _only_a_waiting_one_waits(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        state: dict[str, Any] = handler(self)
        if not self.wait_seconds:
            del state["wait_seconds"], state["event"]
        return state


class AcquireImportSlotRequest(StepRequest):
    """`task_token`: what SendTaskSuccess is called with when the slot is granted; its output is a `Slot`."""

    series_transfer: SeriesTransferRef
    task_token: str
    entered_at: Timestamp | None = None
    """When the state was entered, and which retry of it this is: they say which of two tokens is newer."""
    retry: int = 0


class AcquireImportSlotReply(Message):
    """For the log only: the state takes the callback's output, not this."""

    ticket_id: int
    state: str


class StartImportRequest(StepRequest):
    """Start the import, or find the one that runs."""

    series_transfer: SeriesTransferRef
    slot: Slot


class CheckImportRequest(StepRequest):
    """Ask HealthImaging once."""

    series_transfer: SeriesTransferRef
    import_: ImportState = Field(alias="import")


class RecordImageSetsRequest(StepRequest):
    """Read the job's own results and write the mapping."""

    series_transfer: SeriesTransferRef
    slot: Slot
    import_: ImportState = Field(alias="import")


class ReleaseImportSlotRequest(StepRequest):
    """Give the slot back; also after a failure, when the state may be the event alone and hold no slot."""

    state: WorkflowState


class ReleaseImportSlotReply(Message):
    """`released`: the ticket ended; `orphaned`: its import goes on and reclaim will see to it."""

    released: bool
    orphaned: bool
    granted: int
    """Tickets that the freed slot was given to."""


class RecordFailureRequest(StepRequest):
    """The whole state: an error before the index has none of it but the event."""

    state: dict[str, Any]


class RecordFailureReply(WorkflowState):
    """The whole state again, with `outcome` set."""


class ReclaimImportSlotsRequest(Message):
    """From the schedule, or a batch of status-change events."""

    Records: list[dict[str, Any]] = []


class ReclaimImportSlotsReply(Message):
    """What was found and done."""

    opened_database: bool
    delivered: int = 0
    freed: int = 0
    recorded: int = 0
    cancelled: int = 0
    troubled: int = 0
    """Leftovers that could not be settled this time; the log says why, the next pass tries again."""
    granted: int = 0


class AuditUploadsRequest(Message):
    """How far back to look."""

    days: int = Field(default=3, ge=1, le=366)


class AuditFinding(Message):
    """One difference, and the command that fixes it."""

    kind: Literal[
        "manifest_without_row", "objects_without_manifest", "counts_disagree", "shared_import_uneven"
    ]
    edge: str
    subject: str
    detail: str
    command: str


class AuditUploadsReply(Message):
    """The differences found: the first of them, since a reply has a limit; the log has all."""

    manifests: int
    findings: list[AuditFinding]
    found: int = 0
    """How many there are."""
    not_looked_at: int = 0
    """Transfers that there was no time for; another night begins with others."""


class SemaphoreSettings(Message):
    """What configuration says of one data store's semaphore; an operator may change it at run time."""

    datastore_id: str
    capacity: int = Field(ge=0)
    start_rate: float = Field(gt=0)
    start_burst: int = Field(ge=1)
    bundles: bool = True
    """Whether the series of a closed transfer may share one import."""
    bundle_patience: float = Field(default=600, ge=0)
    """Seconds that a bulk ticket waits at most for its transfer to close."""


class DatabaseUser(Message):
    """A database role; `role`: which grants it has. The functions' sign in with IAM."""

    name: str = Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    role: Literal["ingest", "operator"] = "ingest"
    connection_limit: int = Field(default=100, ge=1)
    secret_arn: str | None = None
    """The operator signs in with the password of this secret (RDS Query Editor)."""


class MigrationProperties(Message):
    """What a deploy hands to the database (CloudFormation turns numbers into text; both are understood)."""

    semaphore: SemaphoreSettings | None = None
    database_users: list[DatabaseUser] = []


class MigrateDatabaseRequest(Message):
    """From the custom resource of the stack, or by hand."""

    RequestType: Literal["Create", "Update", "Delete"] = "Update"
    ResourceProperties: MigrationProperties = MigrationProperties()


class MigrateDatabaseReply(Message):
    """What was applied."""

    applied: list[str]
    version: str
