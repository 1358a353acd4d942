"""What the viewer gets: pictures, JPEG as it is, or the reason why there is none."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace
from typing import Any, cast

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from console.pages.viewing.pictures import Pictures, why_none
from console.pages.viewing.viewer import Shown, viewer
from console.pictures.frames import Frame, FrameStore

JPEG = bytes(imagecodecs.jpeg8_encode(np.full((80, 100, 3), (250, 20, 30), np.uint8)))
CINE = {"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422"}
GREY = {"SamplesPerPixel": 1, "Rows": 2, "Columns": 2, "BitsAllocated": 8}
ROW = {"transfer_id": "t", "series_instance_uid": "1.2.3", "modality": "CT"}


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
        return str(viewer(ROW, self.shown(self.frames("t", "1.2.3")), 1))


def test_a_jpeg_in_colour_is_passed_as_it_is_and_made_small_for_a_thumbnail() -> None:
    pictures = OneFrame(CINE, JPEG, "image/jpeg")
    whole, small = pictures.frame("t", "1", 1, {}), pictures.frame("t", "1", 1, {"small": ""})
    assert (whole.mimetype, whole.data) == ("image/jpeg", JPEG)
    assert (small.mimetype, Image.open(io.BytesIO(small.data)).size) == ("image/png", (50, 40))


def test_the_windows_of_ct_can_be_chosen_beside_the_stored_one_and_the_full_range() -> None:
    page = OneFrame(GREY, bytes((0, 10, 20, 100)), "application/octet-stream").page()
    assert '<option value="50,100">Full range</option>' in page
    assert '<option value="-600,1500">Lung</option>' in page
    assert "Lung" not in str(viewer(ROW | {"modality": "MR"}, Shown(1, (1, 2), (1, 2)), 1))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"state": "INDEXED", "outcome": None}, "No picture yet: the series is not imported."),
        ({"state": "OVER", "outcome": "FAILED"}, "ended FAILED and has no image set"),
        ({"state": "OVER", "outcome": "INDEXED"}, "Importing was off"),
    ],
)
def test_no_picture_comes_with_its_reason(row: dict[str, Any], words: str) -> None:
    found = SimpleNamespace(series_transfer=row, waits_for=None, image_sets=[])
    reason = why_none(cast("Any", found))
    assert words in reason
    assert reason in str(viewer(ROW, Shown(trouble=reason), 1))


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e400", "x"])
def test_a_window_of_no_number_is_the_stored_one(number: str) -> None:
    pictures = OneFrame(GREY, bytes((0, 10, 20, 100)), "application/octet-stream")
    stored = pictures.frame("t", "1", 1, {}).data
    assert pictures.frame("t", "1", 1, {"center": number, "width": "10"}).data == stored
    assert pictures.frame("t", "1", 1, {"center": "10", "width": number}).data == stored


def test_a_frame_without_pixels_says_so() -> None:
    page = OneFrame(GREY | {"Rows": 0}, b"", "application/octet-stream").page()
    assert "a frame of 0 x 2 has no pixels" in page


def test_without_a_script_links_lead_to_the_frames_beside_and_never_beyond() -> None:
    shown = Shown(3, (1, 2), (1, 2))
    assert links(str(viewer(ROW, shown, 1))) == ['href="?frame=1"', 'href="?frame=2"']
    assert links(str(viewer(ROW, shown, 2))) == ['href="?frame=1"', 'href="?frame=3"']
    assert links(str(viewer(ROW, shown, 9))) == ['href="?frame=2"', 'href="?frame=3"']


def links(page: str) -> list[str]:
    return re.findall(r'href="[^"]*"', page)


def test_a_thumbnail_is_the_middle_frame() -> None:
    pictures = OneFrame(GREY, b"", "")
    bodies = {"a": bytes(4), "b": bytes((0, 0, 0, 255)), "c": bytes(4)}
    client = SimpleNamespace(
        get_image_frame=lambda **asked: {
            "imageFrameBlob": io.BytesIO(bodies[asked["imageFrameInformation"]["imageFrameId"]]),
            "contentType": "application/octet-stream",
        }
    )
    pictures._sources = cast("Any", SimpleNamespace(frames=FrameStore(cast("Any", client), "d")))
    header = GREY | {"WindowCenter": 128, "WindowWidth": 256}
    pictures._held = [Frame("i", name, "1.2", 1, header, "") for name in bodies]
    assert np.asarray(Image.open(io.BytesIO(pictures.thumbnail("t", "1").data))).max() == 255


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
