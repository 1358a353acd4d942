"""Where a picture's sides are in the patient, and how large its pixels are."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any

_AXES = (("L", "R"), ("P", "A"), ("H", "F"))
"""Towards larger and smaller x, y and z (PS3.3 C.7.6.2.1.1)."""
_OPPOSITE = {letter: other for pair in _AXES for letter, other in (pair, pair[::-1])}
_FROM_THE_AXIS = 0.26
"""A direction names each axis from which it is less than 75 degrees away."""
_TIMES = ("RecommendedDisplayFrameRate", "CineRate")
USUAL_RATE = 10.0
"""Frames a second where the header recommends none."""


def geometry(header: dict[str, Any]) -> dict[str, Any]:
    """`letters`: of the left, right, upper and lower side; `spacing`: mm between columns; both if known.

    `aspect`: how much higher than wide a pixel is, where it is not square.
    """
    found: dict[str, Any] = {}
    if sides := letters(header):
        found["letters"] = sides
    if (size := spacing(header)) is not None:
        found["spacing"] = size
    if (shape := aspect(header)) != 1:
        found["aspect"] = shape
    return found


def runs(found: Iterable[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    """Each geometry with the number of the first frame that has it: most series have one."""
    kept: list[tuple[int, dict[str, Any]]] = []
    for number, each in enumerate(found, start=1):
        if not kept or kept[-1][1] != each:
            kept.append((number, each))
    return kept


def letters(header: dict[str, Any]) -> list[str] | None:
    """From ImageOrientationPatient, else from PatientOrientation (PS3.3 C.7.6.1.1.1)."""
    cosines = numbers(header, "ImageOrientationPatient", "PlaneOrientationSequence")
    if len(cosines) == 6:
        right, below = _direction(cosines[:3]), _direction(cosines[3:])
    else:
        said = header.get("PatientOrientation")
        parts = said.split("\\") if isinstance(said, str) else [str(part) for part in said or []]
        if len(parts) != 2 or not all(parts):
            return None
        right, below = (part.strip() for part in parts)
    return [_opposite(right), right, _opposite(below), below]


def spacing(header: dict[str, Any]) -> float | None:
    """Millimetres between columns; on projections those at the detector."""
    sizes = _sizes(header, "PixelSpacing", "ImagerPixelSpacing")
    return sizes[1] if sizes else None


def aspect(header: dict[str, Any]) -> float:
    """A pixel's height by its width (PS3.3 C.7.6.3.1.7): from its spacing, else as the header says it."""
    sizes = _sizes(
        header, "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio"
    )
    return round(sizes[0] / sizes[1], 4) if sizes else 1.0


def _sizes(header: dict[str, Any], *keywords: str) -> list[float] | None:
    """Of a pixel, downwards and to the right: the first of the attributes that says both."""
    for keyword in keywords:
        sizes = numbers(header, keyword, "PixelMeasuresSequence")
        if len(sizes) == 2 and min(sizes) > 0:
            return sizes
    return None


def rate(header: dict[str, Any]) -> float:
    """Frames a second of a film (PS3.3 C.7.6.5)."""
    for keyword in _TIMES:
        if (found := numbers(header, keyword)) and 0 < found[0] <= 100:
            return found[0]
    milliseconds = numbers(header, "FrameTime")
    return min(60.0, 1000 / milliseconds[0]) if milliseconds and milliseconds[0] > 0 else USUAL_RATE


def numbers(header: dict[str, Any], keyword: str, group: str | None = None) -> list[float]:
    """The values of an attribute: at the top, or in the groups that all frames share (PS3.3 C.7.6.16)."""
    value = header.get(keyword)
    if value is None and group is not None:
        for shared in _items(header.get("SharedFunctionalGroupsSequence")):
            for item in _items(shared.get(group)):
                value = item.get(keyword)
    parts = value.split("\\") if isinstance(value, str) else value if isinstance(value, list) else [value]
    try:
        found = [float(str(part)) for part in parts if part not in (None, "")]
    except ValueError:
        return []
    return found if all(map(isfinite, found)) else []


def _items(sequence: Any) -> list[dict[str, Any]]:
    return [item for item in sequence if isinstance(item, dict)] if isinstance(sequence, list) else []


def _direction(cosines: list[float]) -> str:
    parts = sorted(zip(cosines, _AXES, strict=True), key=lambda part: -abs(part[0]))
    return "".join(
        axis[0] if cosine > 0 else axis[1] for cosine, axis in parts if abs(cosine) > _FROM_THE_AXIS
    )


def _opposite(direction: str) -> str:
    return "".join(_OPPOSITE.get(letter, letter) for letter in direction)
