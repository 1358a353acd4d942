"""A frame's bytes as pixels: raw, JPEG 2000 or HTJ2K as codestream or file, JPEG, JPEG XL; colours as RGB."""

from __future__ import annotations

import base64
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut, convert_color_space

Pixels = NDArray[Any]

RAW = "application/octet-stream"
JPEG = "image/jpeg"
_JPEG_2000 = frozenset({"image/jph", "image/jphc", "image/j2c"})
_JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
_CHANNELS = ("Red", "Green", "Blue")
_TABLE = "PaletteColorLookupTable"


class UndecodableError(ValueError):
    """A frame that this machine cannot decode; the message says why."""


def decode(data: bytes, content_type: str, header: dict[str, Any], transfer_syntax: str = "") -> Pixels:
    """The stored values of a grey frame; colour, a palette's too, as RGB.

    `content_type` is GetImageFrame's, `header` the instance's attributes, `transfer_syntax` the metadata's
    StoredTransferSyntaxUID: JPEG 2000 Lossless has the same content type as raw pixels.

    Raises:
        UndecodableError: another encoding, no codec, or bytes that do not fit the header.
    """
    if content_type == RAW and transfer_syntax == _JPEG_2000_LOSSLESS:
        content_type = "image/j2c"
    try:
        stored = _native(data, header) if content_type == RAW else _decoder(content_type, header)(data)
        return stored if content_type == JPEG else _rgb(stored, header)
    except UndecodableError:
        raise
    except Exception as error:  # arbitrary bytes: a codec may raise anything
        raise UndecodableError(f"{content_type}: {error}") from error


def is_colour(header: dict[str, Any]) -> bool:
    """Whether a frame is decoded to RGB: it has no window then."""
    return int(header.get("SamplesPerPixel") or 1) > 1 or _photometric(header) == "PALETTE COLOR"


def shown_as_it_is(content_type: str, header: dict[str, Any]) -> bool:
    """Whether a browser shows the bytes as we would: JPEG in YCbCr, which it turns into RGB itself."""
    return content_type == JPEG and _photometric(header).startswith("YBR")


def _photometric(header: dict[str, Any]) -> str:
    return str(header.get("PhotometricInterpretation") or "").strip()


def _decoder(content_type: str, header: dict[str, Any]) -> Callable[[bytes], Pixels]:
    if importlib.util.find_spec("imagecodecs") is None:
        raise UndecodableError(f"{content_type}: the package imagecodecs is not installed")
    import imagecodecs

    if content_type in _JPEG_2000:
        decoder: Callable[[bytes], Pixels] = imagecodecs.jpeg2k_decode  # OpenJPEG: both kinds, boxed or not
    elif content_type == "image/jxl":
        decoder = imagecodecs.jpegxl_decode
    elif content_type == JPEG:
        space = "RGB" if _photometric(header) == "RGB" else None  # None: as its markers say, into RGB

        def decoder(data: bytes) -> Pixels:
            return imagecodecs.jpeg8_decode(data, colorspace=space, outcolorspace=space)
    else:
        raise UndecodableError(f"{content_type}: only still pictures are shown here")
    return decoder


def _native(data: bytes, header: dict[str, Any]) -> Pixels:
    rows, columns, samples = int(header["Rows"]), int(header["Columns"]), int(header["SamplesPerPixel"] or 1)
    if int(header["BitsAllocated"]) == 1:
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return bits[: rows * columns].reshape(rows, columns)
    kind = "i" if header.get("PixelRepresentation") else "u"
    values = np.frombuffer(data, f"<{kind}{int(header['BitsAllocated']) // 8}")
    shape = (rows, columns, samples) if samples > 1 else (rows, columns)
    if not rows * columns:
        raise UndecodableError(f"a frame of {rows} x {columns} has no pixels")
    if values.size < rows * columns * samples:
        raise UndecodableError(f"{values.size} values where {rows} x {columns} x {samples} are expected")
    return values[: rows * columns * samples].reshape(shape)


def _rgb(stored: Pixels, header: dict[str, Any]) -> Pixels:
    """Palette and YBR (PS3.3 C.7.6.3.1.2) as RGB; what JPEG 2000 transforms itself is RGB already."""
    photometric = _photometric(header)
    if photometric == "PALETTE COLOR":
        return np.asarray(_looked_up(stored, header))
    if photometric in ("YBR_FULL", "YBR_FULL_422") and stored.ndim == 3 and stored.dtype == np.uint8:
        return np.asarray(convert_color_space(stored, photometric, "RGB"))
    return stored


def _looked_up(indices: Pixels, header: dict[str, Any]) -> Pixels:
    """Eight bits of each palette's colour (PS3.3 C.7.9), segmented tables too."""
    palette = Dataset()
    for channel in _CHANNELS:
        setattr(palette, f"{channel}{_TABLE}Descriptor", header[f"{channel}{_TABLE}Descriptor"])
        for kind in (f"{channel}{_TABLE}Data", f"Segmented{channel}{_TABLE}Data"):
            if header.get(kind):
                setattr(palette, kind, base64.b64decode(header[kind]))
    colours = apply_color_lut(indices, palette)
    return colours >> 8 if colours.dtype == np.uint16 else colours
