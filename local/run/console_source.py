"""A local run as the source of its console."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from dicom_ingest.db.server.connection import Connection
from dicom_ingest.operators.edges import Edges
from local.clients.aws import Clients
from local.clients.invoke import invoke
from local.postgres.databases import session
from local.run.state import RunState
from local.run.wiring import Names

# As an operator on AWS: what is read cannot change anything, and `ahlijob` has no task tokens.
READ_ONLY = ("SET default_transaction_read_only = on", "SET search_path = operator_views, public")


class RunSource:
    """See `console.run.source.Source`."""

    note = "A local run: it starts empty and forgets everything when it stops. Times are UTC."

    def __init__(self, state: RunState) -> None:
        self.name = f"{state.stack} · {state.name}"
        self.who = getpass.getuser()
        self.stack, self.bucket = state.stack, state.bucket
        self.state_machine_arn = state.state_machine_arn
        self.datastore_id, self.viewer_url = state.datastore_id, state.viewer_url
        ports = [edge.dicom_port for edge in state.edges if edge.dicom_port is not None]
        self.send_to = f"127.0.0.1 {ports[0]}" if ports else None
        self._state = state
        self._edges = Edges(self._ports)
        self._clients = Clients(state.aws_url, state.healthimaging_url)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection of the request's own."""
        with session(self._state.database_url) as connection:
            for statement in READ_ONLY:
                connection.run(statement)
            yield connection

    def writing(self) -> AbstractContextManager[Connection]:
        """A connection that commits at the end of the block."""
        return session(self._state.database_url)

    def client(self, service: str) -> Any:
        """A client of the run's AWS, or of the emulator."""
        return self._clients.of(service)

    def edges(self) -> list[dict[str, Any]]:
        """The status of each edge, or `trouble`."""
        return self._edges.say()

    def held(self, term: str) -> list[dict[str, Any]]:
        """Series that each edge knows, or `trouble`."""
        return self._edges.hold(term)

    def _ports(self) -> dict[str, int]:
        """Health ports by edge, as the run says them now: an edge may have been started again."""
        return {edge.edge: edge.health_port for edge in self._state.edges}

    def grant(self) -> None:
        """Invoke the function that runs the grant step."""
        function = Names(self._state.stack).function("release_import_slot")
        invoke(self._clients, function, {"execution_arn": "operator", "state": {}})

    def close(self) -> None:
        """Close every connection."""
        self._clients.close()
