"""What the journal refuses to be asked of an instance."""

from __future__ import annotations


class StateError(RuntimeError):
    """An instance is not in the state that its only owner left it in."""
