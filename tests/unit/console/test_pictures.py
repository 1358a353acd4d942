"""What the viewer gets: pictures, JPEG as it is, or the reason why there is none."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any, cast

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from console.pages.pictures import Pictures
from console.pages.viewer import viewer
from console.pictures.frames import Frame, FrameStore

JPEG = bytes(imagecodecs.jpeg8_encode(np.full((80, 100, 3), (250, 20, 30), np.uint8)))
CINE = {"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422"}
GREY = {"SamplesPerPixel": 1, "Rows": 2, "Columns": 2, "BitsAllocated": 8}
ROW = {"transfer_id": "t", "series_instance_uid": "1.2.3"}


class OneFrame(Pictures):
    """The pictures of a series with one frame, which HealthImaging answers with this."""

    def __init__(self, header: dict[str, Any], body: bytes, content_type: str) -> None:
        answer = {"imageFrameBlob": io.BytesIO(body), "contentType": content_type}
        client = SimpleNamespace(get_image_frame=lambda **_: answer)
        super().__init__(cast("Any", SimpleNamespace(frames=FrameStore(cast("Any", client), "d"))))
        self._held = [Frame("i", "f", "1.2", 1, header, "")]

    def frames(self, transfer: str, series_uid: str) -> list[Frame]:  # noqa: ARG002 - its own
        return self._held

    def page(self) -> str:
        frames = self.frames("t", "1.2.3")
        return str(viewer(ROW, frames, self.window(frames), 1))


def test_a_jpeg_in_colour_is_passed_as_it_is_and_made_small_for_a_thumbnail() -> None:
    pictures = OneFrame(CINE, JPEG, "image/jpeg")
    whole, small = pictures.frame("t", "1", 1, {}), pictures.frame("t", "1", 1, {"small": ""})
    assert (whole.mimetype, whole.data) == ("image/jpeg", JPEG)
    assert (small.mimetype, Image.open(io.BytesIO(small.data)).size) == ("image/png", (50, 40))


def test_colour_has_no_window_to_choose() -> None:
    assert 'id="center"' not in OneFrame(CINE, JPEG, "image/jpeg").page()
    assert 'id="center"' in OneFrame(GREY, bytes(range(4)), "application/octet-stream").page()


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (b"", "video/mp4", "video/mp4: only still pictures are shown here"),
        (b"\1\2", "application/octet-stream", "2 values where 2 x 2 x 1 are expected"),
    ],
)
def test_a_frame_that_cannot_be_shown_is_a_picture_of_the_reason(
    body: bytes, content_type: str, reason: str
) -> None:
    pictures = OneFrame(GREY, body, content_type)
    assert reason in pictures.page()
    answer = pictures.frame("t", "1", 1, {})
    assert answer.mimetype == "image/svg+xml"
    assert "Frame 1 cannot be shown." in answer.data.decode()
    assert reason.rsplit(maxsplit=1)[-1] in answer.data.decode()
