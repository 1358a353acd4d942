"""Identifiers that become paths, keys and rows: checked once, here."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

SAFE_UID = re.compile(r"[0-9][0-9.]{0,63}")
"""What we store. PS3.5 §9.1 forbids more, see :func:`uid_findings`; refusing that would block a modality."""

EDGE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,126}[A-Za-z0-9]")
"""``{stack}-{edge}``: an IoT thing name, an S3 key segment and a metric dimension at once."""

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class UnsafeIdentifierError(ValueError):
    """An identifier that must not become a path or a key."""


def safe_uid(raw: str) -> str:
    """The UID without its padding (trailing NUL and blanks, PS3.5 §9.1).

    Raises:
        UnsafeIdentifierError: anything but digits and dots, starting with a digit, at most 64 characters.
    """
    uid = raw.rstrip("\0 ")
    if not SAFE_UID.fullmatch(uid):
        shown = uid if len(uid) <= 80 else f"{uid[:80]}… ({len(uid)} characters)"
        raise UnsafeIdentifierError(
            f"{shown!r} is not a UID: 1 to 64 digits and dots, beginning with a digit, are allowed"
        )
    return uid


def uid_findings(uid: str) -> list[str]:
    """What PS3.5 §9.1 forbids in a UID that we nevertheless store: reported, never refused."""
    findings = []
    components = uid.split(".")
    if "" in components:
        findings.append("empty component")
    if any(len(component) > 1 and component.startswith("0") for component in components):
        findings.append("leading zero")
    return findings


def _uid(value: str) -> str:
    return safe_uid(value)


def _edge(value: str) -> str:
    if not EDGE_NAME.fullmatch(value):
        raise UnsafeIdentifierError(
            f"{value!r} is not an edge name: letters, digits and hyphens after a letter are allowed"
        )
    return value


def _transfer(value: str) -> str:
    if not UUID4.fullmatch(value):
        raise UnsafeIdentifierError(f"{value!r} is not a transfer id: a lower-case UUID4 is allowed")
    return value


Uid = Annotated[str, AfterValidator(_uid)]
EdgeName = Annotated[str, AfterValidator(_edge)]
TransferId = Annotated[str, AfterValidator(_transfer)]
# The edge writes bytes outside ASCII as \xNN, hence more than the 16 characters of PS3.5 §6.2.
AETitle = Annotated[str, StringConstraints(max_length=64)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
