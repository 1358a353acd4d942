"""What the console asks of the pipeline that it shows: a local run, or a stack on AWS."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

from dicom_ingest.db.server.connection import Connection
from dicom_ingest.operators.read.index import Row


class Source(Protocol):
    """One pipeline. Threads may use it at once."""

    @property
    def name(self) -> str:
        """What the pages call it."""

    @property
    def note(self) -> str:
        """One sentence for the foot of every page."""

    @property
    def who(self) -> str:
        """Who uses the console: every change is written down with this name."""

    @property
    def stack(self) -> str:
        """The stack's name."""

    @property
    def bucket(self) -> str:
        """The DICOM bucket."""

    @property
    def state_machine_arn(self) -> str:
        """The workflow."""

    @property
    def datastore_id(self) -> str | None:
        """The configured data store; None while importing is off."""

    @property
    def viewer_url(self) -> str | None:
        """Where OHIF is, if anywhere."""

    @property
    def send_to(self) -> str | None:
        """Host and DICOM port of an edge on this machine; None where there is none."""

    def reading(self) -> AbstractContextManager[Connection]:
        """The index, for one request, read only and without task tokens."""

    def writing(self) -> AbstractContextManager[Connection]:
        """The index, for one change; committed at the end of the block."""

    def client(self, service: str) -> Any:
        """A boto3 client by its service's name."""

    def edges(self) -> list[Row]:
        """What each edge says of itself, or `trouble`."""

    def held(self, term: str) -> list[Row]:
        """Series at an edge: by a term, or all if it is empty; or `trouble`."""

    def grant(self) -> None:
        """Run the grant step, which also tells executions whose ticket was cancelled."""

    def close(self) -> None:
        """Close every connection."""
