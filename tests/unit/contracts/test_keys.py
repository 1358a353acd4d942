"""S3 keys: built and parsed in one place, nothing unsafe ever becomes one."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_ingest.contracts.keys import (
    InstanceKey,
    KeyFormatError,
    ManifestKey,
    SeriesPrefix,
    parse_instance_key,
    parse_manifest_key,
    parse_series_prefix,
)
from dicom_ingest.contracts.uids import UnsafeIdentifierError, safe_uid, uid_findings

TRANSFER = "3f2b8c1e-5d4a-4b6f-9a7c-0d1e2f3a4b5c"
uids = st.from_regex(r"[0-9][0-9.]{0,63}", fullmatch=True)
edges = st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True)
transfers = st.builds(lambda: str(uuid4()))


@given(edges, transfers, uids, uids, uids)
def test_an_instance_key_survives_the_round_trip(
    edge: str, transfer: str, study: str, series: str, sop: str
) -> None:
    key = InstanceKey(SeriesPrefix(edge, transfer, study, series), sop)
    assert parse_instance_key(str(key)) == key
    assert parse_series_prefix(str(key.prefix)) == key.prefix
    assert str(key).startswith(str(key.prefix))


@given(edges, transfers, uids, st.dates(min_value=date(2000, 1, 1)))
def test_a_manifest_key_survives_the_round_trip(edge: str, transfer: str, series: str, day: date) -> None:
    key = ManifestKey(edge, day, transfer, series)
    assert parse_manifest_key(str(key)) == key


@given(uids, uids)
def test_a_prefix_never_takes_another_series(one: str, other: str) -> None:
    first, second = (SeriesPrefix("stack-edge1", TRANSFER, "1.2", series) for series in (one, other))
    assert one == other or not str(second).startswith(str(first))


@given(st.text(max_size=80))
def test_whatever_text_is_parsed_as_a_key_it_is_ours_or_refused(text: str) -> None:
    try:
        parsed = parse_instance_key(text)
    except KeyFormatError:
        return
    assert str(parsed) == text


@pytest.mark.parametrize(
    "uid", ["../../x", "1.2/3", "", ".1.2", "1" * 65, "1.2a", "1.2\n", "1.2\0.3", " 1.2"]
)
def test_an_unsafe_uid_is_refused(uid: str) -> None:
    with pytest.raises(UnsafeIdentifierError):
        safe_uid(uid)
    with pytest.raises(UnsafeIdentifierError):
        SeriesPrefix("stack-edge1", TRANSFER, "1.2", uid)


@pytest.mark.parametrize(
    ("uid", "findings"),
    [
        ("1.2.840", []),
        ("1.02", ["leading zero"]),
        ("1..2", ["empty component"]),
        ("1.2.", ["empty component"]),
    ],
)
def test_what_the_standard_forbids_beyond_safety_is_taken_and_reported(uid: str, findings: list[str]) -> None:
    assert safe_uid(uid + "\0") == uid
    assert uid_findings(uid) == findings


@pytest.mark.parametrize("edge", ["manifests", "results", "a b", "", "x/y"])
def test_an_edge_cannot_be_named_as_one_of_our_own_prefixes(edge: str) -> None:
    with pytest.raises(UnsafeIdentifierError):
        SeriesPrefix(edge, TRANSFER, "1.2", "1.3")


def test_results_lie_outside_what_healthimaging_scans() -> None:
    prefix = SeriesPrefix("stack-edge1", TRANSFER, "1.2", "1.3")
    assert prefix.results(2) == f"results/{prefix}2/"
    with pytest.raises(ValueError, match="attempt 0"):
        prefix.results(0)
