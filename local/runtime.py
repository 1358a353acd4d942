"""The whole pipeline on this machine: starts every part, watches them, stops them in order.

For trying, developing and testing, not an archive: it starts empty, in a folder of its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any
from uuid import uuid4

from typing_extensions import Self

from dicom_ingest.contracts.messages.steps import MigrateDatabaseRequest, MigrationProperties
from dicom_ingest.errors import DatabaseAwayError
from local.clients.aws import Clients
from local.clients.invoke import invoke
from local.parts import processes as parts
from local.parts import resources
from local.parts.background import Background
from local.parts.edges import Edges
from local.parts.part import Part, PartFailedError
from local.parts.pump import Batches, Pump
from local.parts.status_changes import StatusChanges
from local.postgres.databases import create_database, drop_database, without_password
from local.postgres.server import Postgres, PostgresError
from local.processes.guard import GUARD
from local.run import wiring
from local.run.options import Options
from local.run.state import RunState, own_folder

STATUS_SECONDS = 1.0


class Runtime:
    """One run: a context manager. `state` says where everything is, `clients` reach it."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.names = options.names
        self.datastore_id = uuid4().hex
        self.postgres: Postgres | None = None
        self.clients: Clients
        self.state: RunState
        self.parts: dict[str, Part] = {}
        self._threads: list[Background] = []
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException as error:
            # A part that could not talk to one that has ended is not the cause.
            ended = [part.failure() for part in self.parts.values() if part.ended is not None]
            self._exit.close()
            if ended:
                raise ended[0] from error
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit.close()

    def _start(self) -> None:
        self.options.check()
        self.folder = self._exit.enter_context(own_folder(self.options))
        # They are told to end first and waited for last: most wait for a queue, until its server is gone.
        self._exit.callback(self._stop_threads)
        with ThreadPoolExecutor(thread_name_prefix="start") as threads:
            database = threads.submit(self._start_database)
            aws_url = self._start_aws()
            healthimaging = threads.submit(self._start_healthimaging, aws_url)
            made = [
                threads.submit(resources.create_bucket, self.clients, self.names),
                threads.submit(resources.create_state_machine, self.clients, self.names, self._definition()),
            ]
            queues = resources.create_queues(self.clients, self.names)
            resources.create_events(self.clients, self.names, self.datastore_id)
            addresses = wiring.endpoints(aws_url, healthimaging.result())
            imports_into = self.datastore_id if self.options.imports else ""
            functions = wiring.function_table(self.names, database.result(), imports_into, addresses)
            resources.deploy_functions(aws_url, functions)
            made.append(threads.submit(self._migrate))
            for future in made:
                future.result()
        self._start_threads(queues)
        self.edges = self._start_edges(aws_url)
        self.state = RunState(
            name=self.options.name,
            pid=os.getpid(),
            started_at=datetime.now(UTC),
            folder=self.folder,
            stack=self.names.stack,
            edge=self.options.config.edge_name(self.options.edge_name),
            edges=[*self.edges.states.values()],
            bucket=self.names.bucket,
            aws_url=aws_url,
            healthimaging_url=healthimaging.result(),
            datastore_id=self.datastore_id,
            database_url=database.result(),
            state_machine_arn=self.names.state_machine_arn,
            dead_letters_url=queues.dead_letters,
            dicom_host=self.options.edge_host if self.edges.states else None,
        )
        self._publish()

    def _publish(self) -> None:
        """Write the state as it is now: the processes, and the first edge's ports."""
        states = [*self.edges.states.values()]
        first = {name: getattr(state, name) for state in states[:1] for name in ("dicom_port", "health_port")}
        pids = {
            part.name: part.pid for part in [*self.parts.values(), *self.edges.parts.values()] if part.pid
        }
        self.state = self.state.model_copy(update={**first, "edges": states, "parts": pids})
        self.state.write()

    def _definition(self) -> str:
        text = self.options.definition.read_text(encoding="utf-8")
        return wiring.definition(text, wiring.substitutions(self.names))

    def _start_part(self, part: Part) -> Part:
        part.start()
        self.parts[part.name] = part
        self._exit.callback(part.stop)
        return part

    def _start_database(self) -> str:
        """The URL of this run's own database."""
        admin_url = self.options.database_url
        if admin_url is None:
            self.postgres = self._exit.enter_context(Postgres())
            return create_database(self.postgres.admin_url, self.options.config.db_config.db_name)
        name = f"dicom_ingest_{self.options.name.replace('-', '_')}_{uuid4().hex[:8]}"
        try:
            url = create_database(admin_url, name)
        except DatabaseAwayError as error:
            shown = without_password(admin_url)
            raise PostgresError(f"DATABASE_URL or --database-url {shown}: {error}") from error
        self._exit.callback(drop_database, admin_url, name)
        return url

    def _start_aws(self) -> str:
        part = self._start_part(parts.aws(self.options, self.folder))
        url = str(part.wait_ready_file()["url"])
        self.clients = Clients(url)
        self._exit.callback(self.clients.close)
        return url

    def _start_healthimaging(self, aws_url: str) -> str:
        # Pictures of patients do not stay behind, however the run ends.
        GUARD.watch_folder(self.folder / parts.DATASTORE)
        self._exit.callback(shutil.rmtree, self.folder / parts.DATASTORE, ignore_errors=True)
        part = self._start_part(parts.healthimaging(self.options, self.folder, aws_url, self.datastore_id))
        return part.wait_line(parts.HEALTHIMAGING_LISTENS)[1]

    def _start_edges(self, aws_url: str) -> Edges:
        edges = Edges(self.options, self.folder, aws_url)
        self._exit.callback(edges.stop)
        edges.start()
        return edges

    def _migrate(self) -> None:
        semaphore = self.options.semaphore(self.datastore_id) if self.options.imports else None
        properties = MigrationProperties(semaphore=semaphore)
        request = MigrateDatabaseRequest(RequestType="Create", ResourceProperties=properties)
        self.invoke("migrate_database", request.model_dump(mode="json"))

    def _start_threads(self, queues: resources.Queues) -> None:
        pump = Pump(self.clients, queues.executions, self.names.state_machine_arn)
        batches = Batches(
            self.clients, queues.status_changes, lambda event: self.invoke("reclaim_import_slots", event)
        )
        changes = StatusChanges(self.clients, self.names.state_machine_arn)
        turns: dict[str, tuple[Callable[[], None], float]] = {
            "pump": (pump.turn, 0),
            "status-change-queue": (batches.turn, 0),
            "status-changes": (changes.turn, STATUS_SECONDS),
            "reclaim": (partial(self.invoke, "reclaim_import_slots", {}), self.options.reclaim_seconds),
            "audit": (partial(self.invoke, "audit_uploads", {}), self.options.audit_seconds),
        }
        for name, (turn, pause) in turns.items():
            thread = Background(name, turn, pause)
            thread.start()
            self._threads.append(thread)
        self._exit.callback(self._tell_threads)

    def _tell_threads(self) -> None:
        for thread in self._threads:
            thread.tell()

    def _stop_threads(self) -> None:
        for thread in self._threads:
            thread.stop()

    def publish(self, **changes: Any) -> None:
        """Change the state that other terminals and the console read."""
        self.state = self.state.model_copy(update=changes)
        self.state.write()

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Invoke one of our functions; see `local.clients.invoke`."""
        return invoke(self.clients, self.names.function(function), event)

    def check(self) -> None:
        """Is every part alive?

        Raises:
            PartFailedError: one is not; the message names it.
        """
        self.check_all_but_edges()
        for failure in self.edges.newly_ended():
            raise failure

    def heed(self) -> None:
        """Start an edge again, where another terminal asks for that."""
        if self.edges.heed():
            self._publish()

    def check_all_but_edges(self) -> None:
        """Is every part alive, whatever the edges do?

        Raises:
            PartFailedError: one is not; the message names it.
        """
        for part in self.parts.values():
            if part.ended is not None:
                raise part.failure()
        if self.postgres is not None and self.postgres.pid is None:
            raise PartFailedError(f"postgres ended by itself, see {self.postgres.log}")
        for thread in self._threads:
            if thread.error is not None:
                raise PartFailedError(f"{thread.name} ended by itself: {thread.error!r}") from thread.error
