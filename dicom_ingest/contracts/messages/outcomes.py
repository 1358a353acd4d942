"""Outcomes of a series transfer and verdicts of an instance (docs/architecture.md, "Outcomes")."""

from __future__ import annotations

from enum import Enum


class Outcome(str, Enum):
    """How a series transfer ended."""

    COMPLETED = "COMPLETED"
    DUPLICATE = "DUPLICATE"
    SUPERSEDED = "SUPERSEDED"
    NON_PRIMARY = "NON_PRIMARY"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    INDEXED = "INDEXED"
    IN_PROGRESS_ELSEWHERE = "IN_PROGRESS_ELSEWHERE"
    """Not the transfer's outcome but this execution's: another one owns the transfer."""


FAILURES = frozenset({Outcome.FAILED, Outcome.UNKNOWN})
"""A person must act; the execution ends FAILED."""


class Verdict(str, Enum):
    """What became of one instance of one transfer."""

    PENDING = "PENDING"
    IMPORTED = "IMPORTED"
    WARNED = "WARNED"
    FAILED = "FAILED"
    MISSING = "MISSING"
    UNCHANGED = "UNCHANGED"
    """The data store already held the same bytes."""
    SUPERSEDED = "SUPERSEDED"
    """Its transfer was not imported: the data store holds a newer version of it."""


class TicketState(str, Enum):
    """States of a ticket; ORPHANED is a mark beside them, not a state."""

    WAITING = "WAITING"
    GRANTED = "GRANTED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


HOLDING = (TicketState.GRANTED, TicketState.STARTING, TicketState.RUNNING)
"""States that hold a slot."""
