"""Lossless encodings of a frame: HTJ2K or JPEG 2000 with imagecodecs, little-endian bytes without."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

from . import jp2

HTJ2K = "1.2.840.10008.1.2.4.202"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
WIDEST_BYTES = 2
"""Deeper pixels stay raw: OpenJPEG, which viewers use, reads none of 32 bits."""
BASE_SIDE = 64
"""The lowest resolution's shorter side is at most this long (seen: 512 pixels, 3 decompositions)."""


@dataclass(frozen=True)
class Encoder:
    """Turns a frame's pixels into bytes; `transfer_syntax` is what a store wants."""

    transfer_syntax: str

    def encode(self, pixels: Any) -> tuple[bytes, str]:
        """The encoded frame and the transfer syntax it really has."""
        if self.transfer_syntax == EXPLICIT_LITTLE_ENDIAN or not self._can_encode(pixels):
            return little_endian(pixels), EXPLICIT_LITTLE_ENDIAN
        import imagecodecs

        pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
        if self.transfer_syntax == HTJ2K:
            tile_parts = imagecodecs.HTJ2K.TILEPART.RESOLUTIONS
            levels = decompositions(*pixels.shape[:2])
            encoded = imagecodecs.htj2k_encode(pixels, resolutions=levels, tilepart=tile_parts)
            return jp2.wrap(bytes(encoded), pixels), HTJ2K
        encoded = imagecodecs.jpeg2k_encode(pixels, level=0, reversible=True, codecformat="j2k")
        return bytes(encoded), JPEG_2000_LOSSLESS

    def _can_encode(self, pixels: Any) -> bool:
        return pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= WIDEST_BYTES


def encoder(lossless_format: str, frames: str) -> Encoder:
    """The encoder for a data store's lossless format (`HTJ2K` or `JPEG_2000_LOSSLESS`)."""
    if frames == "raw" or importlib.util.find_spec("imagecodecs") is None:
        return Encoder(EXPLICIT_LITTLE_ENDIAN)
    return Encoder(HTJ2K if lossless_format == "HTJ2K" else JPEG_2000_LOSSLESS)


def decompositions(height: int, width: int) -> int:
    """How often a frame is halved; at least once."""
    levels = 1
    while -(-min(height, width) >> levels) > BASE_SIDE:
        levels += 1
    return levels


def little_endian(pixels: Any) -> bytes:
    """The pixels as a native, interleaved, little-endian frame."""
    return bytes(pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes())
