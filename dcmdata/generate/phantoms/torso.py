"""A trunk from the neck to the kidneys: who lies in the CT scanner and stands at the X-ray wall."""

from collections.abc import Iterator

import numpy as np

from dcmdata.generate.phantoms.lung_vessels import vessel_tree
from dcmdata.generate.phantoms.painting import Part
from dcmdata.generate.phantoms.ribs import CAGE, Ribs
from dcmdata.generate.phantoms.solids import Capsule, Common, Ellipsoid, Slab, Tube

# Hounsfield units, portal venous phase.
HOUNSFIELD = {
    "air": -1000.0,
    "fat": -105.0,
    "muscle": 55.0,
    "lung": -860.0,
    "soft": 35.0,
    "heart": 95.0,
    "blood": 165.0,
    "liver": 108.0,
    "spleen": 120.0,
    "kidney": 165.0,
    "fluid": 12.0,
    "cord": 30.0,
    "disc": 80.0,
    "marrow": 210.0,
    "cartilage": 115.0,
    "bone": 620.0,
    "table": -350.0,
    "foam": -965.0,
}

OUTLINE = Tube(
    (
        (-260, 0, 0, 152, 110),
        (-100, 0, 0, 160, 121),
        (0, 0, 0, 163, 122),
        (60, 0, 2, 168, 117),
        (105, 0, 6, 178, 104),
        (135, 0, 12, 158, 86),
        (158, 0, 18, 92, 70),
        (180, 0, 20, 64, 62),
        (230, 0, 16, 60, 64),
    ),
    square=True,
)
DOMES = ((-64.0, 0.0, -150.0, 92.0), (62.0, 4.0, -158.0, 86.0))


def torso(erect: bool = False) -> list[Part]:
    """The parts in painting order; lying on the back or `erect` (the gas in the stomach rises)."""
    return [*_wall(), *_lungs(), *_mediastinum(), *_abdomen(erect), *_skeleton()]


def table() -> list[Part]:
    """The scanner's table: two thin shells of carbon fibre, foam between them."""
    shells = (((0, 52, 0), (232, 94), "table"), ((0, 52, 0), (229, 91), "foam"),
              ((0, 46, 0), (226, 84), "table"), ((0, 46, 0), (224.5, 82.5), "air"))  # fmt: skip
    return [Part(Ellipsoid(center, (*radii, 9000)), tissue) for center, radii, tissue in shells]


def _wall() -> Iterator[Part]:
    yield Part(OUTLINE, "fat")
    yield Part(OUTLINE.shrunk(15), "muscle")
    for side in (-1, 1):  # fat between the muscles of the shoulder and below the shoulder blade
        yield Part(Ellipsoid((side * 118, 40, 92), (10, 26, 40), side * 30), "fat")
        yield Part(Ellipsoid((side * 126, -30, 80), (8, 22, 40), side * -40), "fat")
    yield Part(CAGE.shrunk(-8.5), "fat")  # between the ribs and the muscles upon them
    yield Part(CAGE.shrunk(-6), "muscle")
    yield Part(CAGE.shrunk(4), "fat")
    for side in (-1, 1):  # the long muscles of the back
        yield Part(
            Tube(((-260, side * 34, 88, 24, 15), (60, side * 28, 92, 20, 13), (180, side * 24, 62, 16, 14))),
            "muscle",
        )


def _lungs() -> Iterator[Part]:
    knots = (
        (-165.0, 70.0, 4.0, 66.0, 88.0),
        (-60.0, 69.0, 3.0, 66.0, 88.0),
        (0.0, 67.0, 2.0, 63.0, 85.0),
        (50.0, 62.0, 4.0, 55.0, 76.0),
        (90.0, 51.0, 9.0, 42.0, 58.0),
        (112.0, 42.0, 15.0, 28.0, 38.0),
        (126.0, 38.0, 18.0, 15.0, 20.0),
        (132.0, 37.0, 19.0, 4.0, 6.0),
    )
    for side in (-1, 1):
        lobe = Tube(tuple((z, side * cx, cy, rx, ry) for z, cx, cy, rx, ry in knots))
        yield Part(Common(lobe, CAGE.shrunk(8)), "lung")
    for side in (-1, 1):
        for vessel in vessel_tree(side, CAGE.shrunk(10)):
            yield Part(vessel, "muscle")


def _mediastinum() -> Iterator[Part]:
    yield Part(
        Tube(
            (
                (-140, 2, 10, 34, 74),
                (0, 2, 6, 30, 74),
                (50, 2, 4, 25, 70),
                (90, 0, 8, 27, 56),
                (120, 0, 12, 29, 42),
                (140, 0, 16, 34, 34),
            )
        ),
        "fat",
    )
    yield Part(Ellipsoid((24, -30, -34), (66, 48, 58), 32), "fat")  # pericardial fat
    yield Part(Ellipsoid((25, -30, -32), (61, 44, 53), 32), "heart")
    yield Part(Ellipsoid((40, -24, -36), (35, 21, 36), 32), "blood")  # left ventricle
    yield Part(Ellipsoid((6, -52, -36), (33, 14, 33), 32), "blood")  # right ventricle
    yield Part(Ellipsoid((-22, -32, -28), (18, 24, 32), 20), "blood")  # right atrium
    yield Part(Ellipsoid((8, 8, -8), (32, 19, 24), 8), "blood")  # left atrium
    for start, end, radius in _GREAT_VESSELS:
        yield Part(Capsule(start, end, radius), "blood")
    yield Part(Capsule((6, 36, 120), (10, 34, -140), 8), "soft")  # oesophagus
    yield Part(Capsule((6, 36, 120), (8, 35, 20), 2.5), "air")
    for start, end, radius in _AIRWAYS:
        yield Part(Capsule(start, end, radius + 1.8), "soft")
    for start, end, radius in _AIRWAYS:
        yield Part(Capsule(start, end, radius), "air")
    for side in (-1, 1):
        yield Part(Ellipsoid((side * 20, 2, 150), (13, 12, 24)), "kidney")  # thyroid: as bright


_GREAT_VESSELS = (
    ((-4, -18, -10), (-14, -24, 36), 15),
    ((-14, -24, 36), (-8, -14, 62), 14.5),
    ((-8, -14, 62), (14, 16, 66), 13.5),
    ((14, 16, 66), (22, 44, 48), 13),
    ((22, 44, 48), (20, 50, -60), 12.5),
    ((20, 50, -60), (10, 38, -260), 11),
    ((-28, -14, 86), (-26, -18, -10), 9.5),
    ((-28, -14, 86), (26, -30, 94), 6.5),
    ((-28, -14, 86), (-36, -2, 140), 7),
    ((10, -4, 76), (26, 8, 150), 5),
    ((-10, -14, 72), (-22, 0, 150), 6),
    ((16, -42, 0), (18, -12, 36), 14),
    ((18, -12, 36), (-40, 2, 28), 10.5),
    ((18, -12, 36), (46, 14, 36), 11),
    ((20, 10, -4), (52, 26, -10), 8),
    ((-4, 10, -4), (-48, 20, -12), 8),
    ((-24, -4, -20), (-20, 22, -260), 12),
)
_AIRWAYS = (
    ((0, 14, 230), (-2, 20, 54), 8.5),
    ((-2, 20, 54), (-38, 22, 26), 6.5),
    ((-2, 20, 54), (42, 26, 26), 6.0),
    ((-38, 22, 26), (-50, 30, -8), 4.2),
    ((42, 26, 26), (52, 36, -12), 4.0),
    ((-30, 22, 34), (-54, 8, 54), 3.6),
)


def _abdomen(erect: bool) -> Iterator[Part]:
    within = CAGE.shrunk(7)
    for x, y, z, radius in DOMES:
        yield Part(Common(Ellipsoid((x, y, z), (radius - 14, 92, radius)), within), "muscle")
        yield Part(Common(Ellipsoid((x, y, z), (radius - 17, 89, radius - 3)), within), "fat")
    liver = CAGE.shrunk(11)
    yield Part(Common(Ellipsoid((-62, 0, -152), (76, 84, 88)), liver), "liver")
    yield Part(Common(Ellipsoid((6, -42, -138), (66, 36, 56), -8), liver), "liver")
    for start, end, radius in _LIVER_VESSELS:
        yield Part(Capsule(start, end, radius), "blood")
    yield Part(Common(Ellipsoid((92, 46, -138), (28, 44, 46), -35), liver), "spleen")
    yield Part(Common(Ellipsoid((58, -14, -138), (46, 54, 58), 25), liver), "muscle")
    stomach = Common(Ellipsoid((58, -14, -138), (40, 48, 52), 25), CAGE.shrunk(15))
    yield Part(stomach, "fluid")
    yield Part(Common(stomach, Slab(2, -112, 1e4) if erect else Slab(1, -1e4, -36)), "air")
    for side in (-1, 1):
        yield Part(Ellipsoid((side * 62, 46, -200), (27, 23, 52), side * 25), "kidney")
        yield Part(Ellipsoid((side * 52, 40, -200), (12, 9, 30)), "fat")
    for start, end, radius in (_GREAT_VESSELS[5], _GREAT_VESSELS[16]):  # aorta and vena cava again
        yield Part(Capsule(start, end, radius), "blood")


_LIVER_VESSELS = (
    ((-26, 18, -96), (-70, 30, -112), 4.5),
    ((-26, 16, -96), (-62, -22, -108), 4.0),
    ((-24, 10, -96), (-8, -42, -112), 4.0),
    ((-70, 30, -112), (-104, 40, -128), 3.2),
    ((-62, -22, -108), (-92, -44, -126), 3.0),
    ((-10, 0, -165), (-60, 6, -136), 6.0),
    ((-60, 6, -136), (-98, -8, -130), 4.0),
    ((-60, 6, -136), (-84, 38, -144), 4.0),
)


def _skeleton() -> Iterator[Part]:
    yield Part(Ribs(4.6, 7.2), "bone")
    yield Part(Ribs(2.6, 5.0), "marrow")
    yield Part(Ribs(4.0, 6.0, reach=(0.68, 0.95), last=7), "cartilage")
    yield Part(
        Tube(((-60, 0, -94, 10, 4), (-30, 0, -95, 16, 6), (60, 0, -80, 17, 6), (96, 0, -60, 27, 8))), "bone"
    )
    yield Part(
        Tube(((-56, 0, -94, 7, 2), (-30, 0, -95, 13, 4), (60, 0, -80, 14, 4), (94, 0, -60, 24, 5))), "marrow"
    )
    yield from _spine()
    for side in (-1, 1):
        blade = Ellipsoid((side * 98, 74, 62), (44, 5.5, 66), side * -38)
        yield Part(blade, "bone")
        yield Part(Ellipsoid(blade.center, (40, 2.2, 60), blade.yaw), "marrow")
        yield Part(Capsule((side * 62, 92, 92), (side * 136, 50, 118), 6), "bone")  # spine of the blade
        for start, end in (((22, -56, 104), (78, -48, 122)), ((78, -48, 122), (138, 6, 134))):
            clavicle = ((side * start[0], start[1], start[2]), (side * end[0], end[1], end[2]))
            yield Part(Capsule(*clavicle, 6.5), "bone")
            yield Part(Capsule(*clavicle, 3.5), "marrow")
        yield Part(Ellipsoid((side * 148, 20, 106), (19, 21, 22)), "bone")
        yield Part(Ellipsoid((side * 148, 20, 106), (16, 18, 19)), "marrow")


def _spine() -> Iterator[Part]:
    axis = (
        (-260.0, 0.0, 52.0),
        (-100.0, 0.0, 64.0),
        (30.0, 0.0, 66.0),
        (120.0, 0.0, 52.0),
        (230.0, 0.0, 24.0),
    )
    yield Part(Tube(tuple((z, x, y, 17, 14) for z, x, y in axis)), "disc")
    for z in np.arange(-250.0, 220.0, 24.0):
        y = float(np.interp(z, [k[0] for k in axis], [k[2] for k in axis]))
        level = ((z - 10.2, 0.0, y, 20.0, 16.0), (z, 0.0, y, 17.5, 14.5), (z + 10.2, 0.0, y, 20.0, 16.0))
        yield Part(Tube(((z - 9, 0, y + 24, 15, 14), (z + 7, 0, y + 24, 15, 14))), "bone")
        yield Part(Tube(level), "bone")
        yield Part(Tube(tuple((k[0] * 0.85 + z * 0.15, 0.0, y, k[3] - 2, k[4] - 2) for k in level)), "marrow")
        yield Part(Capsule((0, y + 34, z), (0, y + 48, z - 16), 3.6), "bone")
        for side in (-1, 1):
            yield Part(Capsule((side * 12, y + 20, z), (side * 34, y + 32, z + 2), 4.6), "bone")
    yield Part(Tube(tuple((z, x, y + 24, 11.5, 10) for z, x, y in axis)), "fat")
    yield Part(Tube(tuple((z, x, y + 24, 7, 6) for z, x, y in axis)), "cord")
