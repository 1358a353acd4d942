# ruff: noqa: N803 - the names are those of the AWS API
"""Stand-ins for the edge's tests: a clock, a pool that runs at once, S3 and a bus that fail on command."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from edge_component.settings import Settings


class Clock:
    """Stands still until told to move: time passes by adding to `now`, `set_by` only sets the wall clock."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now
        self._set_by = 0.0

    def __call__(self) -> float:
        return self.now

    def monotonic(self) -> float:
        """What nobody sets."""
        return self.now - self._set_by

    def set_by(self, seconds: float) -> None:
        """NTP, or a person."""
        self.now += seconds
        self._set_by += seconds


class ImmediatePool(Executor):
    """Runs what is submitted at once, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Done when it returns."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class HeldPool(Executor):
    """Runs what is submitted when it is told to."""

    def __init__(self) -> None:
        self.held: list[Callable[[], Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Later."""
        self.held.append(lambda: fn(*args, **kwargs))
        return Future()

    def run(self, count: int) -> None:
        """The first so many."""
        for work in self.held[:count]:
            work()
        del self.held[:count]


def client_error(operation: str, code: str, status: int) -> ClientError:
    """As botocore raises it."""
    answer: Any = {
        "Error": {"Code": code, "Message": code},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, operation)


def unreachable() -> EndpointConnectionError:
    """No network."""
    return EndpointConnectionError(endpoint_url="https://s3.invalid")


def lost() -> ReadTimeoutError:
    """The request arrived; its answer did not."""
    return ReadTimeoutError(endpoint_url="https://s3.invalid")


Fault = Callable[[str, str], BaseException | None]
"""Operation and key to the error that is raised before it; None: it works."""


def no_fault(_operation: str, _key: str) -> BaseException | None:
    """Everything works."""
    return None


def sha256(data: bytes) -> str:
    """As S3 writes checksums."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


@dataclass
class StandInS3:
    """As much of S3 as an edge may call, with its checks: checksums and If-None-Match."""

    objects: dict[str, bytes] = field(default_factory=dict)
    before: Fault = no_fault
    after: Fault = no_fault
    calls: list[tuple[str, str]] = field(default_factory=list)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    answer_checksum: Callable[[bytes], str | None] = sha256
    answer_composite: Callable[[str], str | None] = str
    readable: bool = False
    """An edge's role may write only."""
    composites: dict[str, str] = field(default_factory=dict)

    def _begin(self, operation: str, key: str) -> None:
        self.calls.append((operation, key))
        if error := self.before(operation, key):
            raise error

    def _end(self, operation: str, key: str) -> None:
        if error := self.after(operation, key):
            raise error

    def _take(self, operation: str, key: str, body: bytes) -> None:
        if key in self.objects:
            raise client_error(operation, "PreconditionFailed", 412)
        self.objects[key] = body

    def put_object(self, *, Key: str, Body: Any, ChecksumSHA256: str, IfNoneMatch: str, **_: Any) -> Any:
        """One PUT."""
        assert IfNoneMatch == "*"
        self._begin("PutObject", Key)
        body = Body if isinstance(Body, bytes) else Body.read()
        if sha256(body) != ChecksumSHA256:
            raise client_error("PutObject", "BadDigest", 400)
        self._take("PutObject", Key, body)
        self._end("PutObject", Key)
        return {"ETag": "e", "ChecksumSHA256": self.answer_checksum(body)}

    def head_object(self, *, Key: str, ChecksumMode: str, **_: Any) -> Any:
        """What lies there, where the edge's role may read."""
        assert ChecksumMode == "ENABLED"
        self._begin("HeadObject", Key)
        if not self.readable:
            raise client_error("HeadObject", "403", 403)
        if Key not in self.objects:
            raise client_error("HeadObject", "404", 404)
        return {"ChecksumSHA256": self.composites.get(Key) or sha256(self.objects[Key])}

    def create_multipart_upload(self, *, Key: str, **_: Any) -> Any:
        """A new upload."""
        self._begin("CreateMultipartUpload", Key)
        upload = f"upload-{len(self.uploads) + 1}"
        self.uploads[upload] = {}
        return {"UploadId": upload}

    def upload_part(
        self,
        *,
        Key: str,
        UploadId: str,
        PartNumber: int,
        Body: Any,
        ChecksumSHA256: str,
        **_: Any,
    ) -> Any:
        """One part."""
        self._begin("UploadPart", Key)
        body = Body.read()
        if sha256(body) != ChecksumSHA256:
            raise client_error("UploadPart", "BadDigest", 400)
        self.uploads[UploadId][PartNumber] = body
        self._end("UploadPart", Key)
        return {"ETag": f"part-{PartNumber}", "ChecksumSHA256": sha256(body)}

    def list_parts(self, *, Key: str, UploadId: str, PartNumberMarker: int, **_: Any) -> Any:
        """Two a page, so that paging is walked."""
        self._begin("ListParts", Key)
        if UploadId not in self.uploads:
            raise client_error("ListParts", "NoSuchUpload", 404)
        left = sorted(number for number in self.uploads[UploadId] if number > PartNumberMarker)
        parts = [
            {"PartNumber": n, "ETag": f"part-{n}", "ChecksumSHA256": sha256(self.uploads[UploadId][n])}
            for n in left[:2]
        ]
        return {
            "Parts": parts,
            "IsTruncated": len(left) > 2,
            "NextPartNumberMarker": left[1] if left[1:] else 0,
        }

    def complete_multipart_upload(
        self,
        *,
        Key: str,
        UploadId: str,
        MultipartUpload: Any,
        IfNoneMatch: str,
        **_: Any,
    ) -> Any:
        """The object from its parts."""
        assert IfNoneMatch == "*"
        self._begin("CompleteMultipartUpload", Key)
        if UploadId not in self.uploads:
            raise client_error("CompleteMultipartUpload", "NoSuchUpload", 404)
        parts = [self.uploads[UploadId][part["PartNumber"]] for part in MultipartUpload["Parts"]]
        self._take("CompleteMultipartUpload", Key, b"".join(parts))
        del self.uploads[UploadId]
        digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
        self.composites[Key] = f"{base64.b64encode(digest).decode()}-{len(parts)}"
        self._end("CompleteMultipartUpload", Key)
        return {"ChecksumSHA256": self.answer_composite(self.composites[Key])}

    def abort_multipart_upload(self, *, Key: str, UploadId: str, **_: Any) -> Any:
        """Its parts are gone."""
        self._begin("AbortMultipartUpload", Key)
        self.uploads.pop(UploadId, None)
        return {}


@dataclass
class StandInBus:
    """PutEvents; `refuse` names the entries (by index) that are not taken, `accepted` what was, in order."""

    accepted: list[dict[str, Any]] = field(default_factory=list)
    before: Fault = no_fault
    after: Fault = no_fault
    refuse: Callable[[dict[str, Any]], bool] = lambda _entry: False
    batches: list[int] = field(default_factory=list)

    def put_events(self, *, Entries: list[dict[str, Any]]) -> Any:
        """At most ten."""
        assert 1 <= len(Entries) <= 10
        if error := self.before("PutEvents", ""):
            raise error
        self.batches.append(len(Entries))
        results = []
        for entry in Entries:
            if self.refuse(entry):
                results.append({"ErrorCode": "InternalFailure", "ErrorMessage": "try again"})
            else:
                self.accepted.append(entry)
                results.append({"EventId": str(len(self.accepted))})
        if error := self.after("PutEvents", ""):
            raise error
        return {"FailedEntryCount": sum("ErrorCode" in r for r in results), "Entries": results}

    def details(self, detail_type: str = "Series Complete") -> list[dict[str, Any]]:
        """Details of accepted events."""
        return [json.loads(entry["Detail"]) for entry in self.accepted if entry["DetailType"] == detail_type]


def settings(spool: Any, **changes: Any) -> Settings:
    """Settings for tests in this process."""
    given: dict[str, Any] = {
        "stack": "test",
        "name": "edge1",
        "bucket": "dicom",
        "event_bus": "ingest",
        "spool": spool,
        "disk_reserve_bytes": 0,
        "backoff_base_seconds": 0.1,
        "backoff_cap_seconds": 1,
        **changes,
    }
    return Settings.model_validate(given)
