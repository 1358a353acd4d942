"""What an operator did wrong, in one line: what, where, and what is allowed."""

from __future__ import annotations


class OperatorError(ValueError):
    """A choice that cannot be followed; nothing was changed."""


class FunctionFailedError(RuntimeError):
    """A function raised, timed out or crashed; the message has its error."""
