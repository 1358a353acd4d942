"""The rib cage: an oval tube, and the bands of bone that lie upon it."""

from dataclasses import dataclass

import numpy as np

from dcmdata.generate.phantoms.noise import Floats
from dcmdata.generate.phantoms.solids import Box, Tube

CAGE = Tube(
    (
        (-260, 0, 4, 122, 84),
        (-170, 0, 4, 128, 91),
        (-100, 0, 2, 138, 95),
        (-40, 0, 0, 138, 96),
        (0, 0, 0, 134, 93),
        (50, 0, 2, 122, 84),
        (90, 0, 8, 102, 70),
        (115, 0, 14, 80, 56),
        (140, 0, 20, 52, 40),
    ),
)


@dataclass(frozen=True)
class Ribs:
    """Twelve pairs of ribs: bands on the cage that start at the spine and fall towards the front."""

    thickness: float
    height: float
    reach: tuple[float, float] = (0.0, 0.68)  # 0 is the spine, 1 the breastbone
    last: int = 12
    first_z: float = 132.0

    @property
    def box(self) -> Box:
        wide = 150.0
        return (-wide, wide), (-wide, wide), (-200.0, 150.0)

    def depth(self, x: Floats, y: Floats, z: Floats) -> Floats:
        relative, _ = CAGE.outline(x, y, z)
        out = (relative - 1) * np.sqrt(x * x + y * y) / np.maximum(relative, 0.2)
        depth = np.full(out.shape, -2.0)
        near = np.abs(out) < self.thickness + 2  # a tenth of the points: the rest need no angle
        depth[near] = self._depth_near(out[near], *(a[near] for a in np.broadcast_arrays(x, y, z)))
        return depth

    def _depth_near(self, out: Floats, x: Floats, y: Floats, z: Floats) -> Floats:
        """The depth of points on or near the cage, `out` mm outside it."""
        around = np.arctan2(np.abs(x), y) / np.pi
        fall = 1.35 * np.minimum(around, 0.75) - 0.55 * np.maximum(around - 0.62, 0.0)
        spacing = 22.0 + 7.0 * fall
        number = (self.first_z - 40.0 * fall - z) / spacing
        nearest = np.clip(np.round(number), 0, self.last - 1)
        off = (number - nearest) * spacing
        inside = 1 - np.sqrt((out / self.thickness) ** 2 + (off / self.height) ** 2)
        end = np.where(nearest < 10, self.reach[1], min(self.reach[1], 0.42))
        limit = np.minimum(around - self.reach[0], end - around) * 200.0
        return np.minimum(inside * self.thickness, limit)
