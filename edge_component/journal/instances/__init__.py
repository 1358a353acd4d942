"""The states of an instance, and every statement that changes one.

    received ──> assigned <──> sending ──> uploaded ──> announced ──> released
       │ ^          └──────> missing ────────────────────^
       v │
    duplicate ──> released

*received* its file and row are on the disk. *duplicate* it equals an instance that is not in S3 yet, and is
kept until that is. *assigned* it has a place in a series transfer. *sending* an attempt is journalled: what
S3 says next is believed. *uploaded* S3 has it. *missing* its series is announced without it. *announced* it
is a receipt, whose `file` says where its bytes are. *released* its bytes are not needed any more.

Each change names the state that it starts from, and counts its rows: what another owner has changed meanwhile
stays as it is. All of them belong into the caller's transaction.
"""

from __future__ import annotations

from edge_component.journal.instances.announcement import announced, missing, released
from edge_component.journal.instances.arrival import assign, duplicate, insert_instances, postponed, received
from edge_component.journal.instances.errors import StateError
from edge_component.journal.instances.hashes import hashed, not_hashed
from edge_component.journal.instances.sending import (
    Assigned,
    claim,
    hand_back,
    interrupted,
    is_assigned,
    not_uploaded,
    redraw,
    to_send,
    upload_begun,
    uploaded,
)

__all__ = [
    "Assigned",
    "StateError",
    "announced",
    "assign",
    "claim",
    "duplicate",
    "hand_back",
    "hashed",
    "insert_instances",
    "interrupted",
    "is_assigned",
    "missing",
    "not_hashed",
    "not_uploaded",
    "postponed",
    "received",
    "redraw",
    "released",
    "to_send",
    "upload_begun",
    "uploaded",
]
