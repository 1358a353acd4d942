"""Objects into S3: never over an existing one, and only believed when the checksum in the answer is ours."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any, BinaryIO

from botocore.exceptions import ClientError

from edge_component.sending import RefusedError, exists_already

DICOM = "application/dicom"


class ChecksumError(RuntimeError):
    """S3 answered with another checksum than ours: the object is not what we sent."""


def put(
    client: Any, bucket: str, key: str, body: bytes | BinaryIO, sha256_hex: str, content_type: str
) -> None:
    """One PUT with its SHA-256; S3 compares it with what arrived, we compare what it says.

    Raises:
        ChecksumError, botocore's errors.
    """
    checksum = base64.b64encode(bytes.fromhex(sha256_hex)).decode()
    try:
        answer = client.put_object(
            Bucket=bucket,
            Key=key,
            Body=body,
            ContentType=content_type,
            ChecksumSHA256=checksum,
            IfNoneMatch="*",
        )
    except ClientError as error:
        if exists_already(error):
            return
        raise
    _compare(key, answer.get("ChecksumSHA256"), checksum)


class MultipartUpload:
    """A file in parts, resumed where it was left: parts that S3 has already are not sent again."""

    def __init__(self, client: Any, bucket: str, key: str, part_bytes: int) -> None:
        self._client = client
        self._where = {"Bucket": bucket, "Key": key}
        self._part_bytes = part_bytes

    def run(self, stream: BinaryIO, upload_id: str | None, remember: Callable[[str], None]) -> None:
        """Upload the stream. `remember` is told the upload's id before the first part is sent.

        Raises:
            ChecksumError, RefusedError, botocore's errors.
        """
        present = self._parts(upload_id) if upload_id else None
        if present is None:
            upload_id = self._begin()
            remember(upload_id)
            present = {}
        parts: list[dict[str, Any]] = []
        digests: list[bytes] = []
        number = 0
        while piece := stream.read(self._part_bytes):
            number += 1
            digest = hashlib.sha256(piece).digest()
            checksum = base64.b64encode(digest).decode()
            found = present.get(number)
            etag = found["ETag"] if found and found.get("ChecksumSHA256") == checksum else None
            etag = etag or self._part(upload_id, number, piece, checksum)
            parts.append({"PartNumber": number, "ETag": etag, "ChecksumSHA256": checksum})
            digests.append(digest)
        self._complete(upload_id, parts, digests)

    def _begin(self) -> str:
        answer = self._client.create_multipart_upload(
            **self._where, ContentType=DICOM, ChecksumAlgorithm="SHA256", ChecksumType="COMPOSITE"
        )
        return str(answer["UploadId"])

    def _parts(self, upload_id: str) -> dict[int, dict[str, Any]] | None:
        """What S3 has of an earlier attempt; None: it knows nothing of it."""
        found: dict[int, dict[str, Any]] = {}
        marker = 0
        try:
            while True:
                page = self._client.list_parts(**self._where, UploadId=upload_id, PartNumberMarker=marker)
                found |= {part["PartNumber"]: part for part in page.get("Parts", [])}
                if not page.get("IsTruncated"):
                    return found
                marker = page["NextPartNumberMarker"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchUpload":
                return None
            raise

    def _part(self, upload_id: str | None, number: int, piece: bytes, checksum: str) -> str:
        answer = self._client.upload_part(
            **self._where, UploadId=upload_id, PartNumber=number, Body=piece, ChecksumSHA256=checksum
        )
        _compare(f"{self._where['Key']} part {number}", answer.get("ChecksumSHA256"), checksum)
        return str(answer["ETag"])

    def _complete(self, upload_id: str | None, parts: list[dict[str, Any]], digests: list[bytes]) -> None:
        if not parts:
            raise RefusedError("an empty file cannot be uploaded in parts")
        try:
            answer = self._client.complete_multipart_upload(
                **self._where, UploadId=upload_id, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
            )
        except ClientError as error:
            if exists_already(error):
                return
            raise
        composite = base64.b64encode(hashlib.sha256(b"".join(digests)).digest()).decode()
        _compare(self._where["Key"], answer.get("ChecksumSHA256"), f"{composite}-{len(parts)}")


def _compare(key: str, found: str | None, ours: str) -> None:
    if found != ours:
        raise ChecksumError(f"{key}: S3 answered checksum {found}, ours is {ours}")
