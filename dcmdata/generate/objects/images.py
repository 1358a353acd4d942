"""Image Plane and Image Pixel (PS3.3 C.7.6.2, C.7.6.3)."""

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from dcmdata.generate.objects.headers import add
from dcmdata.generate.phantoms.noise import Floats

AXIAL = (1, 0, 0, 0, 1, 0)
CORONAL = (1, 0, 0, 0, 0, -1)


def number(value: float) -> str:
    """A Decimal String with no more digits than a scanner writes."""
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def add_plane(
    ds: Dataset, position: Sequence[float], orientation: Sequence[int], pixel_mm: float, thickness_mm: float
) -> None:
    """Where the slice lies in the patient; `position` is the centre of the first pixel."""
    add(
        ds,
        ImagePositionPatient=[number(p) for p in position],
        ImageOrientationPatient=[str(o) for o in orientation],
        PixelSpacing=[number(pixel_mm), number(pixel_mm)],
        SliceThickness=number(thickness_mm),
        PositionReferenceIndicator="",
    )


def add_pixels(ds: Dataset, values: Floats, bits_stored: int = 16, signed: bool = False) -> None:
    """Grey pixels, 16 bits allocated, rounded and clipped to what `bits_stored` can hold."""
    low, high = (
        (-(1 << bits_stored - 1), (1 << bits_stored - 1) - 1) if signed else (0, (1 << bits_stored) - 1)
    )
    pixels = np.clip(np.rint(values), low, high).astype("<i2" if signed else "<u2")
    add(
        ds,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=pixels.shape[0],
        Columns=pixels.shape[1],
        BitsAllocated=16,
        BitsStored=bits_stored,
        HighBit=bits_stored - 1,
        PixelRepresentation=int(signed),
        PixelData=pixels.tobytes(),
    )
    ds["PixelData"].VR = "OW"


def axis(count: int, step: float, center: float = 0.0) -> Floats:
    """`count` sample points, `step` mm apart, around `center`."""
    return (np.arange(count, dtype=np.float64) - (count - 1) / 2) * step + center
