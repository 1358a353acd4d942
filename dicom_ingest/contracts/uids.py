"""UIDs: checked before they become a path, a key or a row (PS3.5 §9.1). Standard library only."""

from __future__ import annotations

import re

SAFE_UID = re.compile(r"[0-9][0-9.]{0,63}")
"""What we store. PS3.5 §9.1 forbids more, see :func:`uid_findings`; refusing that would block a modality."""


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
