"""One object to S3 and what came of it: never over an existing object, and believed only by its checksum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from edge_component.sending.answers import (
    Exists,
    Foreign,
    LocalError,
    Outcome,
    Stored,
    UnreadableError,
    compared,
    fault,
    in_part,
    meaning,
    same,
    status_of,
)
from edge_component.sending.multipart import Multipart
from edge_component.sending.verified import VerifiedFile
from edge_component.sending.way import Gate

DICOM = "application/dicom"
PUT_PARAMETERS = {"ContentType": DICOM, "ChecksumAlgorithm": "SHA256", "IfNoneMatch": "*"}
"""Of the PutObject of every instance."""
NOT_FOUND = 404
NOT_SAID = frozenset((401, 403, 405, 501))
"""An edge's role may write and not read: then HeadObject is refused."""

FilePut = Callable[[str, str, VerifiedFile], str | None]
"""Puts a file into a bucket, under a key; returns the SHA-256 that S3 answered.

Raises:
    UnreadableError, LocalError, botocore's errors.
"""


class ClientPut:
    """A FilePut by botocore's client."""

    def __init__(self, client: Any, content_type: str = DICOM) -> None:
        self._client = client
        self._parameters = {**PUT_PARAMETERS, "ContentType": content_type}

    def __call__(self, bucket: str, key: str, file: VerifiedFile) -> str | None:
        """The checksum that S3 answered."""
        answer = self._client.put_object(
            Bucket=bucket, Key=key, Body=file.body(), ChecksumSHA256=file.checksum, **self._parameters
        )
        checksum: str | None = answer.get("ChecksumSHA256")
        return checksum


class Exchange:
    """Puts objects into one bucket. Used by many threads."""

    def __init__(self, client: Any, bucket: str, put_file: FilePut | None = None) -> None:
        """`put_file`: how objects go that need no parts; by default the client's own way."""
        self._client = client
        self._bucket = bucket
        self._put_file = put_file or ClientPut(client)

    def put(self, key: str, file: VerifiedFile, *, unsure: bool) -> Outcome:
        """One PUT. `unsure`: an attempt before this one may have stored the object."""
        try:
            return compared(self._put_file(self._bucket, key, file), file.checksum)
        except Exception as error:  # noqa: BLE001 - the table knows every one of them
            return self._settled(meaning(error), key, file.checksum, unsure=unsure)

    def put_in_parts(
        self,
        key: str,
        file: VerifiedFile,
        part_bytes: int,
        upload_id: str | None,
        remember: Callable[[str | None], None],
        *,
        unsure: bool,
        gate: Gate | None = None,
    ) -> Outcome:
        """A multipart upload; what S3 has of an earlier one (`upload_id`) is not sent again."""
        try:
            parts = Multipart(self._client, self._bucket, key, file, part_bytes, gate)
        except (UnreadableError, LocalError, OSError) as error:
            return self._settled(in_part(meaning(error), ending=False), key, "", unsure=unsure)
        try:
            if upload_id and not parts.resume(upload_id):
                remember(None)
                if unsure and self._has(key, parts.checksum):
                    return Stored()  # the answer to its end was lost
            return compared(parts.send(remember) or self._head(key), parts.checksum)
        except Exception as error:  # noqa: BLE001 - the table knows every one of them
            what = in_part(meaning(error), ending=parts.ending)
            return self._settled(what, key, parts.checksum, unsure=unsure)

    def _settled(self, what: Exists | Outcome, key: str, checksum: str, *, unsure: bool) -> Outcome:
        """Whose object exists: by its checksum where S3 says it, else by what the journal knows."""
        if not isinstance(what, Exists):
            return what
        try:
            found = self._head(key)
        except Exception as error:  # noqa: BLE001 - asked again with the next attempt
            return fault(error)
        if found is not None:
            return Stored() if same(found, checksum) else Foreign(f"S3 holds another object: {found}")
        return Stored() if unsure else Foreign("S3 holds an object that this edge has not sent")

    def _head(self, key: str) -> str | None:
        """The checksum of what exists; None: S3 does not say.

        Raises:
            ClientError, BotoCoreError: S3 is away, or there is nothing.
        """
        try:
            answer = self._client.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if status_of(error) in NOT_SAID:
                return None
            raise
        checksum: str | None = answer.get("ChecksumSHA256")
        return checksum or None

    def _has(self, key: str, checksum: str) -> bool:
        """Whether this object is there already."""
        try:
            return same(self._head(key), checksum)
        except ClientError as error:
            if status_of(error) == NOT_FOUND:
                return False
            raise
