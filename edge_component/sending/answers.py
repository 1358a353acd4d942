"""What can go wrong in sending, as the uploader needs to know it."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

RETRYABLE_STATUS = frozenset((403, 404, 408, 409, 425, 429))
"""403 and 404 speak of the role, the key or the bucket: a person mends those, the object is not at fault."""

ObjectError = (BotoCoreError, ClientError, OSError)


class RefusedError(RuntimeError):
    """S3 refuses this very object (too large, malformed): another attempt is not likely to help."""


class UnreadableError(RuntimeError):
    """The file in the spool is gone or is not what was received."""


def refuses_the_object(error: BaseException) -> bool:
    """Whether the answer blames the object rather than the service, the network or the credentials."""
    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return 400 <= status < 500 and status not in RETRYABLE_STATUS and not _credentials(error)


def exists_already(error: ClientError) -> bool:
    """412: the object is there, and below this transfer's prefix only we write."""
    return bool(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 412)


def code(error: BaseException) -> str:
    """A word for the log."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "ClientError"))
    return type(error).__name__


def _credentials(error: ClientError) -> bool:
    return code(error) in {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidToken",
        "RequestTimeout",
        "RequestTimeTooSkewed",
        "SlowDown",
    }
