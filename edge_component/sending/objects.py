"""Objects into S3: never over an existing one, and only believed when the checksum in the answer is ours."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable
from typing import Any, BinaryIO

from botocore.exceptions import ClientError

from edge_component.sending.answers import RefusedError, exists_already
from edge_component.sending.verified import VerifiedFile

DICOM = "application/dicom"
READ_BYTES = 1024 * 1024
PUT_PARAMETERS = {"ContentType": DICOM, "ChecksumAlgorithm": "SHA256", "IfNoneMatch": "*"}
"""Of the PutObject of every instance."""

FilePut = Callable[[str, str, VerifiedFile], str | None]
"""Puts a file into a bucket, below a key; the SHA-256 that S3 answered.

Raises:
    UnreadableError, botocore's errors.
"""


class ChecksumError(RuntimeError):
    """S3 answered with another checksum than ours: the object is not what we sent."""


def put(client: Any, bucket: str, key: str, body: bytes, sha256_hex: str, content_type: str) -> None:
    """One PUT with its SHA-256: S3 compares it with what arrived, we compare what it says.

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
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=checksum,
            IfNoneMatch="*",
        )
    except ClientError as error:
        if exists_already(error):
            return
        raise
    _compare(key, answer.get("ChecksumSHA256"), checksum)


class ClientPut:
    """A FilePut by botocore's client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __call__(self, bucket: str, key: str, file: VerifiedFile) -> str | None:
        """The checksum that S3 answered."""
        answer = self._client.put_object(
            Bucket=bucket, Key=key, Body=file.verified(), ChecksumSHA256=file.checksum, **PUT_PARAMETERS
        )
        checksum: str | None = answer.get("ChecksumSHA256")
        return checksum


def put_file(how: FilePut, bucket: str, key: str, file: VerifiedFile) -> None:
    """One PUT of what was acknowledged, never over an existing object.

    Raises:
        ChecksumError, UnreadableError, botocore's errors.
    """
    try:
        found = how(bucket, key, file)
    except ClientError as error:
        if exists_already(error):
            return
        raise
    _compare(key, found, file.checksum)


class FilePart(io.RawIOBase):
    """A window on an open file: a part is sent without ever lying in memory."""

    def __init__(self, stream: BinaryIO, start: int, length: int) -> None:
        super().__init__()
        self._stream, self._start, self._length, self._at = stream, start, length, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes: a failed attempt begins again."""
        return True

    def tell(self) -> int:
        """Where in the part."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        """The next piece of the part."""
        left = max(0, self._length - self._at)
        self._stream.seek(self._start + self._at)
        data = self._stream.read(left if size < 0 else min(size, left))
        self._at += len(data)
        return data

    def digest(self) -> bytes:
        """SHA-256 of the whole part; the window stands at its beginning afterwards."""
        sha256 = hashlib.sha256()
        self.seek(0)
        while piece := self.read(READ_BYTES):
            sha256.update(piece)
        self.seek(0)
        return sha256.digest()


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
        if upload_id is None or present is None:
            upload_id, present = self._begin(), {}
            remember(upload_id)
        parts: list[dict[str, Any]] = []
        digests: list[bytes] = []
        size = stream.seek(0, io.SEEK_END)
        for number, start in enumerate(range(0, size, self._part_bytes), start=1):
            part = FilePart(stream, start, min(self._part_bytes, size - start))
            digest = part.digest()
            checksum = base64.b64encode(digest).decode()
            found = present.get(number, {})
            if found.get("ChecksumSHA256") == checksum:
                etag = str(found["ETag"])
            else:
                etag = self._part(upload_id, number, part, checksum)
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

    def _part(self, upload_id: str, number: int, part: FilePart, checksum: str) -> str:
        answer = self._client.upload_part(
            **self._where,
            UploadId=upload_id,
            PartNumber=number,
            Body=part,
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=checksum,
        )
        _compare(f"{self._where['Key']} part {number}", answer.get("ChecksumSHA256"), checksum)
        return str(answer["ETag"])

    def _complete(self, upload_id: str, parts: list[dict[str, Any]], digests: list[bytes]) -> None:
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
        # Each part was compared; S3 compares the list with its parts, and says the composite of them.
        if (found := answer.get("ChecksumSHA256")) is not None:
            composite = base64.b64encode(hashlib.sha256(b"".join(digests)).digest()).decode()
            _compare(self._where["Key"], found, f"{composite}-{len(parts)}")


def _compare(key: str, found: str | None, ours: str) -> None:
    if found != ours:
        raise ChecksumError(f"{key}: S3 answered checksum {found}, ours is {ours}")
