"""Frames become pictures: decoding, modality values, windows, PNG."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from console.pictures import pixels
from console.pictures.pixels import UndecodableError, decode, picture, window_of, windowed

CT = {
    "Rows": 2,
    "Columns": 3,
    "SamplesPerPixel": 1,
    "BitsAllocated": 16,
    "PixelRepresentation": 1,
    "RescaleSlope": "1 ",
    "RescaleIntercept": "-1024 ",
    "WindowCenter": ["40", "400"],
    "WindowWidth": ["400 ", "2000"],
    "PhotometricInterpretation": "MONOCHROME2",
}
STORED = np.array([[-2000, 1064, 1264], [864, 1164, 3000]], "<i2")


def opened(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_native_frames_keep_their_sign_and_shape() -> None:
    assert np.array_equal(decode(STORED.tobytes(), "application/octet-stream", CT), STORED)


def test_the_headers_window_is_said_in_modality_values() -> None:
    assert window_of(CT, pixels.rescaled(STORED, CT)) == (40.0, 400.0)
    shown = opened(picture(STORED, CT, None))
    assert shown.shape == (2, 3)
    assert shown[0, 0] == 0  # air, far below
    assert shown[1, 2] == 255  # metal, far above
    assert abs(int(shown[0, 1]) - 128) <= 1  # 40 HU, the centre
    assert shown[1, 0] == 0 and shown[0, 2] == 255  # noqa: PT018 - both edges of one window


def test_another_window_may_be_chosen() -> None:
    wide = opened(picture(STORED, CT, (40.0, 8000.0)))
    assert 0 < wide[0, 0] < wide[1, 2] < 255


def test_without_a_window_nearly_everything_is_shown() -> None:
    header = {**CT, "WindowCenter": None, "WindowWidth": None}
    center, width = window_of(header, np.linspace(0, 1000, 1001))
    assert (center, width) == (500.0, 980.0)


def test_monochrome1_is_shown_inverted() -> None:
    values = np.array([[0.0, 100.0]])
    plain = windowed(values, 50, 100, inverted=False)
    assert np.array_equal(255 - plain, windowed(values, 50, 100, inverted=True))


def test_colour_is_shown_as_it_is() -> None:
    colour = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3)
    assert np.array_equal(opened(picture(colour, {}, None)), colour)


def test_a_binary_frame_is_unpacked() -> None:
    header = {"Rows": 2, "Columns": 4, "SamplesPerPixel": 1, "BitsAllocated": 1}
    assert decode(b"\x5a", "application/octet-stream", header).tolist() == [[0, 1, 0, 1], [1, 0, 1, 0]]


@pytest.mark.parametrize(
    ("data", "content_type", "words"),
    [
        (b"\0" * 4, "application/octet-stream", "2 values where 2 x 3 x 1 are expected"),
        (b"", "video/mp4", "only still pictures"),
        (b"nonsense", "image/jph", "image/jph"),
    ],
)
def test_what_cannot_be_shown_says_why(data: bytes, content_type: str, words: str) -> None:
    with pytest.raises(UndecodableError, match=words):
        decode(data, content_type, CT)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((256, 256), (64, 64)), ((100, 70), (50, 35)), ((64, 10), (64, 10)), ((300, 2), (60, 1))],
)
def test_a_small_picture_keeps_its_shape_and_its_mean(
    shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    grey = np.full(shape, 7, np.uint8)
    assert np.array_equal(pixels.smaller(grey, 64), np.full(expected, 7))
    colour = np.dstack([grey, grey * 2, grey * 3])
    assert pixels.smaller(colour, 64).shape == (*expected, 3)
    assert pixels.smaller(grey, None) is grey
