"""Whatever goes wrong, in words for the person who asks: what does not answer, and what to do."""

from __future__ import annotations

import traceback

from botocore.exceptions import BotoCoreError, ClientError
from werkzeug.exceptions import (
    BadGateway,
    BadRequest,
    Conflict,
    HTTPException,
    InternalServerError,
    ServiceUnavailable,
)
from werkzeug.wrappers import Request

from dicom_ingest.errors import IndexRefusedError, RetryableError
from dicom_ingest.operators.reprocess import UNUSABLE

AGAIN = "Look again in a moment."
DOUBTFUL = "The change may or may not have been made: look before you repeat it."


def told(error: Exception, request: Request) -> HTTPException:
    """The answer to a request that met this error. A fault of the console is in its terminal, too."""
    after = AGAIN if request.method in ("GET", "HEAD") else DOUBTFUL
    if isinstance(error, HTTPException):
        return error
    if isinstance(error, RetryableError):
        return ServiceUnavailable(f"The index does not answer: {error}. {after}")
    if isinstance(error, BotoCoreError | ClientError):
        return BadGateway(f"AWS does not answer: {error}. {after}")
    if isinstance(error, UNUSABLE):
        return Conflict(f"The series cannot be processed again: {error}")
    if isinstance(error, IndexRefusedError):
        return BadRequest(f"The index does not take a value: {error.server_words or error}")
    traceback.print_exception(error)
    name = type(error).__name__
    return InternalServerError(
        f"This page failed ({name}). The terminal in which the console runs has the details."
    )
