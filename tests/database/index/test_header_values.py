"""Header values as they come in the field: none is lost, none is taken for another, none fails a series."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicom_ingest.contracts.attributes import ATTRIBUTES
from dicom_ingest.db.index.rows import Objects, series_rows
from dicom_ingest.db.server.connection import Connection, Database
from tests.support.workflow.series import MORNING, Announced, element, new_uid
from tests.support.workflow.workers import index_series, index_within

CT = {
    "00080050": element("SH", "ACC-77"),
    "00081030": element("LO", "Chest"),
    "00100010": element("PN", {"Alphabetic": "Phantom^Torso"}),
    "00100030": element("DA", "19700131"),
    "00400555": element("SQ"),
}
HOUR = timedelta(hours=1)


def one(database: Database, sql: str) -> dict[str, Any]:
    with database.transaction() as connection:
        (row,) = connection.run(sql)
    return row


def part(of: Announced, number: int, attributes: dict[str, Any], **changes: Any) -> Announced:
    """Another series of the same study, received `number` hours later."""
    other = Announced()
    return replace(
        of,
        transfer_id=other.transfer_id,
        series_instance_uid=other.series_instance_uid,
        sop_instance_uids=other.sop_instance_uids,
        received_at=MORNING + number * HOUR,
        attributes=lambda _: attributes,
        **changes,
    )


def header_of(attributes: dict[str, Any]) -> Callable[[int], dict[str, Any]]:
    """The same of every instance."""
    return lambda _: attributes


KNOWN = (
    "SELECT accession_number, study_description, patient_name, patient_birth_date::text "
    "FROM study JOIN patient ON patient.pk = patient_pk"
)
VALUES = {
    "accession_number": "ACC-77",
    "study_description": "Chest",
    "patient_name": "Phantom^Torso",
    "patient_birth_date": "1970-01-31",
}


@pytest.mark.parametrize(
    "report",
    [
        {},
        {tag: {"vr": "LO"} for tag in CT},
        {tag: element("LO", None) for tag in CT},
        {tag: element("LO", "", "  ") for tag in CT},
        {"00100010": element("PN", {}), "00100030": element("DA", "")},
    ],
)
def test_a_later_object_that_says_nothing_erases_nothing(database: Database, report: dict[str, Any]) -> None:
    image = Announced(attributes=lambda _: CT)
    index_series(database, image)
    index_series(database, part(image, 1, report))
    assert one(database, KNOWN) == VALUES


def test_a_correction_replaces_and_an_old_replay_does_not_undo_it(database: Database) -> None:
    image = Announced(attributes=lambda _: CT)
    index_series(database, image)
    index_series(database, part(image, 1, {"00080050": element("SH", "ACC-78")}))
    with database.transaction() as connection:
        index_within(connection, image, image.rows())
    assert one(database, KNOWN) == VALUES | {"accession_number": "ACC-78"}


def test_whatever_order_transfers_come_in_the_newest_value_of_each_attribute_stays(
    database: Database,
) -> None:
    studies = []
    for order in permutations(range(4)):
        first = Announced(patient_id=new_uid())
        parts = [
            part(first, 1, {"00080050": element("SH", "A"), "00081030": element("LO", "old")}),
            part(first, 2, {"00080050": element("SH", "B")}),
            part(first, 3, {"00081030": element("LO", "new"), "00080020": element("DA", "20261122")}),
            part(first, 4, {"00200010": element("SH", "7")}),
        ]
        for number in order:
            index_series(database, parts[number])
        studies.append(first.study_instance_uid)
    with database.transaction() as connection:
        found = connection.run(
            "SELECT DISTINCT accession_number, study_description, study_date::text, study_id FROM study"
        )
    assert found == [
        {"accession_number": "B", "study_description": "new", "study_date": "2026-11-22", "study_id": "7"}
    ]


def test_what_cannot_be_parsed_stands_beside_what_could(database: Database) -> None:
    image = Announced(attributes=lambda _: CT)
    index_series(database, image)
    index_series(database, part(image, 1, {"00100030": element("DA", "unknown")}))
    found = one(database, "SELECT patient_birth_date::text AS date, unparsed FROM patient")
    assert found == {"date": "1970-01-31", "unparsed": {"PatientBirthDate": ["unknown"]}}
    index_series(database, part(image, 2, {"00100030": element("DA", "19700201")}))
    found = one(database, "SELECT patient_birth_date::text AS date, unparsed FROM patient")
    assert found == {"date": "1970-02-01", "unparsed": {}}


def test_the_first_instance_that_has_a_value_speaks_for_the_series(database: Database) -> None:
    image = Announced(attributes=lambda number: CT if number == 2 else {"00100030": element("DA", "")})
    index_series(database, image)
    assert one(database, KNOWN) == VALUES


@pytest.mark.parametrize(
    ("one_id", "other_id"),
    [
        (element("LO", "DEPT", "4711"), element("LO", "DEPT", "4712")),
        (element("LO", "a" * 6000), element("LO", "a" * 5999 + "b")),
        (
            {"vr": "LO", "Value": ["\ufffd"], "InlineBinary": "wyg="},
            {"vr": "LO", "Value": ["\ufffd"], "InlineBinary": "wyk="},
        ),
        (element("LO", "47", None), element("LO", None, "47")),
    ],
)
def test_patient_ids_that_differ_anywhere_are_different_patients(
    database: Database, one_id: dict[str, Any], other_id: dict[str, Any]
) -> None:
    for patient_id in (one_id, other_id):
        header = {"00100020": patient_id}
        index_series(database, Announced(attributes=header_of(header)))
    assert one(database, "SELECT count(*) AS n FROM patient") == {"n": 2}


def test_a_long_patient_id_is_kept_whole_and_found(database: Database) -> None:
    text = "".join(chr(33 + 7 * n % 90) for n in range(6000))
    index_series(
        database,
        Announced(attributes=lambda _: {"00100020": element("LO", text), "00080050": element("SH", text)}),
    )
    found = one(
        database, "SELECT patient_id, accession_number FROM patient JOIN study ON patient_pk = patient.pk"
    )
    assert found == {"patient_id": text, "accession_number": text}


@pytest.mark.parametrize("issuer_first", [True, False])
def test_an_issuer_in_some_objects_of_a_study_makes_one_patient_and_a_finding(
    database: Database, issuer_first: bool
) -> None:
    named = Announced(issuer="HOSPITAL")
    unnamed = part(named, 1, {}, issuer=None)
    found: list[str] = []
    for announced in (named, unnamed) if issuer_first else (unnamed, named):
        found += index_series(database, announced).findings
    assert one(database, "SELECT issuer, (SELECT count(*) FROM study) AS studies FROM patient") == {
        "issuer": "HOSPITAL",
        "studies": 1,
    }
    assert any("issuer of its patient id" in finding for finding in found)


def test_an_issuer_in_some_objects_of_a_series_makes_one_patient_and_a_finding(database: Database) -> None:
    mixed = Announced(
        attributes=lambda number: {"00100021": element("LO", "HOSPITAL")} if number == 2 else {}
    )
    found = index_series(database, mixed).findings
    assert one(database, "SELECT issuer FROM patient") == {"issuer": "HOSPITAL"}
    assert found == ["its instances carry 2 different values of IssuerOfPatientID"]


def test_an_issuer_named_later_moves_its_study_only(database: Database) -> None:
    elsewhere = Announced()
    unnamed = Announced()
    for announced in (elsewhere, unnamed, part(unnamed, 1, {}, issuer="HOSPITAL")):
        index_series(database, announced)
    with database.transaction() as connection:
        found = connection.run(
            "SELECT issuer, study_instance_uid FROM study JOIN patient ON patient.pk = patient_pk"
        )
    assert {row["issuer"]: row["study_instance_uid"] for row in found} == {
        "HOSPITAL": unnamed.study_instance_uid,
        elsewhere.edge: elsewhere.study_instance_uid,
    }


def test_a_study_of_two_patients_is_a_finding(database: Database) -> None:
    first = Announced()
    index_series(database, first)
    found = index_series(database, part(first, 1, {}, patient_id="4712")).findings
    assert found == ["its study is filed under 2 patients"]


def test_an_object_that_comes_after_it_was_missed_waits_for_its_import(database: Database) -> None:
    announced = Announced()
    first = announced.manifest().instances[0]
    verdicts = "SELECT sop_instance_uid, verdict, message FROM instance_transfer ORDER BY verdict"
    with database.transaction() as connection:
        index_within(
            connection, announced, series_rows(announced.manifest(), Objects({first.key: first.bytes}))
        )
        before = connection.run(verdicts)
        index_within(connection, announced, announced.rows())
        after = connection.run(verdicts)
        index_within(connection, announced, series_rows(announced.manifest(), Objects({})))
        gone = connection.run(verdicts)
    assert [row["verdict"] for row in before] == ["MISSING", "PENDING"]
    assert [(row["verdict"], row["message"]) for row in after] == [("PENDING", None)] * 2
    assert [row["verdict"] for row in gone] == ["MISSING"] * 2


def test_a_replay_writes_nothing_that_is_unchanged(database: Database) -> None:
    announced = Announced(attributes=lambda _: CT, sop_instance_uids=tuple(new_uid() for _ in range(50)))
    index_series(database, announced)
    versions = """
        SELECT 'patient' AS t, xmin::text, ctid::text FROM patient UNION ALL
        SELECT 'study', xmin::text, ctid::text FROM study UNION ALL
        SELECT 'series', xmin::text, ctid::text FROM series UNION ALL
        SELECT 'instance', xmin::text, ctid::text FROM instance UNION ALL
        SELECT 'version', xmin::text, ctid::text FROM instance_transfer ORDER BY 1, 3"""
    with database.transaction() as connection:
        before = connection.run(versions)
    with database.transaction() as connection:
        index_within(connection, announced, announced.rows())
    with database.transaction() as connection:
        assert connection.run(versions) == before
        assert connection.run("SELECT count(*) AS n FROM instance WHERE xmax <> 0") == [{"n": 0}]


@pytest.fixture
def session(database: Database) -> Iterator[Connection]:
    with database.transaction() as connection:
        yield connection


texts = st.text(max_size=20) | st.sampled_from(
    [
        *("C:\\users\\u0000x", "\0", "235960.5", "235960.999999", "24:00:00", "1_000", "١٢", "nan", "1e400"),
        *("\x05", "x" * 6000),
    ]
)
scalars = texts | st.integers() | st.floats() | st.booleans() | st.none()
items = st.recursive(
    scalars | st.dictionaries(texts, scalars, max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=6,
)
elements = st.fixed_dictionaries(
    {"vr": st.sampled_from(["LO", "SQ", "UN", "US", "UT", "DS"])},
    optional={"Value": st.lists(items, max_size=3)},
)
headers = st.dictionaries(st.sampled_from([a.tag for a in ATTRIBUTES]), elements, min_size=5, max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=headers, second=headers)
def test_no_header_value_fails_a_series(
    session: Connection, first: dict[str, Any], second: dict[str, Any]
) -> None:
    image = Announced(attributes=lambda number: first if number == 1 else second)
    for announced in (image, part(image, 1, second)):
        assert index_within(session, announced, announced.rows()).instances == 2
