"""How slots and starts are shared between live senders and migrations."""

from __future__ import annotations

SHARE = 5
"""`live` series have one slot of this many at least, and a migration too: its imports are never stopped."""
FOR_BULK = 1 - 1 / SHARE
"""Of the starts, a migration uses this part."""


def kept_for_live(capacity: int, needed: int = 0) -> int:
    """Slots that `bulk` series never hold. `needed`: so many did live series need about this time of day."""
    share = capacity // SHARE
    return max(share, min(needed, capacity - max(share, 1)))
