"""How many connections a process may hold: each is a file descriptor."""

from __future__ import annotations

from contextlib import suppress

WANTED = 65_536
RESERVED = 256
"""For segments, the journal, channels and whatever else a process has open."""
UNLIMITED = 2**31


def descriptors() -> int:
    """For connections. Raises the limit of this process and its children as far as it may be raised."""
    try:
        import resource
    except ImportError:  # Windows
        return UNLIMITED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft != resource.RLIM_INFINITY and soft < highest:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
            soft = highest
    return UNLIMITED if soft == resource.RLIM_INFINITY else max(1, soft - RESERVED)
