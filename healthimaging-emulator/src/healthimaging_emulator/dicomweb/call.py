"""One HTTP request, and the answers that are no operation's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import Headers

from ..service.wire import HttpAnswer

DICOM_JSON = "application/dicom+json"


@dataclass(frozen=True)
class Call:
    """A request below `/datastore/{id}`."""

    method: str
    url: str
    """Of the data store, without a slash at the end: what RetrieveURL and BulkDataURI begin with."""
    path: str
    """Behind the data store's, decoded."""
    query: list[tuple[str, str]]
    headers: Headers
    body: bytes
    datastore_id: str

    def instance_url(self, study: str, series: str, sop: str) -> str:
        """Its RetrieveURL."""
        return f"{self.url}/studies/{study}/series/{series}/instances/{sop}"

    def parameter(self, name: str) -> str | None:
        """The last value of a query parameter."""
        return next((value for key, value in reversed(self.query) if key == name), None)


class NotAcceptable(Exception):  # noqa: N818 - an answer: 406, which the service model does not have
    """No representation that the Accept header allows."""


def dicom_json(content: Any, status: int = 200) -> HttpAnswer:
    """An answer in the DICOM JSON model (PS3.18 F)."""
    return HttpAnswer(status, {"Content-Type": DICOM_JSON}, json.dumps(content).encode())


def not_acceptable(error: NotAcceptable) -> HttpAnswer:
    """The answer to a request for another representation."""
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": "NotAcceptableException"}
    return HttpAnswer(406, headers, json.dumps({"message": str(error)}).encode())
