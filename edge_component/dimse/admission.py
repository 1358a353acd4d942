"""Who may talk: allow lists and limits, and how the others are rejected."""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # readers do without the model, which takes memory
    from edge_component.settings import Settings

CONNECTIONS_PER_ASSOCIATION = 4
"""Connections that have not yet asked for an association are cheap, but not free."""
PEER_CONNECTIONS_PER_ASSOCIATION = 2


@dataclass(frozen=True)
class Rejection:
    """An A-ASSOCIATE-RJ (PS3.8 Table 9-21) and the reason for the log."""

    result: int
    source: int
    diagnostic: int
    reason: str


CALLING = Rejection(1, 1, 3, "calling AE title not allowed")
CALLED = Rejection(1, 1, 7, "called AE title not allowed")
TOO_MANY = Rejection(2, 3, 2, "too many associations")
TOO_MANY_OF_PEER = Rejection(2, 3, 2, "too many associations of this peer")
CONGESTED = Rejection(2, 3, 1, "spool above its watermark")
CONGESTED_BULK = Rejection(2, 3, 1, "spool has room for live senders only")
DRAINING = Rejection(2, 3, 1, "shutting down")


@dataclass(frozen=True)
class Applicant:
    """The requestor of an association."""

    peer: str
    calling_ae: str
    called_ae: str


def rejection(settings: Settings, applicant: Applicant, established: Counter[str]) -> Rejection | None:
    """Why this association is refused; None: it is welcome. `established`: open associations per peer."""
    if settings.calling_aes and applicant.calling_ae not in settings.calling_aes:
        return CALLING
    if settings.called_aes and applicant.called_ae not in settings.called_aes:
        return CALLED
    if established.total() >= settings.max_associations:
        return TOO_MANY
    if established[applicant.peer] >= settings.max_associations_per_peer:
        return TOO_MANY_OF_PEER
    return None


def max_connections(settings: Settings) -> int:
    """Connections at once, associations included."""
    return settings.max_associations * CONNECTIONS_PER_ASSOCIATION


def max_connections_of_peer(settings: Settings) -> int:
    """Of one address."""
    return settings.max_associations_per_peer * PEER_CONNECTIONS_PER_ASSOCIATION


def may_connect(peer: str, networks: list[str]) -> bool:
    """Whether an address is within the networks that are allowed; none: every address is."""
    if not networks:
        return True
    address = ipaddress.ip_address(peer.split("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(block) for block in networks)


def printable_ae(raw: bytes) -> str:
    """The title as it can be journalled: bytes outside printable ASCII, and the backslash, as ``\\xNN``."""
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\x{byte:02X}" for byte in raw)
    return text.strip() or "UNKNOWN"
