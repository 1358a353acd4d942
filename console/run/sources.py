"""What the pages ask, made of what a source has; and the little that they may change."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar
from uuid import uuid4

from console.pictures.files import Files
from console.pictures.frames import FrameStore
from console.run.last_minute import LastMinute
from console.run.source import Source
from console.workflow import executions
from console.workflow.executions import Execution
from dicom_ingest.db.series.actions import note
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.reprocess import Reprocessor

T = TypeVar("T")
ANNOUNCED = "announced"
"""A series that an edge has sent away: the index has it, or will in a moment."""


class Sources:
    """Of one source. Threads may use it at once."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._received, self._uploaded = LastMinute(), LastMinute()
        self.files = Files(source.client("s3"), source.bucket)
        self.frames = FrameStore(source.client("medical-imaging"), source.datastore_id or "")

    def index(self) -> AbstractContextManager[Connection]:
        """A connection for reading, for one request."""
        return self.source.reading()

    def edges(self) -> list[Row]:
        """What each edge says of itself, or `trouble`."""
        return self.source.edges()

    def edge(self, found: list[Row]) -> Row | None:
        """All edges as one: their counts together; None while one of them does not answer."""
        if not found or any("trouble" in said for said in found):
            return None
        numbers = (name for name, value in found[0].items() if type(value) is int)
        said: Row = {**found[0], **{name: sum(one.get(name, 0) for one in found) for name in numbers}}
        said["received_last_minute"] = self._received.grown(said["instances_received"])
        said["uploaded_last_minute"] = self._uploaded.grown(said["instances_uploaded"])
        return said

    def held(self, term: str) -> list[Row]:
        """Series that an edge holds and has not announced, or `trouble`."""
        return [row for row in self.source.held(term) if row.get("state") != ANNOUNCED]

    def execution(self, arn: str | None) -> Execution | None:
        """See `executions.read`."""
        return executions.read(self.source.client("stepfunctions"), arn)

    def reprocess(self, row: Row, *, force: bool, reason: str = "") -> None:
        """Start an execution for a series transfer; `force` imports again."""
        Reprocessor(
            s3=self.source.client("s3"),
            stepfunctions=self.source.client("stepfunctions"),
            bucket=self.source.bucket,
            stack=self.source.stack,
            state_machine_arn=self.source.state_machine_arn,
            replay_name=f"force-{uuid4().hex[:12]}" if force else "",
        ).manifest(row["manifest_key"])
        action = "import again" if force else "reprocess"
        with self.source.writing() as connection:
            note(connection, self.source.who, action, pk=row["pk"], reason=reason)

    def write(self, work: Callable[[Connection, str], T]) -> T:
        """Do it and commit; `work` gets a connection and who it is."""
        with self.source.writing() as connection:
            return work(connection, self.source.who)

    def close(self) -> None:
        """Close every connection."""
        self.source.close()
