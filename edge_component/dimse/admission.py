"""Who may talk: allow lists and limits, and with which words the others are turned away."""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass

from edge_component.settings import Settings

CONNECTIONS_PER_ASSOCIATION = 4
"""Connections that have not yet asked for an association are cheap, but not free."""


@dataclass(frozen=True)
class Rejection:
    """An A-ASSOCIATE-RJ (PS3.8 Table 9-21) and the reason for our log."""

    result: int
    source: int
    diagnostic: int
    reason: str


NETWORK = Rejection(1, 1, 1, "network not allowed")
CALLING = Rejection(1, 1, 3, "calling AE title not allowed")
CALLED = Rejection(1, 1, 7, "called AE title not allowed")
TOO_MANY = Rejection(2, 3, 2, "too many associations")
TOO_MANY_OF_PEER = Rejection(2, 3, 2, "too many associations of this peer")
CONGESTED = Rejection(2, 3, 1, "spool above its watermark")
DRAINING = Rejection(2, 3, 1, "shutting down")


@dataclass(frozen=True)
class Applicant:
    """Who asks for an association."""

    peer: str
    calling_ae: str
    called_ae: str


def rejection(settings: Settings, applicant: Applicant, established: Counter[str]) -> Rejection | None:
    """Why this association is refused; None: it is welcome. `established`: open associations per peer."""
    if settings.networks and not _within(applicant.peer, settings.networks):
        return NETWORK
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
    """Beyond it a connection is closed unread."""
    return settings.max_associations * CONNECTIONS_PER_ASSOCIATION


def _within(peer: str, networks: list[str]) -> bool:
    address = ipaddress.ip_address(peer.split("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(block) for block in networks)
