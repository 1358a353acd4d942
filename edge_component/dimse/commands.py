"""DIMSE command sets (PS3.7 6.3, 9.3, 10.3): a few short elements in Implicit VR Little Endian."""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from typing import NamedTuple

from edge_component.dimse.errors import message_error

C_STORE_RQ, C_ECHO_RQ, C_CANCEL_RQ = 0x0001, 0x0030, 0x0FFF
N_EVENT_REPORT_RQ, N_ACTION_RQ = 0x0100, 0x0130
RESPONSE = 0x8000
REQUESTS = frozenset((0x0001, 0x0010, 0x0020, 0x0021, 0x0030, 0x0100, 0x0110, 0x0120, 0x0130, 0x0140, 0x0150))
"""Command fields of requests (PS3.7 E.1), without C-CANCEL."""
NO_DATA_SET = 0x0101
HAS_DATA_SET = 0x0001
PLAIN_UID = re.compile(rb"[0-9.]{1,64}")
_ELEMENT = struct.Struct("<HHL")

(AFFECTED_CLASS, REQUESTED_CLASS, FIELD, MESSAGE_ID, RESPONDED_TO, DATA_SET_TYPE, STATUS, COMMENT) = (
    *(0x0002, 0x0003, 0x0100, 0x0110, 0x0120, 0x0800, 0x0900, 0x0902),
)
AFFECTED_INSTANCE, REQUESTED_INSTANCE, EVENT_TYPE, ACTION_TYPE = 0x1000, 0x1001, 0x1002, 0x1008


class Command(NamedTuple):
    """A command set. `elements`: encoded values by the element number of group 0000."""

    field: int
    elements: dict[int, bytes]

    @property
    def has_data_set(self) -> bool:
        """(0000,0800) Command Data Set Type."""
        return self.number(DATA_SET_TYPE) != NO_DATA_SET

    @property
    def message_id(self) -> int:
        """(0000,0110) of a request.

        Raises:
            RemoteError: it has none.
        """
        found = self.number(MESSAGE_ID)
        if found is None:
            raise message_error(f"a command 0x{self.field:04X} without a message id")
        return found

    def number(self, element: int) -> int | None:
        """A US; None: it is not there."""
        value = self.elements.get(element)
        return int.from_bytes(value, "little") if value is not None and len(value) == 2 else None

    def uid(self, element: int) -> bytes:
        """A UID as it came, without its padding."""
        return self.elements.get(element, b"").rstrip(b"\0 ")


def decode(encoded: bytes) -> Command:
    """A command set.

    Raises:
        RemoteError: it is none.
    """
    found: dict[int, bytes] = {}
    at, end = 0, len(encoded)
    while at < end:
        if end - at < _ELEMENT.size:
            raise message_error("a command set that ends inside an element")
        group, element, length = _ELEMENT.unpack_from(encoded, at)
        at += _ELEMENT.size
        if group or length > end - at:
            raise message_error("a command set that cannot be read")
        found[element] = encoded[at : at + length]
        at += length
    field = found.get(FIELD)
    if field is None or len(field) != 2:
        raise message_error("a command set without a command field")
    return Command(int.from_bytes(field, "little"), found)


def encode(*elements: tuple[int, bytes | int]) -> bytes:
    """A command set of these elements, in ascending order, with its group length."""
    body = b"".join(_element(number, value) for number, value in elements)
    return _element(0x0000, len(body).to_bytes(4, "little")) + body


def _element(number: int, value: bytes | int) -> bytes:
    encoded = value.to_bytes(2, "little") if isinstance(value, int) else value
    return _ELEMENT.pack(0, number, len(encoded)) + encoded


def _even(value: bytes, pad: bytes = b"\0") -> bytes:
    return value + pad * (len(value) % 2)


def response(request: Command, status: int, comment: str = "") -> bytes:
    """The answer to a request, without a data set; UIDs are echoed as they came, where they are UIDs."""
    sop_class = request.uid(AFFECTED_CLASS) or request.uid(REQUESTED_CLASS)
    sop_instance = request.uid(AFFECTED_INSTANCE) or request.uid(REQUESTED_INSTANCE)
    before, behind = _around(request.field, sop_class, status, comment)
    body = before + _element(RESPONDED_TO, request.message_id) + behind
    if PLAIN_UID.fullmatch(sop_instance):
        body += _element(AFFECTED_INSTANCE, _even(sop_instance))
    if request.field == N_ACTION_RQ and status == 0 and (action := request.number(ACTION_TYPE)) is not None:
        body += _element(ACTION_TYPE, action)
    return _element(0x0000, len(body).to_bytes(4, "little")) + body


@lru_cache(maxsize=256)
def _around(field: int, sop_class: bytes, status: int, comment: str) -> tuple[bytes, bytes]:
    """What an answer has before and behind the message id: the same for a whole series."""
    before = _element(AFFECTED_CLASS, _even(sop_class)) if PLAIN_UID.fullmatch(sop_class) else b""
    behind = _element(DATA_SET_TYPE, NO_DATA_SET) + _element(STATUS, status)
    if comment:
        behind += _element(COMMENT, _even(comment.encode("ascii", "replace"), b" "))
    return before + _element(FIELD, field | RESPONSE), behind


def event_report(message_id: int, sop_class: str, sop_instance: str, event_type: int) -> bytes:
    """N-EVENT-REPORT-RQ with a data set (PS3.7 10.3.1.1)."""
    return encode(
        (AFFECTED_CLASS, _even(sop_class.encode("ascii"))),
        (FIELD, N_EVENT_REPORT_RQ),
        (MESSAGE_ID, message_id),
        (DATA_SET_TYPE, HAS_DATA_SET),
        (AFFECTED_INSTANCE, _even(sop_instance.encode("ascii"))),
        (EVENT_TYPE, event_type),
    )
