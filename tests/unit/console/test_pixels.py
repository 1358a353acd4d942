"""Frames become pictures: decoding, modality values, windows, PNG."""

from __future__ import annotations

import base64
import io

import imagecodecs
import numpy as np
import pytest
from healthimaging_emulator.dicom.pixels import codecs
from PIL import Image
from pydicom.pixels.processing import convert_color_space

from console.pictures import pixels
from console.pictures.decoding import UndecodableError, decode, is_colour, shown_as_it_is
from console.pictures.pixels import picture, window_of, windowed

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


def test_a_picture_of_monochrome1_is_bright_where_its_values_are_low() -> None:
    negative = opened(picture(STORED, CT | {"PhotometricInterpretation": "MONOCHROME1"}, None))
    assert np.array_equal(negative, 255 - opened(picture(STORED, CT, None)))


def test_colour_is_shown_as_it_is() -> None:
    colour = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3)
    assert np.array_equal(opened(picture(colour, {}, None)), colour)


def test_colour_of_16_bits_is_shown_by_its_upper_eight() -> None:
    colour = np.array([[[0, 0x1234, 0xFFFF]]], np.uint16)
    assert opened(picture(colour, {"BitsStored": 16}, None)).tolist() == [[[0, 0x12, 0xFF]]]


@pytest.mark.parametrize(
    ("encoded", "content_type", "syntax"),
    [
        (imagecodecs.htj2k_encode(STORED), "image/jph", ""),
        (imagecodecs.jpeg2k_encode(STORED, level=0, codecformat="jp2"), "image/jph", ""),
        (imagecodecs.htj2k_encode(STORED), "image/jphc", ""),
        (imagecodecs.jpeg2k_encode(STORED, level=0, codecformat="j2k"), "image/j2c", ""),
        (
            imagecodecs.jpeg2k_encode(STORED, level=0, codecformat="j2k"),
            "application/octet-stream",
            "1.2.840.10008.1.2.4.90",
        ),
        (STORED.tobytes(), "application/octet-stream", "1.2.840.10008.1.2.1"),
        (imagecodecs.jpegxl_encode(STORED.view("<u2"), lossless=True), "image/jxl", ""),
    ],
    ids=["HTJ2K codestream", "JPEG 2000 file", "jphc", "j2c", "JPEG 2000 Lossless", "raw", "JPEG XL"],
)
def test_files_codestreams_and_raw_pixels_are_decoded(encoded: bytes, content_type: str, syntax: str) -> None:
    assert np.array_equal(decode(bytes(encoded), content_type, CT, syntax).astype("<i2"), STORED)


def test_the_emulators_frames_are_decoded() -> None:
    file, syntax = codecs.encoder("HTJ2K", "auto").encode(STORED)
    assert np.array_equal(decode(file, "image/jph", CT, syntax), STORED)


PALETTE = {
    "Rows": 1,
    "Columns": 4,
    "SamplesPerPixel": 1,
    "BitsAllocated": 8,
    "PixelRepresentation": 0,
    "PhotometricInterpretation": "PALETTE COLOR",
    **{f"{channel}PaletteColorLookupTableDescriptor": [3, 10, 16] for channel in ("Red", "Green", "Blue")},
    "RedPaletteColorLookupTableData": base64.b64encode(bytes([0, 1, 0, 2, 0, 3])).decode(),
    "GreenPaletteColorLookupTableData": base64.b64encode(bytes([0, 4, 0, 5, 0, 6])).decode(),
    "BluePaletteColorLookupTableData": base64.b64encode(bytes([0, 7, 0, 8, 0, 9])).decode(),
}


def test_a_palette_gives_its_colours_not_its_indices() -> None:
    shown = decode(bytes([0, 10, 11, 255]), "application/octet-stream", PALETTE)
    assert shown.tolist() == [[[1, 4, 7], [1, 4, 7], [2, 5, 8], [3, 6, 9]]]


def test_a_palette_that_is_not_there_is_said() -> None:
    header = PALETTE | {"GreenPaletteColorLookupTableData": None}
    with pytest.raises(UndecodableError, match=r"Green|able"):
        decode(bytes(4), "application/octet-stream", header)


COLOUR = {"Rows": 8, "Columns": 8, "SamplesPerPixel": 3, "BitsAllocated": 8, "PixelRepresentation": 0}
RED = np.full((8, 8, 3), (250, 20, 30), np.uint8)


@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422"])
def test_ybr_that_is_not_jpeg_is_turned_into_rgb(photometric: str) -> None:
    stored = convert_color_space(RED, "RGB", "YBR_FULL")
    header = COLOUR | {"PhotometricInterpretation": photometric}
    for data, content_type in (
        (stored.tobytes(), "application/octet-stream"),
        (bytes(imagecodecs.htj2k_encode(stored)), "image/jph"),
    ):
        assert np.abs(decode(data, content_type, header).astype(int) - RED).max() <= 2


def test_jpegs_are_turned_into_rgb_by_the_codec_and_only_once() -> None:
    ybr = bytes(imagecodecs.jpeg8_encode(RED, level=95))
    header = COLOUR | {"PhotometricInterpretation": "YBR_FULL_422"}
    assert np.abs(decode(ybr, "image/jpeg", header).astype(int) - RED).max() <= 6
    rgb = bytes(imagecodecs.jpeg8_encode(RED, level=95, colorspace="RGB", outcolorspace="RGB"))
    header = COLOUR | {"PhotometricInterpretation": "RGB"}
    assert np.abs(decode(rgb, "image/jpeg", header).astype(int) - RED).max() <= 6


def test_only_a_jpeg_that_browsers_show_rightly_is_passed_as_it_is() -> None:
    assert shown_as_it_is("image/jpeg", {"PhotometricInterpretation": "YBR_FULL_422"})
    assert not shown_as_it_is("image/jpeg", {"PhotometricInterpretation": "RGB"})
    assert not shown_as_it_is("image/jpeg", CT)
    assert not shown_as_it_is("image/jph", {"PhotometricInterpretation": "YBR_FULL"})


def test_colour_and_palettes_have_no_window() -> None:
    assert [is_colour(header) for header in (CT, COLOUR, PALETTE)] == [False, True, True]


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
