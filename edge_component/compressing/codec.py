"""HTJ2K frames by OpenJPH, as HealthImaging stores them: reversible, RPCL, one tile-part per resolution."""

from __future__ import annotations

from math import ceil, log2
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_component.compressing.errors import NotCompressibleError

HTJ2K_LOSSLESS_RPCL = "1.2.840.10008.1.2.4.202"
BASE = 64
"""PS3.5 A.4.12: the lowest resolution is at most this many pixels in rows or columns."""

COLOUR = 3
"""Dimensions of a frame with samples."""
Pixels = npt.NDArray[Any]


def encode(pixels: Pixels) -> bytes:
    """One frame as a codestream; red, green and blue are transformed reversibly (YBR_RCT)."""
    import imagecodecs

    smaller = min(pixels.shape[:2])
    try:
        return bytes(
            imagecodecs.htj2k_encode(
                pixels,
                reversible=True,
                rgb=pixels.ndim == COLOUR,
                tlm=True,
                resolutions=max(1, ceil(log2(smaller / BASE))),
                tilepart=imagecodecs.HTJ2K.TILEPART.RESOLUTIONS,
            )
        )
    except (ValueError, RuntimeError) as error:
        raise NotCompressibleError(f"the encoder refused a frame: {error}") from error


def decode(codestream: bytes) -> Pixels:
    """The frame's pixels."""
    import imagecodecs

    return np.asarray(imagecodecs.htj2k_decode(codestream))
