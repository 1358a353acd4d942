"""The branching vessels that make a lung look like a lung."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from dcmdata.generate.phantoms.noise import Floats, uniform
from dcmdata.generate.phantoms.solids import Capsule, Point, Solid

_GENERATIONS = 7
_ROOTS: tuple[tuple[float, float, float], ...] = (
    (0.55, -0.35, 0.75),
    (0.75, 0.30, 0.55),
    (0.85, -0.45, 0.05),
    (0.80, 0.55, -0.05),
    (0.60, 0.55, -0.70),
    (0.70, -0.05, -0.75),
    (0.35, 0.70, -0.55),
    (0.90, 0.10, 0.35),
    (0.30, -0.60, 0.40),
    (0.85, 0.35, -0.40),
    (0.45, -0.60, -0.50),
    (0.45, 0.60, 0.50),
)


@lru_cache(maxsize=4)
def vessel_tree(side: int, room: Solid) -> tuple[Capsule, ...]:
    """Branches from the hilum outwards, all within `room`; `side`: -1 is the right lung, 1 the left."""
    numbers = iter(uniform(f"vessels {side}", 20_000).tolist())
    hilum = np.array([side * 44.0, 14.0, 22.0])
    branches: list[Capsule] = []
    for root in _ROOTS:
        direction = np.array([side * root[0], root[1], root[2]])
        branches.extend(_grow(hilum, direction / np.linalg.norm(direction), 31.0, 4.3, _GENERATIONS, numbers))
    return tuple(branch for branch in branches if _within(room, branch.end))


def _within(room: Solid, point: Point) -> bool:
    x, y, z = (np.array([value]) for value in point)
    return bool(room.depth(x, y, z)[0] > 0)


def _grow(
    start: Floats, direction: Floats, length: float, radius: float, generations: int, numbers: Iterator[float]
) -> list[Capsule]:
    """One branch and, recursively, its two children: thinner, shorter and turned away from each other."""
    end = start + direction * length
    branches = [Capsule(_point(start), _point(end), radius)]
    if generations == 1:
        return branches
    swing = np.array([next(numbers), next(numbers), next(numbers)]) - 0.5
    sideways = np.cross(direction, swing)
    sideways /= np.sqrt((sideways**2).sum())
    for sign in (-1.0, 1.0):
        turned = direction + sign * (0.35 + 0.45 * next(numbers)) * sideways
        turned /= np.sqrt((turned**2).sum())
        shorter = length * (0.68 + 0.2 * next(numbers))
        branches += _grow(end, turned, shorter, radius * 0.74, generations - 1, numbers)
    return branches


def _point(vector: Floats) -> Point:
    return float(vector[0]), float(vector[1]), float(vector[2])
