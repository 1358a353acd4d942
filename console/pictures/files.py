"""The DICOM files themselves, as they are in S3: their tags, a report's text, a document."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from pydicom import DataElement, Dataset, dcmread
from pydicom.datadict import dictionary_description, dictionary_has_tag
from pydicom.errors import BytesLengthException
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HEADER_BYTES = 1 << 20
"""Most headers end before this; a file whose header does not is read whole."""
MOST_BYTES = 256 << 20
LONGEST = 240
"""Characters of a value that are shown."""
BULK = ("OB", "OW", "OF", "OD", "OL", "OV", "UN")
UNKNOWN_MEDIA = "application/octet-stream"
UNCONVERTIBLE = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
)
"""What pydicom raises when a value is read that breaks the rules of its VR."""


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

    def __init__(self, client: S3Client, bucket: str, most: int = MOST_BYTES) -> None:
        """`most`: a file of so many bytes or more is not read."""
        self._client, self._bucket, self._most = client, bucket, most

    def header(self, key: str) -> Dataset:
        """Everything before the pixels.

        Raises:
            UnreadableError: there is no such object, or it is no DICOM.
        """
        part = self._first(key, HEADER_BYTES)
        try:
            found = _parsed(part, stop_before_pixels=True)
        except UnreadableError:
            if not part.fell_short:
                raise
        else:
            if not part.fell_short:
                return found
        return self.whole(key)

    def whole(self, key: str) -> Dataset:
        """The whole data set.

        Raises:
            UnreadableError: there is no such object, it is too large, or it is no DICOM.
        """
        part = self._first(key, self._most)
        if part.cut:
            raise UnreadableError(
                f"the file has {self._most:,} bytes or more, which is too large to be shown"
            )
        return _parsed(part)

    def _first(self, key: str, most: int) -> _Part:
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=key, Range=f"bytes=0-{most - 1}")
            content = found["Body"].read()
        except (BotoCoreError, ClientError) as error:
            raise UnreadableError(f"S3 does not give the file: {error}") from error
        return _Part(content, cut=len(content) == most)


class _Part(io.BytesIO):
    """The first bytes of a file. `fell_short`: more was wanted than this part has of it.

    pydicom takes a value that is cut off for a whole one, so its errors alone do not tell.
    """

    def __init__(self, content: bytes, *, cut: bool) -> None:
        super().__init__(content)
        self.cut = cut
        self.fell_short = False

    def read(self, size: int | None = -1, /) -> bytes:
        """As every file's."""
        found = super().read(size)
        if self.cut and (size is None or size < 0 or len(found) < size):
            self.fell_short = True
        return found


def _parsed(part: _Part, *, stop_before_pixels: bool = False) -> Dataset:
    try:
        return dcmread(part, stop_before_pixels=stop_before_pixels)
    except Exception as error:  # arbitrary bytes: pydicom may raise anything
        raise UnreadableError(f"the file cannot be read as DICOM: {error}") from error


def tags(dataset: Dataset, depth: int = 0) -> Iterator[Tag]:
    """Every element in its order, those of a sequence's items after it."""
    meta: Dataset | None = getattr(dataset, "file_meta", None)
    for held in (dataset,) if meta is None else (meta, dataset):
        for number in sorted(held.keys()):
            yield from _told(held, number, depth)


def _told(dataset: Dataset, number: BaseTag, depth: int) -> Iterator[Tag]:
    """An element. One whose value breaks the rules of its VR says so; the others are still shown."""
    try:
        element = dataset[number]
        told = Tag(depth, str(number), element.VR, element.name, _value(element))
    except UNCONVERTIBLE as error:
        name = dictionary_description(number) if dictionary_has_tag(number) else "Unknown"
        yield Tag(depth, str(number), dataset.get_item(number).VR or "?", name, _unreadable(error))
        return
    yield told
    if element.VR == "SQ":
        for item in element.value:
            yield from tags(item, depth + 1)


def _unreadable(error: Exception) -> str:
    return f"(cannot be read: {error})"


def text(dataset: Dataset, keyword: str) -> str:
    """A value as text, empty where there is none. One that breaks the rules of its VR says so."""
    try:
        found = dataset.get(keyword)
    except UNCONVERTIBLE as error:
        return _unreadable(error)
    return "" if found is None else str(found)


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none where there is none. `tags` says it where something else has its tag."""
    try:
        found = dataset.get(keyword)
    except UNCONVERTIBLE:
        return []
    return list(found) if isinstance(found, Sequence) else []


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
    content: Any = dataset.get("EncapsulatedDocument")
    if not isinstance(content, bytes):
        return None
    length, kind = dataset.get("EncapsulatedDocumentLength"), text(dataset, "MIMETypeOfEncapsulatedDocument")
    if not re.fullmatch(r"[\w.+-]+/[\w.+-]+", kind):
        kind = UNKNOWN_MEDIA
    return content[:length] if isinstance(length, int) and length else content, kind
