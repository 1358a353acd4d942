"""The statuses a C-STORE is answered with (PS3.4 B.2.3, PS3.7 C); never a warning for a loss.

0124 is none of them: who may not store is turned away before it sends a byte (docs/decisions/0024).
"""

from __future__ import annotations

from dataclasses import dataclass

COMMENT_LENGTH = 64
"""(0000,0902) Error Comment is an LO."""


@dataclass(frozen=True)
class Status:
    """`code`: (0000,0900). `comment`: (0000,0902), for the person at the sender."""

    code: int
    comment: str = ""

    @property
    def stored(self) -> bool:
        """The sender may forget the instance."""
        return self.code == 0x0000

    @property
    def short_comment(self) -> str:
        """As much as an LO holds; a backslash would make two values of it."""
        return self.comment.replace("\\", "/")[:COMMENT_LENGTH]


SUCCESS = Status(0x0000)
UNRECOGNIZED_OPERATION = 0x0211
"""Of a request for a service that the edge does not offer (PS3.7 C.5.27)."""


def out_of_resources(comment: str) -> Status:
    """A700: try again later."""
    return Status(0xA700, comment)


def does_not_match(comment: str) -> Status:
    """A900: the data set is not what the command said."""
    return Status(0xA900, comment)


def cannot_understand(comment: str) -> Status:
    """C000: cannot be parsed, or lacks a UID."""
    return Status(0xC000, comment)


def processing_failure(comment: str) -> Status:
    """0110: our fault."""
    return Status(0x0110, comment)


def class_not_supported(comment: str) -> Status:
    """0122: a SOP class that the presentation context was not agreed on for (PS3.7 9.1.1.1.9)."""
    return Status(0x0122, comment)
