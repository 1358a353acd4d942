"""What the console asks of the run: index, edge, executions, pictures; and the little that it may change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

from console.pictures.frames import FrameStore
from console.run.last_minute import LastMinute
from console.workflow import executions
from console.workflow.executions import Execution
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.operators.reprocess import Reprocessor
from local.clients.aws import Clients
from local.clients.edge import EdgeSilentError, edge_answer
from local.clients.invoke import invoke
from local.postgres.databases import session
from local.run.state import RunState
from local.run.wiring import Names

# As an operator on AWS: what is read cannot change anything, and `ahlijob` has no task tokens.
READ_ONLY = ("SET default_transaction_read_only = on", "SET search_path = operator_views, public")
T = TypeVar("T")


class Sources:
    """Of one run. Threads may use it at once."""

    def __init__(self, state: RunState) -> None:
        self.name = f"{state.stack} · {state.name}"
        self._state = state
        self.viewer_url = state.viewer_url
        self._clients = Clients(state.aws_url, state.healthimaging_url)
        self._received, self._uploaded = LastMinute(), LastMinute()
        for count in (self._received, self._uploaded):
            count.grown(0)  # a run starts empty
        self.frames = FrameStore(self._clients.medical_imaging, state.datastore_id)

    @contextmanager
    def index(self) -> Iterator[Connection]:
        """A connection of the request's own, for reading."""
        with session(self._state.database_url) as connection:
            for statement in READ_ONLY:
                connection.run(statement)
            yield connection

    def edges(self) -> list[dict[str, Any]]:
        """What each edge says of itself, or `trouble`."""
        return [self._asked(edge, "/status") for edge in self._ports()]

    def edge(self) -> dict[str, Any] | None:
        """All edges as one: their counts and problems together; None while one of them does not answer."""
        found = self.edges()
        if not found or any("trouble" in said for said in found):
            return None
        numbers = (name for name, value in found[0].items() if type(value) is int)
        said: dict[str, Any] = {**found[0], **{name: sum(one[name] for one in found) for name in numbers}}
        for name in ("problems", "silent_aes"):
            said[name] = [value for one in found for value in one[name]]
        said["received_last_minute"] = self._received.grown(said["instances_received"])
        said["uploaded_last_minute"] = self._uploaded.grown(said["instances_uploaded"])
        return said

    def held(self, term: str) -> list[dict[str, Any]]:
        """Series that an edge holds and has not announced: by a term, or all where it is empty."""
        path = f"/where?q={quote(term, safe='')}" if term else "/where"
        answers = [self._asked(edge, path) for edge in self._ports()]
        found = [{**row, "edge": said["edge"]} for said in answers for row in said.get("series", [])]
        return [row for row in found if row["state"] != "announced"]

    def _ports(self) -> dict[str, int]:
        """Health ports by edge, as the run says them now: an edge may have been started again."""
        return {edge.edge: edge.health_port for edge in self._state.edges}

    def _asked(self, edge: str, path: str) -> dict[str, Any]:
        try:
            return edge_answer(self._ports()[edge], path)
        except EdgeSilentError as error:
            return {"edge": edge, "trouble": str(error)}

    def execution(self, arn: str | None) -> Execution | None:
        """See `executions.read`."""
        return executions.read(self._clients.stepfunctions, arn)

    def reprocess(self, manifest_key: str, *, force: bool) -> None:
        """Start an execution for it; `force` imports again."""
        Reprocessor(
            s3=self._clients.s3,
            stepfunctions=self._clients.stepfunctions,
            bucket=self._state.bucket,
            stack=self._state.stack,
            state_machine_arn=self._state.state_machine_arn,
            replay_name=f"force-{uuid4().hex[:12]}" if force else "",
        ).manifest(manifest_key)

    def change(self, work: Callable[[Connection], T]) -> T:
        """Do it and commit; then the pipeline runs its grant step and tells whose ticket was cancelled."""
        with session(self._state.database_url) as connection:
            done = work(connection)
        function = Names(self._state.stack).function("release_import_slot")
        invoke(self._clients, function, {"execution_arn": "operator", "state": {}})
        return done

    def close(self) -> None:
        """Close every connection."""
        self._clients.close()
