"""The life of an instance at the edge, and of a ticket in the queue for a slot."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dicom_ingest.contracts.messages.outcomes import TicketState
from docs.generate.pictures.svg import Arrow, Box, Kind, Route, picture
from edge_component.journal.schema import SCHEMA

ROOT = Path(__file__).parents[3]
_SEMAPHORE = "dicom_ingest/db/semaphore"
_SERIES = "dicom_ingest/db/series"
_STATES = "edge_component/journal/instances"


@dataclass(frozen=True)
class Change:
    """One step of a life, and the module that makes it."""

    source: str
    target: str
    why: str
    module: str
    trouble: bool = False
    route: Route = "hv"
    shift: float = 0


def instance_states() -> tuple[str, ...]:
    """The states that the edge's journal knows."""
    allowed = re.search(r"state IN \(([^)]*)\)\)", SCHEMA)
    if allowed is None:
        raise LookupError("the journal's schema does not say which states an instance has")
    return tuple(re.findall(r"'(\w+)'", allowed[1]))


ON_THE_WIRE, REFUSED, QUARANTINE = "on the wire", "refused", "quarantine/"
RECEIPT, ASIDE, COUNTED = "receipt", "aside/", "counted"

INSTANCE = (
    Change(ON_THE_WIRE, "received", "synced: 0x0000", "edge_component/receiving/store.py"),
    Change(ON_THE_WIRE, REFUSED, "a failure status", "edge_component/receiving/store.py", trouble=True),
    Change("received", "assigned", "given to a transfer", f"{_STATES}/arrival.py"),
    Change("received", "duplicate", "the same again", f"{_STATES}/arrival.py"),
    Change("duplicate", COUNTED, "the first is in S3", f"{_STATES}/duplicates.py"),
    Change("assigned", "sending", "attempt journalled", f"{_STATES}/sending.py"),
    Change("assigned", "missing", "cannot be sent", f"{_STATES}/announcement.py", trouble=True),
    Change("sending", "uploaded", "S3 has its checksum", f"{_STATES}/sending.py"),
    Change("uploaded", RECEIPT, "event accepted", f"{_STATES}/announcement.py"),
    Change("missing", ASIDE, "announced as missing", f"{_STATES}/announcement.py", trouble=True),
)
_INSTANCE_PLACES: dict[str, tuple[tuple[str, ...], tuple[float, float], Kind]] = {
    ON_THE_WIRE: (("C-STORE; not ours yet",), (0, 0), "plain"),
    "received": (("instance and receipt", "are on the disk"), (0, 1), "store"),
    "assigned": (("in a series transfer,", "which may still grow"), (0, 2), "store"),
    "sending": (("on its way; tried again", "until S3 has it"), (0, 3), "store"),
    "uploaded": (("in S3, and still here",), (0, 4), "store"),
    RECEIPT: (("hashes without names,", "kept for receipt_days"), (0, 5), "end"),
    REFUSED: (("in quarantine/, with why;", "the sender still has it"), (1.4, 0), "end"),
    "duplicate": (("kept until the first", "is in S3"), (1.4, 1), "store"),
    COUNTED: (("no longer needed",), (2.8, 1), "end"),
    "missing": (("after series_patience,", "listed with its reason"), (1.4, 2), "store"),
    ASIDE: (("kept for a person,", "never deleted"), (1.4, 3), "end"),
}

TICKET = (
    Change("WAITING", "GRANTED", "grant step", f"{_SEMAPHORE}/granting.py"),
    Change("GRANTED", "STARTING", "intention written", f"{_SERIES}/imports.py"),
    Change("STARTING", "RUNNING", "import id known", f"{_SERIES}/imports.py"),
    Change(
        "RUNNING", "WAITING", "next attempt", f"{_SERIES}/imports.py", trouble=True, route="right", shift=28
    ),
    Change("STARTING", "WAITING", "", f"{_SERIES}/imports.py", trouble=True, route="right", shift=21),
    Change(
        "GRANTED",
        "WAITING",
        "data store replaced",
        f"{_SERIES}/imports.py",
        trouble=True,
        route="right",
        shift=14,
    ),
    Change("RUNNING", "DONE", "recorded, released", f"{_SEMAPHORE}/releasing.py"),
    Change("STARTING", "DONE", "", f"{_SEMAPHORE}/releasing.py", route="left"),
    Change("GRANTED", "DONE", "", f"{_SEMAPHORE}/releasing.py", route="left", shift=12),
    Change(
        "WAITING",
        "CANCELLED",
        "owner over, or a person",
        f"{_SEMAPHORE}/operator.py",
        trouble=True,
    ),
    Change("GRANTED", "CANCELLED", "owner over, no import", f"{_SEMAPHORE}/releasing.py", trouble=True),
    Change("STARTING", "CANCELLED", "no import found", f"{_SEMAPHORE}/leftovers.py", trouble=True),
)
"""`module` makes the change; a test finds every change of state in the SQL and compares."""
_TICKET_PLACES: dict[str, tuple[tuple[str, ...], tuple[float, float], Kind]] = {
    "WAITING": (("status 1; in the queue,", "no slot, costs nothing"), (0.3, 0), "plain"),
    "GRANTED": (("status 2; holds a slot,", "starts at start_at"), (0.3, 1), "store"),
    "STARTING": (("status 2; holds a slot,", "the call may be under way"), (0.3, 2), "store"),
    "RUNNING": (("status 2; holds a slot,", "HealthImaging works"), (0.3, 3), "store"),
    "DONE": (("status 3, or 4 when", "FAILED or UNKNOWN"), (0.3, 4), "end"),
    "CANCELLED": (("status 4; never imported",), (1.7, 1), "end"),
}


def instance_life() -> str:
    """As SVG."""
    return _life(
        "The life of an instance at the edge",
        "received, assigned, uploaded, receipt; or refused, counted as a duplicate, missing and put aside",
        _INSTANCE_PLACES,
        INSTANCE,
    )


def ticket_life() -> str:
    """As SVG."""
    known = {state.value for state in TicketState}
    if known != set(_TICKET_PLACES):
        raise LookupError(f"a ticket's states are {', '.join(sorted(known))}: draw them all")
    return _life(
        "The life of a ticket",
        "WAITING, GRANTED, STARTING, RUNNING, DONE; or CANCELLED. GRANTED, STARTING and RUNNING hold a slot",
        _TICKET_PLACES,
        TICKET,
    )


def _life(
    title: str,
    description: str,
    places: dict[str, tuple[tuple[str, ...], tuple[float, float], Kind]],
    changes: tuple[Change, ...],
) -> str:
    boxes = [Box(name, words, at, kind) for name, (words, at, kind) in places.items()]
    arrows = [Arrow(c.source, c.target, c.why, c.trouble, c.route, c.shift) for c in changes]
    return picture(title, description, boxes, arrows)
