"""The service's errors, as values to raise: `raise errors.validation("...")`.

ServiceError is what a caller receives; its code is an exception name of the service model.
"""

from __future__ import annotations


class ServiceError(Exception):
    """An error the service answers with: `code` is one of the model's exception names."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def bad_request(message: str) -> ServiceError:
    """400, GetImageFrame only."""
    return ServiceError("BadRequestException", message)


def validation(message: str) -> ServiceError:
    """400: the request breaks the service model or a documented rule."""
    return ServiceError("ValidationException", message)


def quota_exceeded(message: str) -> ServiceError:
    """402: a quota of the account or data store is used up; no SDK retries it."""
    return ServiceError("ServiceQuotaExceededException", message)


def access_denied(message: str) -> ServiceError:
    """403."""
    return ServiceError("AccessDeniedException", message)


def not_found(message: str) -> ServiceError:
    """404: no such data store, job, image set, version or frame."""
    return ServiceError("ResourceNotFoundException", message)


def conflict(message: str) -> ServiceError:
    """409: the resource's state forbids the operation."""
    return ServiceError("ConflictException", message)


def throttled(operation: str) -> ServiceError:
    """429: the operation's token bucket is empty."""
    return ServiceError("ThrottlingException", f"Rate exceeded for operation {operation}.")
