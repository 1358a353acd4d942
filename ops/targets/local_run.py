"""A local run as a target. Its ``state.json`` is read as data: nothing of the runtime is imported."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from dicom_ingest.db.server.connection import connect
from dicom_ingest.operators.edges import Edges
from ops.errors import OperatorError
from ops.targets.logs import errors_in_files
from ops.targets.target import Target

RUNS = Path(__file__).resolve().parents[2] / ".local"
# As the operator's role on AWS: nothing can be changed, and `ahlijob` has no task tokens.
READ_ONLY = ("SET default_transaction_read_only = on", "SET search_path = operator_views, public")


def find_run(runs: Path, name: str | None = None) -> dict[str, Any]:
    """The state of the run of this name, or of the only one under way.

    Raises:
        OperatorError: there is none, or more than one and no name.
    """
    found = [state for state in _under_way(runs) if name in (None, state["name"])]
    if not found:
        wanted = f"no active run is named {name!r}" if name else "no local run is active"
        raise OperatorError(
            f"{wanted} in {runs}: start one with `make up`, "
            "or name a stack on AWS with --stack NAME [--region REGION] [--profile PROFILE]"
        )
    if len(found) > 1:
        names = ", ".join(state["name"] for state in found)
        raise OperatorError(f"several runs are active in {runs} ({names}): choose one with --run")
    return found[0]


def _under_way(runs: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(runs.glob("*/state.json")):
        if _owned(runs / f"{path.parent.name}.lock"):
            state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            yield state


def _owned(lock: Path) -> bool:
    """Whether the run's owner holds its lock, which goes with its owner, however that ended."""
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def local_target(state: dict[str, Any]) -> Iterator[Target]:
    """The run as a target while the block runs."""
    index = connect(state["database_url"])
    clients: dict[str, Any] = {}
    edges = Edges(lambda: _health_ports(state))

    def client(service: str) -> Any:
        if service not in clients:
            clients[service] = _client(service, state)
        return clients[service]

    try:
        for statement in READ_ONLY:
            index.run(statement)
        yield Target(
            name=f"local run {state['name']}",
            stack=state["stack"],
            bucket=state["bucket"],
            state_machine_arn=state["state_machine_arn"],
            dead_letters_url=state["dead_letters_url"],
            poll_seconds=0.5,
            index=index,
            open_writer=lambda: connect(state["database_url"]),
            client=client,
            edges_say=edges.say,
            edges_hold=edges.hold,
            log_errors=lambda since: errors_in_files(Path(state["folder"]) / "functions", since),
            edge_address=(state["dicom_host"], state["dicom_port"]) if state.get("dicom_port") else None,
        )
    finally:
        index.close()
        for made in clients.values():
            made.close()


def _client(service: str, state: dict[str, Any]) -> Any:
    region = state["state_machine_arn"].split(":")[3]
    session: Any = boto3.Session("local", "local", region_name=region)
    url = state["healthimaging_url"] if service == "medical-imaging" else state["aws_url"]
    # No proxy between us and loopback; a function may run for minutes.
    config = Config(proxies={}, read_timeout=960, inject_host_prefix=False)
    return session.client(service, endpoint_url=url, config=config)


def _health_ports(state: dict[str, Any]) -> dict[str, int]:
    """By edge."""
    if found := state.get("edges"):
        return {edge["edge"]: edge["health_port"] for edge in found}
    return {state["edge"]: state["health_port"]} if state.get("health_port") else {}
