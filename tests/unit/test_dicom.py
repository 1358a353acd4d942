"""Header attributes as column values: nothing is cut, nothing invented, and PostgreSQL gets no NUL."""

from __future__ import annotations

from typing import Any

import pytest

from dicom_ingest.contracts.attributes import BY_KEYWORD
from dicom_ingest.db.index.columns import columns, key_value, text_value


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
        ("ImageComments", ["one", None, "two"], "one\\\\two"),
        ("StudyDescription", ["  Chest "], "Chest"),
        ("ImageType", ["ORIGINAL", "", "AXIAL"], ["ORIGINAL", None, "AXIAL"]),
        ("ImageType", ["", None], None),
        ("ImagePositionPatient", [1.5, None, " 3 "], [1.5, None, 3.0]),
        ("SeriesNumber", ["+3"], 3),
        ("SeriesNumber", [3.0], 3),
        ("PatientBirthDate", [""], None),
        ("ProcedureCodeSequence", [], None),
        (
            "ProcedureCodeSequence",
            [{"00080100": {"Value": ["C:\\users\\u0000x", float("nan")]}}],
            [{"00080100": {"Value": ["C:\\users\\u0000x", "nan"]}}],
        ),
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
        ("RescaleSlope", "1_0", "1_0"),
        ("SeriesNumber", "1_000", "1_000"),
        ("SeriesNumber", "\x05", "\x05"),
        ("StudyDate", "٢٠٢٦١١٢٢", "٢٠٢٦١١٢٢"),
        ("StudyTime", "235960.999999", "235960.999999"),
        ("StudyTime", "23:59:60.5", "23:59:60.5"),
        ("StudyTime", "101560.25", "101560.25"),
        ("StudyTime", "101530.1234567", "101530.1234567"),
    ],
)
def test_what_does_not_parse_is_kept_as_it_came(keyword: str, value: object, kept: object) -> None:
    assert column(keyword, value) == (None, {keyword: [kept]})


@pytest.mark.parametrize("vr", ["LT", "ST", "UT"])
def test_leading_blanks_count_in_paragraphs(vr: str) -> None:
    attribute = BY_KEYWORD["ImageComments"]
    found = columns({attribute.tag: {"vr": vr, "Value": ["  indented\r\n  text "]}}, [attribute])
    assert found.values == {"image_comments": "  indented\r\n  text"}


def test_a_key_is_the_whole_value_or_a_hash_of_it() -> None:
    assert key_value({"00100020": {"Value": ["DEPT", "4711"]}}, "00100020") == "DEPT\\4711"
    long = key_value({"00100020": {"Value": ["a" * 6000]}}, "00100020")
    assert long is not None
    assert len(long) == len("sha256:") + 64
    undecoded = [
        key_value({"00100020": {"Value": ["\ufffd"], "InlineBinary": raw}}, "00100020")
        for raw in ("wyg=", "wyk=")
    ]
    assert len(set(undecoded)) == 2
    assert key_value({"00100020": {"Value": [" "]}}, "00100020") is None


def test_what_is_absent_is_null() -> None:
    attribute = BY_KEYWORD["StudyDate"]
    assert columns({}, [attribute]).values == {"study_date": None}
    assert text_value({attribute.tag: {"vr": "DA"}}, attribute.tag) is None
