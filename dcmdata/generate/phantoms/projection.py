"""X-ray projections of painted bodies: what a flat detector sees."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from dcmdata.generate.phantoms.noise import Floats
from dcmdata.generate.phantoms.painting import Grid, Part, sample

_ROWS_AT_ONCE = 24  # bounds the memory: a block is rows x columns x depth numbers
WATER = 0.0195  # attenuation of water in 1/mm at about 70 keV


def line_integrals(
    parts: Sequence[Part], hounsfield: dict[str, float], grid: Grid, along: Literal["x", "y"]
) -> Floats:
    """Attenuation summed along parallel rays: an image (z, the other axis), top row at the lowest z."""
    attenuation = {tissue: _attenuation(value) for tissue, value in hounsfield.items()}
    axis, step = (2, grid.x[1] - grid.x[0]) if along == "x" else (1, grid.y[1] - grid.y[0])
    blocks = []
    for first in range(0, grid.z.size, _ROWS_AT_ONCE):
        block = Grid(grid.x, grid.y, grid.z[first : first + _ROWS_AT_ONCE])
        blocks.append(sample(parts, attenuation, block, edge=2.5).sum(axis=axis) * step)
    return np.concatenate(blocks)


def _attenuation(hounsfield: float) -> float:
    """1/mm; bone absorbs more of an X-ray tube's softer beam than its CT number says."""
    return WATER * (1 + hounsfield / 1000 + max(0.0, hounsfield - 150) / 1500)


def box_blur(image: Floats, radius: int) -> Floats:
    """Mean over a square of `2 * radius + 1` pixels, edges repeated."""
    for axis in (0, 1):
        padded = np.pad(image, [(radius + 1, radius) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        total = np.cumsum(padded, axis=axis)
        high = np.take(total, range(2 * radius + 1, total.shape[axis]), axis=axis)
        low = np.take(total, range(total.shape[axis] - 2 * radius - 1), axis=axis)
        image = (high - low) / (2 * radius + 1)
    return image


def radiograph(integrals: Floats) -> Floats:
    """The picture for presentation (0 to 1, bone bright): large differences compressed, detail kept."""
    coarse = box_blur(box_blur(integrals, integrals.shape[0] // 14), integrals.shape[0] // 14)
    detail = integrals - box_blur(box_blur(integrals, 6), 6)
    balanced = integrals - 0.5 * coarse + 1.1 * detail
    low, high = np.percentile(balanced, [4, 99.5])
    level = np.clip((balanced - low) / (high - low), 0.0, 1.15)
    shoulder = 1.4 * level / (1 + 0.4 * level)  # the film's curve: the spine must not outshine all else
    return np.asarray(np.clip(0.05 + 0.88 * shoulder, 0.0, 1.0) * (1 - np.exp(-integrals * 6)))
