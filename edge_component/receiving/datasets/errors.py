"""What stops a walk over a data set: for good, or until more bytes are there."""

from __future__ import annotations


class DataSetError(ValueError):
    """No data set as was agreed on; the message says why, and quotes no value."""


class MoreError(Exception):
    """So many bytes are needed from where an element begins: it goes on in the next piece."""

    def __init__(self, at: int, need: int) -> None:
        self.at = at
        self.need = need
