"""``slots``: the import semaphore. Without a word: capacity, holders and the queue; the words change it.

A change is written first, then the grant step runs, so that whoever may start now does so at once.
"""

from __future__ import annotations

import argparse

from botocore.exceptions import ClientError

from dicom_ingest.db import queue
from dicom_ingest.db.connection import Connection
from dicom_ingest.db.read_slots import semaphores, tickets
from ops.errors import OperatorError
from ops.output import Output
from ops.target import Target

HELP = "the import slots and their queue: list, raise, cancel, pause, resume, capacity"
CANCELLED = "TicketCancelled"
"""The error that the execution of a cancelled ticket is told; its series ends FAILED."""
FIRST = -1
"""The priority of a raised ticket: before live (0) and bulk (1)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    words = ("list", "raise", "cancel", "pause", "resume", "capacity")
    parser.add_argument("change", nargs="?", default="list", choices=words, help="what to do (default: list)")
    parser.add_argument(
        "number", nargs="?", type=int, help="raise, cancel: a ticket; capacity: slots, 0 or more"
    )
    parser.add_argument("--datastore", help="which data store's slots; needed where there are several")
    parser.add_argument(
        "--reason", default="by an operator", help="of a cancellation; the series' outcome says it"
    )


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: shown, or changed and shown."""
    granted = None
    if arguments.change == "list":
        _no_number(arguments)
    else:
        writer = target.open_writer()
        try:
            _change(arguments, target, writer)
        finally:
            writer.close()
        granted = target.grant()
    _show(target, output, granted)
    return 0


def _change(arguments: argparse.Namespace, target: Target, writer: Connection) -> None:
    match arguments.change:
        case "pause" | "resume":
            _no_number(arguments)
            queue.set_paused(writer, _datastore(arguments, target), arguments.change == "pause")
        case "capacity":
            capacity = _number(arguments, "how many imports may run at a time, 0 or more")
            if capacity < 0:
                raise OperatorError(f"slots capacity {capacity}: 0 or more is allowed")
            queue.set_capacity(writer, _datastore(arguments, target), capacity)
        case "raise":
            ticket = _number(arguments, "the ticket to serve first")
            if not queue.set_priority(writer, ticket, FIRST):
                raise OperatorError(
                    f"slots raise {ticket}: only a waiting ticket can be raised, see `slots list`"
                )
        case "cancel":
            _cancel(_number(arguments, "the ticket to cancel"), arguments.reason, target, writer)


def _cancel(ticket: int, reason: str, target: Target, writer: Connection) -> None:
    token = queue.cancel(writer, ticket, f"cancelled {reason}")
    if token is None:
        raise OperatorError(
            f"slots cancel {ticket}: only a waiting ticket can be cancelled, see `slots list`"
        )
    try:
        target.client("stepfunctions").send_task_failure(taskToken=token, error=CANCELLED, cause=reason)
    except ClientError as error:
        # A used or dead token: the execution is over, or comes back and finds its ticket cancelled.
        if error.response["Error"]["Code"] not in ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken"):
            raise


def _datastore(arguments: argparse.Namespace, target: Target) -> str:
    known = [str(row["datastore_id"]) for row in semaphores(target.index)]
    if arguments.datastore in known:
        return str(arguments.datastore)
    if arguments.datastore is None and len(known) == 1:
        return known[0]
    raise OperatorError(
        f"--datastore {arguments.datastore or 'is needed'}: one of {', '.join(known) or 'none'}"
    )


def _number(arguments: argparse.Namespace, meaning: str) -> int:
    if arguments.number is None:
        raise OperatorError(f"slots {arguments.change} needs a number: {meaning}")
    return int(arguments.number)


def _no_number(arguments: argparse.Namespace) -> None:
    if arguments.number is not None:
        raise OperatorError(f"slots {arguments.change} {arguments.number}: takes no number")


def _show(target: Target, output: Output, granted: int | None) -> None:
    stores, queued = semaphores(target.index), tickets(target.index)
    if output.as_json:
        output.data({"granted": granted, "semaphores": stores, "tickets": queued})
        return
    if granted is not None:
        output.line(f"changed; {granted} tickets were granted a slot")
    output.table("Slots", stores)
    output.table("Tickets: holders, then the queue in order", queued)
