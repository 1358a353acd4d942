"""The DICOM files themselves, as they are in S3: their tags, a report's text, a document."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from pydicom import DataElement, Dataset, dcmread

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HEADER_BYTES = 1 << 20
"""Most headers end before this; a file whose header does not is read whole."""
MOST_BYTES = 256 << 20
LONGEST = 240
"""Characters of a value that are shown."""
BULK = ("OB", "OW", "OF", "OD", "OL", "OV", "UN")


class UnreadableError(ValueError):
    """A file that cannot be read; the message says why."""


@dataclass(frozen=True)
class Tag:
    """One element. `depth`: in how many sequences it is."""

    depth: int
    tag: str
    vr: str
    name: str
    value: str


class Files:
    """Of one bucket. Threads may read at once."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def header(self, key: str) -> Dataset:
        """Everything before the pixels.

        Raises:
            UnreadableError: there is no such object, or it is no DICOM.
        """
        start = io.BytesIO(self._bytes(key, HEADER_BYTES))
        with suppress(Exception):  # cut off in the middle of a value: pydicom raises what it met
            return dcmread(start, stop_before_pixels=True)
        return self.whole(key)

    def whole(self, key: str) -> Dataset:
        """The whole data set.

        Raises:
            UnreadableError: there is no such object, it is too large, or it is no DICOM.
        """
        content = io.BytesIO(self._bytes(key, MOST_BYTES))
        try:
            return dcmread(content)
        except Exception as error:  # arbitrary bytes: pydicom may raise anything
            raise UnreadableError(f"the file cannot be read as DICOM: {error}") from error

    def _bytes(self, key: str, most: int) -> bytes:
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=key, Range=f"bytes=0-{most - 1}")
            return found["Body"].read()
        except (BotoCoreError, ClientError) as error:
            raise UnreadableError(f"S3 does not give the file: {error}") from error


def tags(dataset: Dataset, depth: int = 0) -> Iterator[Tag]:
    """Every element in its order, those of a sequence's items after it."""
    for element in _all(dataset):
        yield Tag(depth, str(element.tag), element.VR, element.name, _value(element))
        if element.VR == "SQ":
            for item in element.value:
                yield from tags(item, depth + 1)


def _all(dataset: Dataset) -> Iterator[DataElement]:
    meta = getattr(dataset, "file_meta", None)
    if meta is not None:
        yield from meta
    yield from dataset


def _value(element: DataElement) -> str:
    if element.VR == "SQ":
        return f"{len(element.value)} items" if len(element.value) != 1 else "1 item"
    if element.VR in BULK and isinstance(element.value, bytes):
        return f"{len(element.value):,} bytes"
    text = "" if element.value is None else str(element.value)
    if element.VR == "UI" and (name := getattr(element.value, "name", text)) != text:
        text = f"{text} ({name})"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def is_report(dataset: Dataset) -> bool:
    """Whether it has the text of a structured report (PS3.3 C.17.3)."""
    return "ContentSequence" in dataset and "ValueType" in dataset


def document(dataset: Dataset) -> tuple[bytes, str] | None:
    """The encapsulated document and its media type (PS3.3 C.24.2); None where there is none."""
    if "EncapsulatedDocument" not in dataset:
        return None
    length = dataset.get("EncapsulatedDocumentLength")
    content = bytes(dataset.EncapsulatedDocument)
    kind = str(dataset.get("MIMETypeOfEncapsulatedDocument") or "application/octet-stream")
    return content[: int(length)] if length else content, kind
