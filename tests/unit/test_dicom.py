"""Header attributes as column values: nothing is cut, nothing invented, and PostgreSQL gets no NUL."""

from __future__ import annotations

from typing import Any

import pytest

from dicom_ingest.contracts.attributes import BY_KEYWORD
from dicom_ingest.db.index.columns import columns, text_value


def column(keyword: str, *values: Any) -> tuple[Any, dict[str, list[Any]]]:
    attribute = BY_KEYWORD[keyword]
    found = columns({attribute.tag: {"vr": "UN", "Value": list(values)}}, [attribute])
    return found.values[attribute.column], found.unparsed


@pytest.mark.parametrize(
    ("keyword", "values", "expected"),
    [
        ("PatientName", [{"Alphabetic": "A^B\0", "Ideographic": "山田"}], "A^B=山田"),
        ("StudyDescription", ["Chest\0 "], "Chest"),
        ("ImageType", ["ORIGINAL", "PRIMARY\0"], ["ORIGINAL", "PRIMARY"]),
        ("StudyDate", ["2026.11.22"], "2026-11-22"),
        ("StudyTime", ["1015"], "10:15:00"),
        ("RescaleSlope", ["1.5\0"], 1.5),
        ("ProcedureCodeSequence", [{"00080100": {"Value": ["a\0"]}}], [{"00080100": {"Value": ["a"]}}]),
        ("ImageComments", ["", None], None),
        ("ImageComments", ["one", "two"], "one\\two"),
    ],
)
def test_a_value_becomes_its_column(keyword: str, values: list[Any], expected: object) -> None:
    assert column(keyword, *values) == (expected, {})


@pytest.mark.parametrize(
    ("keyword", "value", "kept"),
    [
        ("StudyDate", "unknown\0", "unknown"),
        ("StudyTime", "99", "99"),
        ("SeriesNumber", 2**40, 2**40),
        ("RescaleSlope", "nan", "nan"),
    ],
)
def test_what_does_not_parse_is_kept_as_it_came(keyword: str, value: object, kept: object) -> None:
    assert column(keyword, value) == (None, {keyword: [kept]})


def test_what_is_absent_is_null() -> None:
    attribute = BY_KEYWORD["StudyDate"]
    assert columns({}, [attribute]).values == {"study_date": None}
    assert text_value({attribute.tag: {"vr": "DA"}}, attribute.tag) is None
