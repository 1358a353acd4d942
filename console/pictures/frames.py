"""The frames of image sets, in the order in which a reader scrolls through them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from console.pictures import pixels
from console.pictures.decoding import JPEG, decode, is_colour, shown_as_it_is

if TYPE_CHECKING:
    from mypy_boto3_medical_imaging import HealthImagingClient


Window = tuple[float, float]
"""Center and width."""


@dataclass(frozen=True)
class Frame:
    """One frame, its place, and the attributes of its instance."""

    image_set_id: str
    frame_id: str
    sop_instance_uid: str
    instance_number: int
    header: dict[str, Any]
    transfer_syntax: str


@dataclass(frozen=True)
class Picture:
    """A picture that browsers show."""

    content: bytes
    media_type: str


class FrameStore:
    """Frames of one data store; metadata is kept for as long as the console runs, pixels for a while."""

    def __init__(self, client: HealthImagingClient, datastore_id: str) -> None:
        self._client = client
        self._datastore_id = datastore_id
        self._metadata = lru_cache(maxsize=64)(self._read_metadata)
        self._pixels = lru_cache(maxsize=64)(self._read_pixels)

    def frames(self, image_sets: Iterable[tuple[str, int]], series: str) -> list[Frame]:
        """Of one series in these image sets (id and version); ordered by instance number."""
        found = [
            frame
            for image_set_id, version in image_sets
            for frame in _frames(image_set_id, self._metadata(image_set_id, str(version)), series)
        ]
        return sorted(found, key=lambda frame: frame.instance_number)

    def picture(
        self, frame: Frame, window: tuple[float, float] | None = None, most: int | None = None
    ) -> Picture:
        """The frame as a PNG, a colour JPEG as it is; `most`: made smaller until no side is longer.

        Raises:
            UndecodableError: it cannot be shown here.
        """
        data, content_type = self._pixels(frame.image_set_id, frame.frame_id)
        if most is None and shown_as_it_is(content_type, frame.header):
            return Picture(data, JPEG)
        return Picture(pixels.picture(self._values(frame), frame.header, window, most), "image/png")

    def windows(self, frame: Frame) -> tuple[Window, Window] | tuple[None, None]:
        """The window with which it is shown at first, and that of all its values; None for colour.

        Raises:
            UndecodableError: it cannot be shown here.
        """
        values = self._values(frame)
        if is_colour(frame.header):
            return None, None
        rescaled = pixels.rescaled(values, frame.header)
        low, high = float(rescaled.min()), float(rescaled.max())
        return pixels.window_of(frame.header, rescaled), ((low + high) / 2, max(1.0, high - low))

    def _values(self, frame: Frame) -> Any:
        data, content_type = self._pixels(frame.image_set_id, frame.frame_id)
        return decode(data, content_type, frame.header, frame.transfer_syntax)

    def _read_metadata(self, image_set_id: str, version: str) -> Any:
        answer = self._client.get_image_set_metadata(
            datastoreId=self._datastore_id, imageSetId=image_set_id, versionId=version
        )
        return json.loads(gzip.decompress(answer["imageSetMetadataBlob"].read()))

    def _read_pixels(self, image_set_id: str, frame_id: str) -> tuple[bytes, str]:
        answer = self._client.get_image_frame(
            datastoreId=self._datastore_id,
            imageSetId=image_set_id,
            imageFrameInformation={"imageFrameId": frame_id},
        )
        return answer["imageFrameBlob"].read(), answer["contentType"]


def _frames(image_set_id: str, metadata: Any, series: str) -> Iterator[Frame]:
    instances = metadata["Study"]["Series"].get(series, {}).get("Instances", {})
    for uid, instance in instances.items():
        number = int(pixels.number(instance["DICOM"], "InstanceNumber", 0))
        for frame in instance.get("ImageFrames") or []:
            syntax = instance.get("StoredTransferSyntaxUID") or ""
            yield Frame(image_set_id, frame["ID"], uid, number, instance["DICOM"], syntax)
