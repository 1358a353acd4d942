"""Bodies in patient space (mm; x to the left, y to the back, z to the head).

A solid answers one question: how deep inside it lies a point?
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dcmdata.generate.phantoms.noise import Floats, waves

Point = tuple[float, float, float]
Box = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
EVERYWHERE: Box = ((-1e4, 1e4), (-1e4, 1e4), (-1e4, 1e4))


class Solid(Protocol):
    """Something with an inside."""

    @property
    def box(self) -> Box:
        """Lowest and highest x, y and z of the body."""

    def depth(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """Depth below the surface in mm, negative outside; near the surface it is a good distance."""


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid, turned by `yaw` degrees in the axial plane; `low`: its z radius below, if another."""

    center: Point
    radii: Point
    yaw: float = 0.0
    low: float = 0.0

    @property
    def box(self) -> Box:
        flat = max(self.radii[:2])
        reach = (flat, flat, self.radii[2]) if self.yaw else self.radii
        low_high = [(c - r, c + r) for c, r in zip(self.center, reach, strict=True)]
        return low_high[0], low_high[1], low_high[2]

    def depth(self, x: Floats, y: Floats, z: Floats) -> Floats:
        cos, sin = np.cos(np.radians(self.yaw)), np.sin(np.radians(self.yaw))
        dx, dy, dz = x - self.center[0], y - self.center[1], z - self.center[2]
        u = (cos * dx + sin * dy) / self.radii[0]
        v = (cos * dy - sin * dx) / self.radii[1]
        w = dz / (np.where(dz < 0, self.low, self.radii[2]) if self.low else self.radii[2])
        return np.asarray((1 - np.sqrt(u * u + v * v + w * w)) * min(self.radii))


@dataclass(frozen=True)
class Capsule:
    """A round rod from `start` to `end`."""

    start: Point
    end: Point
    radius: float

    @property
    def box(self) -> Box:
        ends = [sorted(pair) for pair in zip(self.start, self.end, strict=True)]
        low_high = [(low - self.radius, high + self.radius) for low, high in ends]
        return low_high[0], low_high[1], low_high[2]

    def depth(self, x: Floats, y: Floats, z: Floats) -> Floats:
        ax, ay, az = (e - s for s, e in zip(self.start, self.end, strict=True))
        dx, dy, dz = x - self.start[0], y - self.start[1], z - self.start[2]
        length = ax * ax + ay * ay + az * az or 1.0
        along = np.clip((dx * ax + dy * ay + dz * az) / length, 0.0, 1.0)
        px, py, pz = dx - along * ax, dy - along * ay, dz - along * az
        return self.radius - np.sqrt(px * px + py * py + pz * pz)


@dataclass(frozen=True)
class Tube:
    """A body along z: an oval (squarer than an ellipse if `square`) whose centre and radii follow knots.

    A knot is (z, centre x, centre y, radius x, radius y), in ascending z.
    """

    knots: tuple[tuple[float, float, float, float, float], ...]
    square: bool = False

    @property
    def box(self) -> Box:
        return (
            (min(k[1] - k[3] for k in self.knots), max(k[1] + k[3] for k in self.knots)),
            (min(k[2] - k[4] for k in self.knots), max(k[2] + k[4] for k in self.knots)),
            (self.knots[0][0], self.knots[-1][0]),
        )

    def outline(self, x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats]:
        """Distance from the axis relative to the surface (1 on it), and the smaller radius in mm."""
        heights = [k[0] for k in self.knots]
        cx, cy, rx, ry = (_smooth(z, heights, [k[i] for k in self.knots]) for i in (1, 2, 3, 4))
        u, v = np.abs((x - cx) / rx), np.abs((y - cy) / ry)
        relative = np.cbrt(u * u * u + v * v * v) if self.square else np.sqrt(u * u + v * v)
        return relative, np.minimum(rx, ry)

    def depth(self, x: Floats, y: Floats, z: Floats) -> Floats:
        relative, radius = self.outline(x, y, z)
        ends = np.minimum(z - self.knots[0][0], self.knots[-1][0] - z)
        return np.minimum((1 - relative) * radius, ends)

    def shrunk(self, by: float) -> "Tube":
        """The same body, `by` mm smaller all around."""
        return Tube(tuple((z, x, y, a - by, b - by) for z, x, y, a, b in self.knots), self.square)


def _smooth(at: Floats, places: list[float], values: list[float]) -> Floats:
    """A smooth curve through the knots (cubic Hermite, flat at an extremum so that it never overshoots)."""
    rises = np.diff(values) / np.diff(places)
    inner = np.where(
        rises[1:] * rises[:-1] > 0, 2 * rises[1:] * rises[:-1] / (rises[1:] + rises[:-1] + 1e-300), 0.0
    )
    tangents = np.concatenate([rises[:1], inner, rises[-1:]])
    left = np.clip(np.searchsorted(places, at, side="right") - 1, 0, len(places) - 2)
    width = np.diff(places)[left]
    t = np.clip((at - np.asarray(places)[left]) / width, 0.0, 1.0)
    start, end = np.asarray(values)[left], np.asarray(values)[left + 1]
    blend = t * t * (3 - 2 * t)
    bend = t * (1 - t) * width * ((1 - t) * tangents[left] - t * tangents[left + 1])
    return np.asarray(start + blend * (end - start) + bend)


@dataclass(frozen=True)
class Slab:
    """Everything between two parallel planes, across the axis x (0), y (1) or z (2)."""

    axis: int
    low: float
    high: float
    box: Box = EVERYWHERE

    def depth(self, x: Floats, y: Floats, z: Floats) -> Floats:
        along = (x, y, z)[self.axis]
        return np.minimum(along - self.low, self.high - along)


@dataclass(frozen=True)
class Common:
    """What lies in both bodies."""

    one: Solid
    other: Solid

    @property
    def box(self) -> Box:
        return self.one.box

    def depth(self, x: Floats, y: Floats, z: Floats) -> Floats:
        return np.minimum(self.one.depth(x, y, z), self.other.depth(x, y, z))


@dataclass(frozen=True)
class Union:
    """What lies in any of the bodies."""

    solids: tuple[Solid, ...]

    @property
    def box(self) -> Box:
        boxes = [solid.box for solid in self.solids]
        low_high = [(min(b[i][0] for b in boxes), max(b[i][1] for b in boxes)) for i in range(3)]
        return low_high[0], low_high[1], low_high[2]

    def depth(self, x: Floats, y: Floats, z: Floats) -> Floats:
        depth = self.solids[0].depth(x, y, z)
        for solid in self.solids[1:]:
            depth = np.maximum(depth, solid.depth(x, y, z))
        return depth


@dataclass(frozen=True)
class Folds:
    """The neighbourhood (`reach` mm) of the winding sheets on which a smooth random field is zero.

    It tapers off below the `surface` of a body, by `taper` mm a mm.
    """

    seed: str
    wavelength: float
    reach: float
    surface: Solid
    taper: float
    inverted: bool = False

    @property
    def box(self) -> Box:
        return self.surface.box

    def depth(self, x: Floats, y: Floats, z: Floats) -> Floats:
        vectors, phases = waves(self.seed, self.wavelength)
        field = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape))
        for (kx, ky, kz), phase in zip(vectors, phases, strict=True):
            field += np.cos(kx * x + ky * y + kz * z + phase)
        millimetres = self.wavelength / (2 * np.pi) / np.sqrt(len(phases) / 2)
        reach = self.reach - self.taper * self.surface.depth(x, y, z)
        distance = reach - np.abs(field) * millimetres
        return np.asarray(-distance if self.inverted else distance)
