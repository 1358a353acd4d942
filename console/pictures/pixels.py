"""Pixels as a PNG: grey windowed as the header asks or as chosen, colour as it is."""

from __future__ import annotations

import struct
import zlib
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float64]
Bytes = NDArray[np.uint8]


def rescaled(pixels: NDArray[Any], header: dict[str, Any]) -> Grey:
    """Modality values (PS3.3 C.11.1): Hounsfield units for CT."""
    return pixels * number(header, "RescaleSlope", 1.0) + number(header, "RescaleIntercept", 0.0)


def window_of(header: dict[str, Any], values: Grey) -> tuple[float, float]:
    """The header's first window, else one that takes all but the darkest and brightest per cent."""
    width = number(header, "WindowWidth", 0.0)
    if width > 0:
        return number(header, "WindowCenter", 0.0), width
    low, high = np.percentile(values, (1, 99))
    return float(low + high) / 2, max(1.0, float(high - low))


def windowed(values: Grey, center: float, width: float, *, inverted: bool) -> Bytes:
    """Eight bits, linear (PS3.3 C.11.2.1.2.1)."""
    span = max(width - 1, 1e-6)
    shades = np.clip(((values - (center - 0.5)) / span + 0.5) * 255, 0, 255).astype(np.uint8)
    return 255 - shades if inverted else shades


def picture(
    pixels: NDArray[Any],
    header: dict[str, Any],
    window: tuple[float, float] | None,
    most: int | None = None,
) -> bytes:
    """The PNG: grey with a window; colour as it is; at most so many pixels a side."""
    return png(smaller(shades(pixels, header, window), most))


def shades(pixels: NDArray[Any], header: dict[str, Any], window: tuple[float, float] | None) -> Bytes:
    """Eight bits, as they are shown."""
    if pixels.ndim == 3:
        return (pixels >> max(0, int(number(header, "BitsStored", 8)) - 8)).astype(np.uint8)
    values = rescaled(pixels, header)
    center, width = window or window_of(header, values)
    inverted = header.get("PhotometricInterpretation") == "MONOCHROME1"
    return windowed(values, center, width, inverted=inverted)


def smaller(pixels: Bytes, most: int | None) -> Bytes:
    """Means of squares of pixels, so that no side is longer than `most`."""
    step = -(-max(pixels.shape[:2]) // most) if most else 1
    if step == 1:
        return pixels
    rows, columns = (max(1, side // step) for side in pixels.shape[:2])
    whole = pixels[: rows * step, : columns * step]
    blocks = whole.reshape(rows, whole.shape[0] // rows, columns, whole.shape[1] // columns, -1)
    means: Bytes = blocks.mean(axis=(1, 3)).astype(np.uint8)
    return means if pixels.ndim == 3 else means[:, :, 0]


def png(pixels: Bytes) -> bytes:
    """Eight-bit grey or RGB (https://www.w3.org/TR/png-3/)."""
    height, width = pixels.shape[:2]
    colour = 2 if pixels.ndim == 3 else 0
    lines = np.ascontiguousarray(pixels).reshape(height, -1)
    raw = np.insert(lines, 0, 0, axis=1).tobytes()  # filter 0 before every line
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def number(header: dict[str, Any], keyword: str, default: float) -> float:
    """A number of HealthImaging's metadata, where numbers are texts, padded, and lists by turns."""
    value = header.get(keyword)
    if isinstance(value, list):
        value = value[0] if value else None
    try:
        found = default if value in (None, "") else float(str(value))
    except ValueError:
        return default
    return found if isfinite(found) else default
