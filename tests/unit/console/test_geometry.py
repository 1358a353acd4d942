"""Letters, spacing and pace of a picture, from the header as HealthImaging writes it."""

from __future__ import annotations

from typing import Any

import pytest

from console.pictures.geometry import geometry, rate, runs


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"]}, ["R", "L", "A", "P"]),
        ({"ImageOrientationPatient": "1\\0\\0\\0\\0\\-1"}, ["R", "L", "H", "F"]),
        ({"ImageOrientationPatient": [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]}, ["A", "P", "H", "F"]),
        ({"ImageOrientationPatient": [0.7071, 0.7071, 0, 0, 0, -1]}, ["RA", "LP", "H", "F"]),
        ({"PatientOrientation": ["L", "F"]}, ["R", "L", "H", "F"]),
        ({"PatientOrientation": "P\\F"}, ["A", "P", "H", "F"]),
        ({"PatientOrientation": ["", ""]}, None),
        ({"ImageOrientationPatient": ["x"] * 6}, None),
        ({}, None),
        (
            {
                "SharedFunctionalGroupsSequence": [
                    {"PlaneOrientationSequence": [{"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}]}
                ]
            },
            ["R", "L", "A", "P"],
        ),
    ],
)
def test_each_side_has_the_letter_of_where_it_is_in_the_patient(
    header: dict[str, Any], expected: list[str] | None
) -> None:
    assert geometry(header).get("letters") == expected


def test_the_size_of_a_pixel_is_the_patients_before_the_detectors() -> None:
    assert geometry({"PixelSpacing": ["0.5", "0.7"], "ImagerPixelSpacing": ["1", "1"]})["spacing"] == 0.7
    assert geometry({"ImagerPixelSpacing": ["0.15", "0.15"]})["spacing"] == 0.15
    assert geometry({"PixelSpacing": ["0", "0"]}) == {}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"PixelSpacing": ["1.0", "0.5"]}, 2.0),
        ({"PixelSpacing": ["0.5", "0.5"], "PixelAspectRatio": ["2", "1"]}, None),
        ({"PixelAspectRatio": ["4", "3"]}, 1.3333),
        ({"ImagerPixelSpacing": "0.2\\0.1"}, 2.0),
        ({"PixelAspectRatio": ["0", "1"]}, None),
        ({"PixelSpacing": ["nan", "1"]}, None),
        ({}, None),
    ],
)
def test_a_pixel_that_is_not_square_has_its_shape(header: dict[str, Any], expected: float | None) -> None:
    assert geometry(header).get("aspect") == expected


def test_a_geometry_is_told_once_for_the_frames_that_share_it() -> None:
    assert runs([{"a": 1}, {"a": 1}, {"a": 2}, {"a": 1}]) == [(1, {"a": 1}), (3, {"a": 2}), (4, {"a": 1})]


def test_a_film_runs_as_its_header_says() -> None:
    assert rate({"CineRate": "25"}) == 25
    assert rate({"FrameTime": "40"}) == 25
    assert rate({"FrameTime": "0", "CineRate": "0"}) == rate({}) == 10
