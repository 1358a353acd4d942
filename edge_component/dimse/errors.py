"""A peer that does not keep to the protocol."""

from __future__ import annotations

SERVICE_USER, SERVICE_PROVIDER = 0, 2
"""Source of an A-ABORT (PS3.8 Table 9-26)."""
NOT_SPECIFIED, UNRECOGNIZED_PDU, UNEXPECTED_PDU = 0, 1, 2
UNRECOGNIZED_PARAMETER, UNEXPECTED_PARAMETER, INVALID_PARAMETER = 4, 5, 6
"""Its reason, where the provider is the source."""


class RemoteError(Exception):
    """The peer broke the protocol; `source` and `reason` are those of the A-ABORT that answers it."""

    def __init__(self, message: str, reason: int = INVALID_PARAMETER, source: int = SERVICE_PROVIDER) -> None:
        super().__init__(message)
        self.reason = reason
        self.source = source


class RejectError(Exception):
    """A request for an association that is answered by an A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""

    def __init__(self, message: str, result: int, source: int, diagnostic: int) -> None:
        super().__init__(message)
        self.result = result
        self.source = source
        self.diagnostic = diagnostic


def message_error(message: str) -> RemoteError:
    """A DIMSE message that is none: the abort is the service user's (PS3.7 8.1)."""
    return RemoteError(message, NOT_SPECIFIED, SERVICE_USER)
