"""What an answer of S3 means. This table is the only place that decides; what follows from it is elsewhere.

| meaning        | S3 said                                  | what follows                                  |
|----------------|------------------------------------------|-----------------------------------------------|
| `Stored`       | success, with our checksum of all bytes  | the instance is in S3                         |
| `Exists`       | 412: an object has this key              | ours, if an attempt before may have stored it |
| `Foreign`      | the object there has another checksum    | the series goes under a new transfer id       |
| `ObjectFault`  | one of `OBJECT_CODES`; a damaged file    | announced as missing after `series_patience`  |
| `CopyLost`     | nothing: the compressed copy is damaged   | it is made again from what was received       |
| `Held`         | nothing: the line is paused               | it goes when the pause has ended              |
| `ServiceFault` | anything else, or nothing                | tried again for ever                          |

A role, a key, a bucket, a quota, a proxy: people fix those, and no instance is at fault meanwhile. S3 answers
errors of AWS KMS with 400 (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html), so a status
proves nothing: only the code does.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace

from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

from edge_component.line.line import PausedError

OBJECT_CODES = frozenset(("EntityTooLarge", "KeyTooLong", "KeyTooLongError"))
"""Another attempt with the same bytes and key cannot succeed, whatever people change."""
DAMAGED_ERRNOS = frozenset((errno.ENOENT, errno.EIO, errno.EISDIR))
"""What the disk says of a file that is gone or damaged. The rest (EMFILE, ENOMEM) is the edge's trouble."""
PRECONDITION_FAILED = 412


class UnreadableError(RuntimeError):
    """The file in the spool is gone or is not what was received."""


class LocalError(RuntimeError):
    """The edge cannot read its own disk at present: no descriptors, no memory."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"the spool cannot be read: {error.strerror}")
        self.code = errno.errorcode.get(error.errno or 0, "OSError")


@dataclass(frozen=True)
class Stored:
    """S3 has all our bytes: their checksum was compared."""


@dataclass(frozen=True)
class Exists:
    """An object has this key, with bytes that are not known yet."""


@dataclass(frozen=True)
class Foreign:
    """The object at this key is not ours, and cannot be overwritten."""

    words: str


@dataclass(frozen=True)
class ObjectFault:
    """This very object cannot be sent."""

    reason: str
    damaged: bool = False
    """Its file is gone or altered; S3 has refused nothing."""


@dataclass(frozen=True)
class CopyLost:
    """The compressed copy is gone or altered: it is made again from what was received."""

    reason: str


@dataclass(frozen=True)
class ServiceFault:
    """The service, the way to it, or the edge itself. `unsure`: S3 may have stored the object."""

    code: str
    words: str
    unsure: bool = False


@dataclass(frozen=True)
class Held:
    """The line was paused in the middle of it. Nothing has failed."""


Outcome = Stored | Foreign | ObjectFault | CopyLost | Held | ServiceFault
"""How an attempt ended."""


NEVER_SENT = (
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    LocalError,
)
"""S3 has not heard of such an attempt."""


def meaning(error: Exception) -> Exists | Held | ObjectFault | ServiceFault:
    """What an attempt that raised this has come to."""
    if isinstance(error, ClientError) and status_of(error) == PRECONDITION_FAILED:
        return Exists()
    inner = error.kwargs.get("error") if isinstance(error, HTTPClientError) else None
    if isinstance(error, PausedError) or isinstance(inner, PausedError):  # botocore wraps what stops a body
        return Held()
    return fault(error)


def fault(error: Exception) -> ObjectFault | ServiceFault:
    """The object's, or the service's."""
    if isinstance(error, UnreadableError):
        return ObjectFault(str(error), damaged=True)
    if not isinstance(error, ClientError):
        return ServiceFault(code(error), words(error), unsure=not isinstance(error, NEVER_SENT))
    if code(error) in OBJECT_CODES:
        return ObjectFault(f"refused by S3: {code(error)}")
    # A number for a code: no XML, so perhaps not S3's. What it passed on before it answered is not known.
    definite = 300 <= status_of(error) < 500 and not code(error).isdigit()
    return ServiceFault(code(error), words(error), unsure=not definite)


def in_part(what: Exists | Outcome, *, ending: bool) -> Exists | Outcome:
    """Of a multipart upload: nothing is stored before its end was asked for."""
    return replace(what, unsure=what.unsure and ending) if isinstance(what, ServiceFault) else what


def compared(found: str | None, ours: str) -> Stored | Foreign | ServiceFault:
    """What a success with this checksum is worth, next to the checksum of all our bytes."""
    if not found:
        return ServiceFault("NoChecksum", "S3 answered success without a checksum", unsure=True)
    return Stored() if same(found, ours) else Foreign(f"S3 answered with another checksum: {found}")


def same(found: str | None, ours: str) -> bool:
    """Whether these are one checksum: a composite may be said without the number of its parts."""
    return found is not None and found in (ours, ours.partition("-")[0])


def unreadable(error: OSError) -> UnreadableError | LocalError:
    """The disk, not the network: the file's fault where it is damaged, else the edge's own."""
    if error.errno in DAMAGED_ERRNOS:
        return UnreadableError(f"spool file cannot be read: {error.strerror}")
    return LocalError(error)


def status_of(error: ClientError) -> int:
    """The HTTP status."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code(error: BaseException) -> str:
    """A word for the log."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "ClientError"))
    return error.code if isinstance(error, LocalError) else type(error).__name__


def words(error: BaseException) -> str:
    """The cloud's own words, or those of the library that could not reach it."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Message") or code(error))
    return str(error) or code(error)


def because(outcome: ServiceFault | ObjectFault | CopyLost | Foreign) -> str:
    """Why it is not in S3, for people."""
    match outcome:
        case ServiceFault(code, words):
            return words if words.startswith(code) else f"{code}: {words}"
        case ObjectFault(reason) | CopyLost(reason):
            return reason
        case Foreign(words):
            return words
