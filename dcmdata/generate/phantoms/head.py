"""A head from the cerebellum to the vertex: who lies in the MR scanner."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dcmdata.generate.phantoms.noise import Floats
from dcmdata.generate.phantoms.painting import Part
from dcmdata.generate.phantoms.solids import Box, Capsule, Common, Ellipsoid, Folds, Solid, Union

# Signal in arbitrary units. T1: fat and white matter bright, water dark. T2: water bright, white matter dark.
T1 = {
    "air": 0.0,
    "skin": 330.0,
    "fat": 820.0,
    "muscle": 330.0,
    "bone": 35.0,
    "marrow": 480.0,
    "csf": 110.0,
    "grey": 370.0,
    "deep grey": 425.0,
    "white": 540.0,
    "vitreous": 120.0,
    "lens": 330.0,
    "mucosa": 290.0,
}
T2 = {
    "air": 0.0,
    "skin": 260.0,
    "fat": 520.0,
    "muscle": 150.0,
    "bone": 25.0,
    "marrow": 300.0,
    "csf": 980.0,
    "grey": 430.0,
    "deep grey": 345.0,
    "white": 275.0,
    "vitreous": 1000.0,
    "lens": 160.0,
    "mucosa": 640.0,
}

CEREBRUM = Union(
    (
        Ellipsoid((0, 2, 8), (68, 85, 68), low=38),
        Ellipsoid((-42, -14, -26), (22, 36, 20), 8),
        Ellipsoid((42, -14, -26), (22, 36, 20), -8),
        Ellipsoid((-30, 52, -6), (32, 30, 26)),
        Ellipsoid((30, 52, -6), (32, 30, 26)),
    )
)
CEREBELLUM = Union((Ellipsoid((-25, 50, -40), (30, 29, 24)), Ellipsoid((25, 50, -40), (30, 29, 24))))
INNER_TABLE = Union(
    (
        Ellipsoid((0, 2, 8), (70.5, 87.5, 70.5), low=41),
        Ellipsoid((0, 36, -34), (58, 47, 36)),
        Ellipsoid((-42, -14, -26), (25, 39, 23), 8),
        Ellipsoid((42, -14, -26), (25, 39, 23), -8),
    )
)
FACE = Ellipsoid((0, -26, -58), (66, 72, 74))
SKIN = Union((Ellipsoid((0, 3, 6), (79.5, 97, 82)), FACE))


@dataclass(frozen=True)
class Layer:
    """What lies more than `below` mm inside a solid (a negative number grows it)."""

    solid: Solid
    below: float

    @property
    def box(self) -> Box:
        low_high = [(low + min(self.below, 0), high - min(self.below, 0)) for low, high in self.solid.box]
        return low_high[0], low_high[1], low_high[2]

    def depth(self, x: Floats, y: Floats, z: Floats) -> Floats:
        return self.solid.depth(x, y, z) - self.below


@dataclass(frozen=True)
class Fissure:
    """The cleft between the hemispheres, down to the corpus callosum."""

    half_width: float
    box: Box = ((-6.0, 6.0), (-90.0, 90.0), (-20.0, 80.0))

    def depth(self, x: Floats, y: Floats, z: Floats) -> Floats:
        wander = 1.2 * np.sin(y / 9 + z / 13)
        callosum = np.sqrt((y / 42) ** 2 + ((z - 2) / 27) ** 2) - 1  # it bridges the cleft
        return np.asarray(np.minimum(self.half_width - np.abs(x - wander), callosum * 27))


def head() -> list[Part]:
    """The parts in painting order."""
    return [*_shell(), *_face(), *_brain(), *_deep()]


def _shell() -> Iterator[Part]:
    yield Part(Ellipsoid((0, 56, -74), (50, 34, 44)), "skin")  # neck
    yield Part(Ellipsoid((0, 56, -74), (46, 30, 44)), "muscle")
    yield Part(SKIN, "skin")
    yield Part(Layer(SKIN, 2.2), "fat")
    yield Part(Layer(FACE, 9.0), "muscle")
    for side in (-1, 1):
        yield Part(Ellipsoid((side * 78, 12, -44), (5, 17, 26), side * -18), "skin")  # ears
        yield Part(Ellipsoid((side * 66, -26, -22), (9, 27, 36), side * 8), "muscle")  # temporal muscle
    yield Part(Layer(INNER_TABLE, -6.0), "bone")
    yield Part(Layer(INNER_TABLE, -3.9), "marrow")
    yield Part(Layer(INNER_TABLE, -2.2), "bone")
    yield Part(INNER_TABLE, "csf")


def _face() -> Iterator[Part]:
    for side in (-1, 1):
        yield Part(Ellipsoid((side * 32, -66, -42), (19, 26, 17), side * -20), "bone")
        yield Part(Ellipsoid((side * 32, -68, -42), (17, 26, 15), side * -20), "fat")
        yield Part(Capsule((side * 31, -66, -42), (side * 12, -26, -38), 2.6), "grey")  # optic nerve
        yield Part(Capsule((side * 44, -66, -43), (side * 22, -34, -41), 2.4), "muscle")
        yield Part(Capsule((side * 21, -68, -43), (side * 15, -36, -41), 2.4), "muscle")
        yield Part(Ellipsoid((side * 33, -79, -42), (12.5, 12.5, 12.5)), "vitreous")
        yield Part(Ellipsoid((side * 33.5, -88.5, -42), (4.8, 2.4, 4.8)), "lens")
        yield Part(Ellipsoid((side * 9, -60, -48), (7, 26, 17)), "mucosa")
        yield Part(Ellipsoid((side * 9, -62, -48), (4.5, 22, 14)), "air")  # ethmoid cells
        yield Part(Ellipsoid((side * 9, -32, -48), (9, 9, 8)), "air")  # sphenoid sinus
        yield Part(Ellipsoid((side * 12, -86, -12), (10, 5, 9)), "air")  # frontal sinus
        yield Part(Ellipsoid((side * 44, 14, -48), (19, 10, 9), side * 35), "bone")  # petrous bone
        yield Part(Ellipsoid((side * 28, 8, -46), (6, 2.4, 2.4), side * 35), "csf")  # inner ear
        yield Part(Ellipsoid((side * 58, 28, -52), (9, 12, 14)), "air")  # mastoid cells
    yield Part(Ellipsoid((0, -20, -54), (16, 22, 10)), "bone")  # clivus
    yield Part(Ellipsoid((0, -20, -54), (11, 16, 6)), "marrow")
    yield Part(Ellipsoid((0, -104, -52), (10, 14, 18)), "skin")  # nose


def _brain() -> Iterator[Part]:
    yield Part(CEREBRUM, "grey")
    banks = Folds("sulci", 24.0, 4.6, CEREBRUM, 0.21, inverted=True)
    yield Part(Common(Layer(CEREBRUM, 3.2), banks), "white")
    yield Part(Common(CEREBRUM, Folds("sulci", 24.0, 1.3, CEREBRUM, 0.075)), "csf")
    yield Part(Common(Fissure(1.4), INNER_TABLE), "csf")
    for side in (-1, 1):  # the Sylvian fissures and the insula
        yield Part(Ellipsoid((side * 42, -12, -4), (2.6, 24, 10), side * 10), "csf")
        yield Part(Capsule((side * 42, -16, -6), (side * 66, -6, -2), 2.0), "csf")
        yield Part(Ellipsoid((side * 37.5, -10, -2), (3.0, 23, 13), side * 10), "grey")
    yield Part(Layer(CEREBELLUM, -2), "csf")
    yield Part(CEREBELLUM, "grey")
    folia = Folds("folia", 9.0, 1.9, CEREBELLUM, 0.16, inverted=True)
    yield Part(Common(Layer(CEREBELLUM, 1.5), folia), "white")
    yield Part(Ellipsoid((0, 48, -40), (7, 20, 15)), "grey")  # vermis
    yield Part(Ellipsoid((0, 4, -30), (25, 15, 22)), "csf")  # basal cisterns
    yield Part(Capsule((0, 10, -14), (0, 16, -90), 11), "csf")
    yield Part(Capsule((0, 10, -12), (0, 12, -26), 12.5), "white")
    yield Part(Ellipsoid((0, 8, -38), (16, 14, 14)), "white")  # pons
    yield Part(Capsule((0, 14, -46), (0, 18, -90), 8), "white")
    for side in (-1, 1):
        yield Part(Capsule((side * 8, 14, -38), (side * 22, 34, -40), 7), "white")
        yield Part(Ellipsoid((side * 12, -2, -20), (5.5, 10, 6), side * -35), "white")  # crura


def _deep() -> Iterator[Part]:
    yield Part(Common(Ellipsoid((0, 0, 4), (33, 44, 27)), Layer(CEREBRUM, 12.0)), "white")
    for side in (-1, 1):
        yield Part(Ellipsoid((side * 13, 10, 4), (9.5, 15, 11), side * -22), "deep grey")  # thalamus
        yield Part(Ellipsoid((side * 26, -8, 2), (6.5, 17, 12), side * -14), "deep grey")  # lentiform nucleus
        yield Part(Ellipsoid((side * 14, -24, 8), (6.5, 9, 14), side * -15), "deep grey")  # caudate nucleus
        for start, end, radius in _VENTRICLE:
            yield Part(
                Capsule((side * start[0], start[1], start[2]), (side * end[0], end[1], end[2]), radius), "csf"
            )
        yield Part(Ellipsoid((side * 19, 38, 4), (4.2, 7, 5), side * 30), "deep grey")  # choroid plexus
    yield Part(Ellipsoid((0, 4, 0), (2.4, 14, 11)), "csf")  # third ventricle
    yield Part(Capsule((0, 19, -12), (0, 22, -24), 1.8), "csf")  # aqueduct
    yield Part(Ellipsoid((0, 27, -38), (9, 5.5, 10)), "csf")  # fourth ventricle


_VENTRICLE = (
    ((5, -34, 8), (7, -22, 16), 4.4),
    ((7, -22, 16), (9, 4, 24), 5.2),
    ((9, 4, 24), (16, 26, 20), 5.6),
    ((16, 26, 20), (23, 38, 8), 6.4),
    ((23, 38, 8), (22, 58, 4), 4.2),
    ((23, 38, 8), (34, 12, -20), 3.2),
    ((5, -34, 8), (10, -40, 2), 3.4),
)
