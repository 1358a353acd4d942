"""The states of an association that is accepted and never asks for its own release (PS3.8 9.2).

Of the thirteen states of PS3.8 Table 9-10 six are left. Everything else about an association follows from its
state and the type of the next PDU.
"""

from __future__ import annotations

from enum import Enum

A_ASSOCIATE_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA_TF, A_RELEASE_RQ, A_RELEASE_RP, A_ABORT = range(1, 8)


class State(Enum):
    """With the standard's name."""

    AWAITING_REQUEST = "Sta2"
    DECIDING = "Sta3"
    ESTABLISHED = "Sta6"
    RELEASING = "Sta8"
    CLOSING = "Sta13"
    CLOSED = "Sta1"


NEXT: dict[tuple[State, int], State] = {
    (State.AWAITING_REQUEST, A_ASSOCIATE_RQ): State.DECIDING,
    (State.AWAITING_REQUEST, A_ABORT): State.CLOSED,
    (State.DECIDING, A_ABORT): State.CLOSED,
    (State.ESTABLISHED, P_DATA_TF): State.ESTABLISHED,
    (State.ESTABLISHED, A_RELEASE_RQ): State.RELEASING,
    (State.ESTABLISHED, A_ABORT): State.CLOSED,
}
"""Which PDU is expected in which state, and what follows. Any other is answered by an A-ABORT (AA-8)."""
