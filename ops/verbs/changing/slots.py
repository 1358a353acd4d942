"""List or change the import slots and their queue. Without an action it lists them.

A change is committed first. Then the pipeline grants free slots and informs the execution of a cancelled
ticket. If that fails, reclaim_import_slots does it within minutes.

examples:
  ops slots
  ops slots raise 31
  ops slots cancel 31 --reason "wrong archive"
  ops slots capacity 80
"""

from __future__ import annotations

import argparse

from dicom_ingest.db.semaphore import operator as queue
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.operators.read.state.attention import counted
from dicom_ingest.operators.read.state.slots import semaphores, tickets
from ops.errors import OperatorError
from ops.output import Output
from ops.targets.target import Target

HELP = "the import slots and their queue: list, raise, cancel, move, pause, resume, capacity"
TICKET = (
    "ticket_id", "state", "priority", "modality", "series_description", "instances", "calling_ae", "edge",
    "created_at", "granted_at", "start_at", "orphaned_at", "import_id", "series_instance_uid",
)  # fmt: skip
FIRST = -1
"""The priority of a raised ticket: before live (0) and bulk (1)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    words = ("list", "raise", "cancel", "move", "pause", "resume", "capacity")
    parser.add_argument("change", nargs="?", default="list", choices=words, help="what to do (default: list)")
    parser.add_argument(
        "number", nargs="?", type=int, help="raise, cancel, move: a ticket; capacity: slots, 0 or more"
    )
    parser.add_argument("--datastore", metavar="ID", help="whose slots; default: the configured data store's")
    parser.add_argument(
        "--stranded",
        action="store_true",
        help="cancel, move: every ticket that waits for a replaced data store",
    )
    parser.add_argument("--reason", default="by an operator", help="why; the timeline shows it")


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: shown, or changed and shown."""
    done = None
    if arguments.stranded and arguments.change not in ("cancel", "move"):
        raise OperatorError(f"slots {arguments.change} --stranded: goes with cancel and move")
    if arguments.change == "list":
        _no_number(arguments)
    else:
        writer = target.open_writer()
        try:
            changed = _change(arguments, target, writer)
        finally:
            writer.close()
        done = {"changed": changed, "granted": target.grant()}
    _show(target, output, done)
    return 0


def _change(arguments: argparse.Namespace, target: Target, writer: Connection) -> int:
    """How many data stores or tickets were changed."""
    match arguments.change:
        case "pause" | "resume":
            _no_number(arguments)
            queue.set_paused(writer, _datastore(arguments, target), arguments.change == "pause", target.who())
        case "capacity":
            capacity = _number(arguments, "how many imports may run at a time, 0 or more")
            if capacity < 0:
                raise OperatorError(f"slots capacity {capacity}: 0 or more is allowed")
            queue.set_capacity(writer, _datastore(arguments, target), capacity, target.who())
        case "raise":
            ticket = _number(arguments, "the ticket to serve first")
            if not queue.set_priority(writer, ticket, FIRST, target.who()):
                raise OperatorError(
                    f"slots raise {ticket}: only a waiting ticket can be raised, see `slots list`"
                )
        case "cancel":
            ticket_or_all = _tickets(arguments, "the ticket to cancel")
            found = queue.cancel(writer, ticket_or_all, f"cancelled {arguments.reason}", target.who())
            return _found(arguments, found, "only a waiting ticket can be cancelled")
        case "move":
            ticket_or_all = _tickets(arguments, "the ticket to move to the configured data store")
            found = queue.move(writer, ticket_or_all, target.who())
            return _found(arguments, found, "only a ticket that waits for a replaced data store can be moved")
    return 1


def _tickets(arguments: argparse.Namespace, meaning: str) -> int | None:
    """The one that was named; None: all that are stranded."""
    if not arguments.stranded:
        return _number(arguments, f"{meaning}, or --stranded for all that wait for a replaced data store")
    _no_number(arguments)
    return None


def _found(arguments: argparse.Namespace, tickets: list[int], allowed: str) -> int:
    if not tickets and not arguments.stranded:
        raise OperatorError(f"slots {arguments.change} {arguments.number}: {allowed}, see `slots list`")
    return len(tickets)


def _datastore(arguments: argparse.Namespace, target: Target) -> str:
    """The one that was named, else the configured one."""
    known = [str(row["datastore_id"]) for row in semaphores(target.index)]
    if not known:
        raise OperatorError("slots: there is no data store: importing is off (`ahli_enabled: false`)")
    if arguments.datastore in (None, *known):
        return arguments.datastore or known[0]
    raise OperatorError(f"--datastore {arguments.datastore}: one of {', '.join(known)}")


def _number(arguments: argparse.Namespace, meaning: str) -> int:
    if arguments.number is None:
        raise OperatorError(f"slots {arguments.change} needs a number: {meaning}")
    return int(arguments.number)


def _no_number(arguments: argparse.Namespace) -> None:
    if arguments.number is not None:
        raise OperatorError(f"slots {arguments.change} {arguments.number}: takes no number")


def _show(target: Target, output: Output, done: dict[str, int] | None) -> None:
    stores, queued = semaphores(target.index), tickets(target.index)
    if output.as_json:
        output.data({**(done or {}), "semaphores": stores, "tickets": queued})
        return
    if done is not None:
        granted = counted(done["granted"], "ticket")
        output.line(f"{done['changed']} changed; {granted} granted a slot")
    output.table("Slots", stores)
    output.table("Tickets: holders, then the queue in order", queued, TICKET, narrow=True)
    if stranded := sum(row["stranded"] for row in queued):
        output.line(
            f"{stranded} stranded: the data store that they wait for was replaced. "
            "Import into the configured one: slots move --stranded; give up: slots cancel --stranded"
        )
