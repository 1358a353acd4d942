"""How bodies become voxels: painted one over the other, blended at the edge as in a real pixel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dcmdata.generate.phantoms.noise import Floats
from dcmdata.generate.phantoms.solids import Solid


@dataclass(frozen=True)
class Part:
    """A solid made of one tissue."""

    solid: Solid
    tissue: str


@dataclass(frozen=True)
class Grid:
    """Sample points: the three axes, ascending, in mm."""

    x: Floats
    y: Floats
    z: Floats


def sample(parts: Sequence[Part], palette: Mapping[str, float], grid: Grid, edge: float = 1.5) -> Floats:
    """Paint the parts in order into a volume (z, y, x); `palette` gives each tissue its value."""
    volume = np.full((grid.z.size, grid.y.size, grid.x.size), palette["air"])
    for part in parts:
        inside = tuple(
            slice(int(np.searchsorted(axis, low - edge)), int(np.searchsorted(axis, high + edge)))
            for axis, (low, high) in zip((grid.z, grid.y, grid.x), reversed(part.solid.box), strict=True)
        )
        region = volume[inside]
        if region.size:
            x, y, z = grid.x[inside[2]], grid.y[inside[1]][:, None], grid.z[inside[0]][:, None, None]
            cover = np.clip(part.solid.depth(x, y, z) / edge + 0.5, 0.0, 1.0)
            region += cover * (palette[part.tissue] - region)
    return volume
