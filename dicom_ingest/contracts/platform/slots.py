"""How slots are shared between live senders and migrations."""

from __future__ import annotations

LIVE_SHARE = 5
"""One slot of this many is kept for `live` series: a migration's imports are long, and are never stopped."""


def kept_for_live(capacity: int) -> int:
    """Slots that no `bulk` series is granted."""
    return capacity // LIVE_SHARE
