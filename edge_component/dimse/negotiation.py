"""Which transfer syntax is accepted: the sender's first that keeps its objects as they are."""

from __future__ import annotations

from collections.abc import Sequence

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"


def preferred_transfer_syntax(proposed: Sequence[str]) -> str | None:
    """The requestor's first that is not Implicit VR Little Endian, else that one; None where it names none.

    Implicit VR makes senders convert (private VRs become UN) or decompress; a sender's own order is its
    preference (PS3.8 9.3.2.2 leaves the choice to the acceptor).
    """
    explicit = [uid for uid in proposed if uid != IMPLICIT_VR_LITTLE_ENDIAN]
    return next(iter(explicit or proposed), None)
