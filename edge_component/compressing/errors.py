"""Why an instance is not compressed. Neither is a failure: it is sent as it was received."""

from __future__ import annotations


class NotCompressibleError(ValueError):
    """It cannot be encoded exactly, or would not be smaller; the message says why."""


class DiffersError(ValueError):
    """The compressed instance is not the received one; the message says where."""
