"""A file in parts, resumed where it was left: parts that S3 has already are not sent again."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from edge_component.sending.answers import PRECONDITION_FAILED, code, status_of
from edge_component.sending.verified import VerifiedFile
from edge_component.sending.way import Gate

DICOM = "application/dicom"
UPLOAD_GONE = frozenset(("NoSuchUpload", "InvalidPart", "InvalidPartOrder"))
"""What S3 has of the upload is of no use any more."""


class PartError(RuntimeError):
    """S3 answered a part without its checksum, or with another."""


class Multipart:
    """One file on its way. `checksum`: what S3 must say of the whole, the composite of its parts' SHA-256.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
    """

    def __init__(
        self,
        client: Any,
        bucket: str,
        key: str,
        file: VerifiedFile,
        part_bytes: int,
        gate: Gate | None = None,
    ) -> None:
        """Reads the file once.

        Raises:
            UnreadableError, LocalError: as `VerifiedFile.pieces`.
        """
        self._client = client
        self._where = {"Bucket": bucket, "Key": key}
        self._parts, self._digests = file.parts(part_bytes, gate)
        self.checksum = f"{_text(hashlib.sha256(b''.join(self._digests)).digest())}-{len(self._parts)}"
        self._upload_id: str | None = None
        self._present: dict[int, dict[str, Any]] = {}
        self.ending = False
        """S3 was asked to put the parts together: the object may be there."""

    def resume(self, upload_id: str) -> bool:
        """Go on with an upload that was begun earlier. False: S3 does not know it (any more).

        Raises:
            botocore's errors.
        """
        present: dict[int, dict[str, Any]] = {}
        marker = 0
        try:
            while True:
                page = self._client.list_parts(**self._where, UploadId=upload_id, PartNumberMarker=marker)
                present |= {part["PartNumber"]: part for part in page.get("Parts", [])}
                if not page.get("IsTruncated"):
                    break
                marker = page["NextPartNumberMarker"]
        except ClientError as error:
            if code(error) == "NoSuchUpload":
                return False
            raise
        self._upload_id, self._present = upload_id, present
        return True

    def send(self, remember: Callable[[str | None], None]) -> str | None:
        """Send what S3 has not, and put it together. Returns the checksum in S3's answer.

        Raises:
            PartError, botocore's errors.
        """
        if self._upload_id is None:
            self._upload_id = self._begin()
            remember(self._upload_id)
        done = [self._part(number) for number in range(1, len(self._parts) + 1)]
        try:
            return self._complete(done)
        except ClientError as error:
            if code(error) in UPLOAD_GONE:
                remember(None)
            if status_of(error) == PRECONDITION_FAILED:
                self._abort()
                remember(None)
            raise

    def _begin(self) -> str:
        answer = self._client.create_multipart_upload(
            **self._where, ContentType=DICOM, ChecksumAlgorithm="SHA256", ChecksumType="COMPOSITE"
        )
        return str(answer["UploadId"])

    def _part(self, number: int) -> dict[str, Any]:
        checksum = _text(self._digests[number - 1])
        found = self._present.get(number, {})
        if found.get("ChecksumSHA256") != checksum:
            found = self._client.upload_part(
                **self._where,
                UploadId=self._upload_id,
                PartNumber=number,
                Body=self._parts[number - 1],
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=checksum,
            )
            if found.get("ChecksumSHA256") != checksum:
                raise PartError(f"S3 answered part {number} with checksum {found.get('ChecksumSHA256')}")
        return {"PartNumber": number, "ETag": str(found["ETag"]), "ChecksumSHA256": checksum}

    def _complete(self, parts: list[dict[str, Any]]) -> str | None:
        """Asked twice where the answer is lost: S3 answers a repetition as it answered the first.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
        """
        request = {**self._where, "UploadId": self._upload_id, "MultipartUpload": {"Parts": parts}}
        request["IfNoneMatch"] = "*"
        self.ending = True
        try:
            answer = self._client.complete_multipart_upload(**request)
        except BotoCoreError as lost:
            try:
                answer = self._client.complete_multipart_upload(**request)
            except (ClientError, BotoCoreError):
                raise lost from None
        checksum: str | None = answer.get("ChecksumSHA256")
        return checksum

    def _abort(self) -> None:
        """The object is there: these parts would cost money until the lifecycle removes them."""
        with suppress(ClientError, BotoCoreError):
            self._client.abort_multipart_upload(**self._where, UploadId=self._upload_id)


def _text(digest: bytes) -> str:
    """As S3 writes checksums."""
    return base64.b64encode(digest).decode()
