"""The PDUs of the upper layer, from bytes and to bytes (PS3.8 9.3).

What a sender says beside the point never costs an association: names of any bytes, sub-items of any kind,
items in any order. What an association cannot be made of is a `RemoteError`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from edge_component.dimse.errors import RejectError, RemoteError
from edge_component.dimse.events import AssociationRequested, ProposedContext, RoleSelection
from edge_component.dimse.states import A_ABORT, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_RELEASE_RP, P_DATA_TF

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
PDV_HEAD = 6
COMMAND, LAST = 1, 2
"""Bits of a presentation data value's control header (PS3.8 E.2)."""
MOST_CONTEXTS, MOST_ITEMS = 128, 16_384
LONGEST_UID = 64
PLAIN_UID = re.compile(r"[0-9.]{1,64}")
ACCEPTED, NO_REASON, ABSTRACT_NOT_SUPPORTED, TRANSFER_NOT_SUPPORTED = 0, 2, 3, 4
"""Result of a presentation context (PS3.8 Table 9-18)."""
_FIXED = struct.Struct(">HH16s16s32s")
_ITEM = struct.Struct(">BxH")
_HEAD = struct.Struct(">BxL")
_PDV = struct.Struct(">LBB")
_CONTEXT, _ABSTRACT, _TRANSFER, _USER = 0x20, 0x30, 0x40, 0x50
_MAX_LENGTH, _CLASS_UID, _ROLE, _VERSION_NAME = 0x51, 0x52, 0x54, 0x55
_KNOWN_SUB_ITEMS = frozenset((0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58))


@dataclass(frozen=True)
class Identity:
    """What the edge says of itself."""

    implementation_class_uid: str
    implementation_version_name: str


@dataclass(frozen=True)
class AnsweredContext:
    """A presentation context in an A-ASSOCIATE-AC. `transfer_syntax`: of no meaning unless accepted."""

    number: int
    result: int
    transfer_syntax: str


def decode_request(body: memoryview) -> AssociationRequested:
    """A-ASSOCIATE-RQ (PS3.8 9.3.2).

    Raises:
        RemoteError: an association cannot be made of it.
        RejectError: a protocol version or an application context that is not DICOM's.
    """
    if len(body) < _FIXED.size:
        raise RemoteError(f"an association request of {len(body)} bytes")
    version, _, called, calling, _ = _FIXED.unpack_from(body)
    request = _Request()
    for kind, item in _items(body[_FIXED.size :], request):
        request.item(kind, item)
    if not version & 1:
        raise RejectError(f"protocol version {version:#x}", 1, 2, 2)
    if version != 1:
        request.findings.append(f"protocol version {version:#x}")
    if request.application_context != APPLICATION_CONTEXT:
        raise RejectError("application context name not supported", 1, 1, 2)
    if not request.contexts:
        raise RemoteError("an association request without a presentation context")
    return AssociationRequested(
        called,
        calling,
        tuple(request.contexts.values()),
        request.max_pdu,
        request.implementation_class_uid,
        tuple(request.roles),
        tuple(request.findings),
    )


class _Request:
    """What is found in a request, item by item."""

    def __init__(self) -> None:
        self.application_context = ""
        self.contexts: dict[int, ProposedContext] = {}
        self.max_pdu = 0
        self.implementation_class_uid = ""
        self.roles: list[RoleSelection] = []
        self.findings: list[str] = []
        self.items = 0

    def item(self, kind: int, body: memoryview) -> None:
        """One of the variable items."""
        if kind == 0x10:
            self.application_context = _text(body)
        elif kind == _CONTEXT:
            self._context(body)
        elif kind == _USER:
            for sub_kind, sub_item in _items(body, self):
                self._user(sub_kind, sub_item)
        else:
            self._found(f"unknown item 0x{kind:02X}")

    def _context(self, body: memoryview) -> None:
        if len(body) < 4:
            raise RemoteError("a presentation context without its head")
        number, abstract, transfers = body[0], list[str](), list[str]()
        for kind, item in _items(body[4:], self):
            if kind == _ABSTRACT:
                abstract.append(_text(item))
            elif kind == _TRANSFER:
                transfers.append(_text(item))
            else:
                self._found(f"unknown item 0x{kind:02X} in a presentation context")
        if number % 2 == 0 or number in self.contexts:
            raise RemoteError(f"presentation context id {number} is even or given twice")
        if len(abstract) != 1 or not 0 < len(abstract[0]) <= LONGEST_UID:
            raise RemoteError(f"presentation context {number} without one abstract syntax")
        if not any(transfers):
            raise RemoteError(f"presentation context {number} without a transfer syntax")
        if len(self.contexts) >= MOST_CONTEXTS:
            raise RemoteError(f"more than {MOST_CONTEXTS} presentation contexts")
        fitting = tuple(uid for uid in transfers if PLAIN_UID.fullmatch(uid))
        self.contexts[number] = ProposedContext(number, abstract[0], fitting)

    def _user(self, kind: int, body: memoryview) -> None:
        if kind == _MAX_LENGTH and len(body) == 4:
            self.max_pdu = int.from_bytes(body, "big")
        elif kind == _CLASS_UID:
            self.implementation_class_uid = _text(body)
            if len(self.implementation_class_uid) > LONGEST_UID:
                self._found(f"implementation class UID of {len(self.implementation_class_uid)} characters")
        elif kind == _VERSION_NAME:
            if len(body) > 16 or not bytes(body).isascii() or 0 in body:
                self._found("implementation version name that is none")
        elif kind == _ROLE:
            self._role(body)
        elif kind not in _KNOWN_SUB_ITEMS:
            self._found(f"unknown sub-item 0x{kind:02X}")

    def _role(self, body: memoryview) -> None:
        length = int.from_bytes(body[:2], "big")
        if len(body) != length + 4 or not 0 < length <= LONGEST_UID:
            self._found("role selection that is none")
            return
        if not PLAIN_UID.fullmatch(_text(body[2:-2])):
            self._found("role selection for what is no UID")
            return
        role = RoleSelection(_text(body[2:-2]), scu=bool(body[-2]), scp=bool(body[-1]))
        if role.scu or role.scp:
            self.roles.append(role)
        else:
            self._found("role selection without a role")

    def _found(self, finding: str) -> None:
        if len(self.findings) < 10 and finding not in self.findings:
            self.findings.append(finding)


def _items(body: memoryview, request: _Request) -> Iterator[tuple[int, memoryview]]:
    at = 0
    while at < len(body):
        if len(body) - at < _ITEM.size:
            raise RemoteError("an item without its head")
        kind, length = _ITEM.unpack_from(body, at)
        at += _ITEM.size
        if length > len(body) - at:
            raise RemoteError(f"an item 0x{kind:02X} of {length} bytes that is longer than what holds it")
        request.items += 1
        if request.items > MOST_ITEMS:
            raise RemoteError(f"more than {MOST_ITEMS} items")
        yield kind, body[at : at + length]
        at += length


def _text(value: memoryview) -> str:
    """A UID or name without its padding; bytes that are not ASCII stay visible."""
    return bytes(value).rstrip(b"\0 ").decode("ascii", "backslashreplace")


def accept(
    request: AssociationRequested,
    contexts: Iterable[AnsweredContext],
    roles: Iterable[RoleSelection],
    max_pdu: int,
    identity: Identity,
) -> bytes:
    """A-ASSOCIATE-AC (PS3.8 9.3.3)."""
    body = _FIXED.pack(1, 0, request.called, request.calling, bytes(32))
    body += _item(0x10, APPLICATION_CONTEXT.encode())
    for context in contexts:
        inner = bytes((context.number, 0, context.result, 0))
        body += _item(0x21, inner + _item(_TRANSFER, context.transfer_syntax.encode()))
    user = _item(_MAX_LENGTH, max_pdu.to_bytes(4, "big"))
    user += _item(_CLASS_UID, identity.implementation_class_uid.encode())
    for role in roles:
        uid = role.sop_class_uid.encode("ascii", "replace")
        user += _item(_ROLE, len(uid).to_bytes(2, "big") + uid + bytes((role.scu, role.scp)))
    user += _item(_VERSION_NAME, identity.implementation_version_name.encode())
    return _pdu(A_ASSOCIATE_AC, body + _item(_USER, user))


def reject(result: int, source: int, diagnostic: int) -> bytes:
    """A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    return _pdu(A_ASSOCIATE_RJ, bytes((0, result, source, diagnostic)))


def release() -> bytes:
    """A-RELEASE-RP (PS3.8 9.3.7)."""
    return _pdu(A_RELEASE_RP, bytes(4))


def abort(source: int, reason: int) -> bytes:
    """A-ABORT (PS3.8 9.3.8)."""
    return _pdu(A_ABORT, bytes((0, 0, source, reason)))


def command(context: int, encoded: bytes) -> bytes:
    """A command set in one P-DATA-TF PDU: the edge's are shorter than any PDU may have to be."""
    pdv = _PDV.pack(len(encoded) + 2, context, COMMAND | LAST) + encoded
    return _HEAD.pack(P_DATA_TF, len(pdv)) + pdv


def data_set(context: int, encoded: bytes, max_pdu: int) -> Sequence[bytes]:
    """A data set in as many P-DATA-TF PDUs as the peer's maximum wants."""
    size = max(1, (max_pdu or 16_384) - PDV_HEAD)
    pieces = [encoded[at : at + size] for at in range(0, len(encoded), size)] or [b""]
    return [
        _HEAD.pack(P_DATA_TF, len(piece) + PDV_HEAD)
        + _PDV.pack(len(piece) + 2, context, LAST if number == len(pieces) else 0)
        + piece
        for number, piece in enumerate(pieces, start=1)
    ]


def pdv_head(body: memoryview, at: int) -> tuple[int, int, int]:
    """End, presentation context and control header of the presentation data value that begins there.

    Raises:
        RemoteError: it does not fit its PDU.
    """
    if len(body) - at < PDV_HEAD:
        raise RemoteError("a presentation data value without its head")
    length, context, control = _PDV.unpack_from(body, at)
    end = at + 4 + length
    if length < 2 or end > len(body):
        raise RemoteError(f"a presentation data value of {length} bytes")
    return end, context, control


def _pdu(kind: int, body: bytes) -> bytes:
    return _HEAD.pack(kind, len(body)) + body


def _item(kind: int, body: bytes) -> bytes:
    return _ITEM.pack(kind, len(body)) + body
