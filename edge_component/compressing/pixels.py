"""Which native pixel data can be encoded exactly, and how its frames are found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from edge_component.compressing.codec import Pixels
from edge_component.compressing.errors import NotCompressibleError

MONOCHROME = ("MONOCHROME1", "MONOCHROME2")
SMALLEST = 16 * 1024
"""Bytes of pixel data below which nothing is gained."""


@dataclass(frozen=True)
class PixelFormat:
    """The shape of native pixel data (PS3.3 C.7.6.3)."""

    frames: int
    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    signed: bool

    @classmethod
    def of(cls, ds: Dataset) -> PixelFormat:
        """The format that a header describes.

        Raises:
            NotCompressibleError: its pixels cannot be encoded exactly; the message says which attribute.
        """
        try:
            found = cls(
                frames=int(ds.get("NumberOfFrames") or 1),
                rows=int(ds.Rows),
                columns=int(ds.Columns),
                samples=int(ds.get("SamplesPerPixel", 1)),
                allocated=int(ds.BitsAllocated),
                stored=int(ds.BitsStored),
                signed=bool(int(ds.PixelRepresentation)),
            )
            high_bit = int(ds.HighBit)
        except (AttributeError, TypeError, ValueError) as error:
            raise NotCompressibleError(f"its pixel format is incomplete: {error}") from error
        photometric = str(ds.get("PhotometricInterpretation", ""))
        refused = {
            f"Photometric Interpretation {photometric}": photometric not in (*MONOCHROME, "RGB"),
            f"Samples per Pixel {found.samples}": found.samples != (3 if photometric == "RGB" else 1),
            f"Planar Configuration {ds.get('PlanarConfiguration')}": found.samples > 1
            and ds.get("PlanarConfiguration", 0) != 0,
            f"Bits Allocated {found.allocated}": found.allocated not in (8, 16),
            f"Bits Stored {found.stored}, High Bit {high_bit}": not 0 < found.stored <= found.allocated
            or high_bit != found.stored - 1,
            f"{found.rows} by {found.columns} pixels": min(found.rows, found.columns, found.frames) < 1,
            f"signed colours of {found.stored} bits": found.samples > 1
            and (found.signed or found.stored != found.allocated),
            f"only {found.bytes} bytes": found.bytes < SMALLEST,
        }
        for reason, applies in refused.items():
            if applies:
                raise NotCompressibleError(reason)
        return found

    @property
    def frame_bytes(self) -> int:
        """Of one native frame."""
        return self.rows * self.columns * self.samples * self.allocated // 8

    @property
    def bytes(self) -> int:
        """Of all native frames, without padding."""
        return self.frames * self.frame_bytes

    def frame(self, native: memoryview, number: int) -> Pixels:
        """Frame `number`, counted from 0; no bytes are copied.

        Raises:
            NotCompressibleError: a pixel uses bits beyond Bits Stored, as old overlays do.
        """
        kind = np.dtype(f"<{'i' if self.signed else 'u'}{self.allocated // 8}")
        flat = np.frombuffer(native, kind, self.frame_bytes // kind.itemsize, number * self.frame_bytes)
        unused = self.allocated - self.stored
        if unused and (flat << unused >> unused != flat).any():
            raise NotCompressibleError(f"frame {number + 1} uses bits beyond Bits Stored {self.stored}")
        shape = (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, self.samples)
        return flat.reshape(shape)
