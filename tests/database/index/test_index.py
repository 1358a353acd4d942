"""The index on real PostgreSQL: set-based, computed, nothing merged wrongly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dicom_ingest.contracts.attributes import ATTRIBUTES
from dicom_ingest.contracts.messages.manifest import ManifestLink, decode_manifest
from dicom_ingest.db.index import write as index
from dicom_ingest.db.index.rows import Objects, series_rows
from dicom_ingest.db.series import registering
from dicom_ingest.db.server.connection import Database
from dicom_ingest.db.server.migrate import migrate
from dicom_ingest.errors import ClaimLostError
from dicom_ingest.operators.read.custody import elsewhere
from tests.support.workflow.series import MORNING, Announced, element, new_uid
from tests.support.workflow.workers import claim, index_series, index_within, new_execution

SAMPLES = Path(__file__).parents[2] / "events"


def rows(database: Database, sql: str, **parameters: Any) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        return connection.run(sql, **parameters)


def test_a_redeploy_keeps_every_row(database: Database) -> None:
    index_series(database, Announced())
    migrate(database)
    assert len(rows(database, "SELECT * FROM instance")) == 2


def test_every_indexed_attribute_has_its_column(database: Database) -> None:
    found = {
        (row["table_name"], row["column_name"])
        for row in rows(database, "SELECT table_name, column_name FROM information_schema.columns")
    }
    assert {(a.level, a.column) for a in ATTRIBUTES} <= found


def test_the_four_levels_hold_what_the_headers_say(database: Database) -> None:
    announced = Announced(
        patient_id="P1",
        issuer="HOSPITAL",
        attributes=lambda _: {
            "00100010": element("PN", {"Alphabetic": "Phantom^Torso", "Ideographic": "山田"}),
            "00100030": element("DA", "19700131"),
            "00080050": element("SH", "A-1"),
            "00080020": element("DA", "20261122"),
            "00080030": element("TM", "101530.25"),
            "00200011": element("IS", 3),
            "00080008": element("CS", "ORIGINAL", "PRIMARY"),
            "00200032": element("DS", 1.5, -2, 3),
            "00281053": element("DS", 1),
            "00880200": {"vr": "SQ"},
        },
    )
    index_series(database, announced)
    patient = rows(database, "SELECT * FROM Patient")[0]
    study = rows(database, "SELECT * FROM Study")[0]
    series = rows(database, "SELECT * FROM Series")[0]
    instance = rows(database, "SELECT * FROM Instance ORDER BY instance_number")[0]
    assert (patient["patient_name"], patient["patient_id"]) == ("Phantom^Torso=山田", "P1")
    assert patient["patient_birth_date"].isoformat() == "1970-01-31"
    assert (study["accession_number"], study["study_time"].isoformat()) == ("A-1", "10:15:30.250000")
    assert study["modalities_in_study"] == ["CT"]
    assert (study["number_of_study_related_series"], study["number_of_study_related_instances"]) == (1, 2)
    assert (series["series_number"], series["number_of_series_related_instances"]) == (3, 2)
    assert instance["image_type"] == ["ORIGINAL", "PRIMARY"]
    assert instance["image_position_patient"] == [1.5, -2.0, 3.0]
    assert (instance["rescale_slope"], instance["icon_image_sequence"]) == (1.0, True)


def test_values_that_do_not_parse_are_kept_as_text(database: Database) -> None:
    odd = {"00080020": element("DA", "unknown"), "00200011": element("IS", "3a")}
    index_series(database, Announced(attributes=lambda _: odd))
    assert rows(database, "SELECT study_date, unparsed FROM study") == [
        {"study_date": None, "unparsed": {"StudyDate": ["unknown"]}}
    ]
    assert rows(database, "SELECT series_number, unparsed FROM series") == [
        {"series_number": None, "unparsed": {"SeriesNumber": ["3a"]}}
    ]


def test_the_number_of_statements_does_not_depend_on_the_size(database: Database) -> None:
    def statements(instances: int) -> int:
        announced = Announced(
            patient_id=new_uid(), sop_instance_uids=tuple(new_uid() for _ in range(instances))
        )
        execution = new_execution()
        with database.transaction() as connection:
            ref = claim(connection, announced, execution)
            assert ref is not None
            pk = registering.find(connection, announced.transfer_id, announced.series_instance_uid)
            before = connection.statements
            index.index(connection, pk, announced.rows(), (execution, ref.fence))
            return connection.statements - before

    assert statements(1) == statements(300) <= 10


def test_indexing_twice_changes_nothing(database: Database) -> None:
    announced = Announced()
    execution = new_execution()
    index_series(database, announced, execution)
    counts = "SELECT number_of_study_related_instances AS n FROM study"
    before = rows(database, counts)
    index_series(database, announced, execution)
    assert rows(database, counts) == before == [{"n": 2}]
    assert len(rows(database, "SELECT * FROM instance_transfer")) == 2


def test_a_late_part_adds_to_the_counts(database: Database) -> None:
    first = Announced()
    index_series(database, first)
    late = replace(first, transfer_id=Announced().transfer_id, sequence=2, sop_instance_uids=(new_uid(),))
    index_series(database, late)
    assert rows(database, "SELECT number_of_series_related_instances AS n FROM series") == [{"n": 3}]


def test_the_newer_version_of_an_instance_stays_current_whatever_the_order(database: Database) -> None:
    old = Announced(sequence=1, content="old")
    new = replace(old, transfer_id=Announced().transfer_id, sequence=2, content="new")
    index_series(database, new)
    index_series(database, old)
    current = rows(database, "SELECT DISTINCT transfer_id::text FROM instance")
    assert current == [{"transfer_id": new.transfer_id}]
    assert len(rows(database, "SELECT * FROM instance_transfer")) == 4


@pytest.mark.parametrize(
    ("one", "other", "patients"),
    [
        ({"issuer": "A"}, {"issuer": "B"}, 2),
        ({"sender_issuer": "A"}, {"sender_issuer": "B"}, 2),
        ({"edge": "dicom-ingest-edge1"}, {"edge": "dicom-ingest-edge2"}, 2),
        ({"issuer": "A"}, {"issuer": "A", "edge": "dicom-ingest-edge2"}, 1),
        ({"patient_id": None}, {"patient_id": None}, 2),
        ({"patient_id": ""}, {"patient_id": "  "}, 2),
    ],
)
def test_a_patient_is_issuer_and_id(
    database: Database, one: dict[str, Any], other: dict[str, Any], patients: int
) -> None:
    index_series(database, Announced(**one))
    index_series(database, Announced(**other))
    assert len(rows(database, "SELECT * FROM patient")) == patients


def test_instances_without_a_patient_id_in_one_study_make_one_patient(database: Database) -> None:
    study = new_uid()
    for _ in range(2):
        index_series(database, Announced(patient_id=None, study_instance_uid=study))
    assert len(rows(database, "SELECT * FROM patient")) == 1


def test_the_same_instance_in_two_series_is_two_rows(database: Database) -> None:
    sops = (new_uid(),)
    index_series(database, Announced(sop_instance_uids=sops))
    index_series(database, Announced(sop_instance_uids=sops))
    assert len(rows(database, "SELECT * FROM instance")) == 2


def test_one_modality_inside_another_is_still_added(database: Database) -> None:
    study = new_uid()
    index_series(database, Announced(study_instance_uid=study, modality="OCT"))
    index_series(database, Announced(study_instance_uid=study, modality="CT"))
    assert rows(database, "SELECT modalities_in_study FROM study") == [{"modalities_in_study": ["CT", "OCT"]}]


def test_what_is_announced_and_what_lies_in_s3_may_differ_and_is_said(database: Database) -> None:
    announced = Announced(missing=(new_uid(),))
    first, second = announced.manifest().instances
    execution = new_execution()
    with database.transaction() as connection:
        ref = claim(connection, announced, execution)
        assert ref is not None
        pk = registering.find(connection, announced.transfer_id, announced.series_instance_uid)
        objects = Objects({first.key: first.bytes + 1, f"{announced.prefix}9.dcm": 5})
        indexed = index.index(
            connection, pk, series_rows(announced.manifest(), objects), (execution, ref.fence)
        )
    assert (indexed.instances, indexed.present, indexed.extra) == (3, 0, [f"{announced.prefix}9.dcm"])
    words = {
        row["sop_instance_uid"]: row["message"] for row in rows(database, "SELECT * FROM instance_transfer")
    }
    assert "announced were" in words[first.sop_instance_uid]
    assert "not in S3" in words[second.sop_instance_uid]
    assert words[announced.missing[0]] == "unreadable"


def test_who_lost_the_claim_writes_nothing(database: Database) -> None:
    announced = Announced()
    loser = new_execution()
    with database.transaction() as connection:
        assert claim(connection, announced, loser)
    with database.transaction() as connection:
        assert claim(connection, announced, new_execution(), owner_gone=loser)
    pk = 1
    with pytest.raises(ClaimLostError), database.transaction() as connection:
        index.index(connection, pk, announced.rows(), (loser, 1))
    assert rows(database, "SELECT * FROM instance") == []


def test_a_hundred_first_images_of_one_patient_at_once_make_one_patient(
    connect_database: Callable[[], Database],
) -> None:
    study = new_uid()
    errors: list[BaseException] = []

    def work(own: Database) -> None:
        try:
            for _ in range(25):
                index_series(own, Announced(study_instance_uid=study, sop_instance_uids=(new_uid(),)))
        except BaseException as error:  # a thread's error must fail the test
            errors.append(error)
            raise

    crew = [threading.Thread(target=work, args=(connect_database(),)) for _ in range(4)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join(timeout=120)
    assert errors == []
    database = connect_database()
    assert rows(database, "SELECT count(*) AS n FROM patient") == [{"n": 1}]
    assert rows(
        database,
        "SELECT number_of_study_related_series AS series, number_of_study_related_instances AS instances "
        "FROM study",
    ) == [{"series": 100, "instances": 100}]


def test_transfers_times_are_kept_as_received(database: Database) -> None:
    index_series(database, Announced())
    assert rows(database, "SELECT first_received_at FROM series_transfer") == [{"first_received_at": MORNING}]


def test_what_is_stored_stands_beside_what_was_received(database: Database) -> None:
    stored = {"transfer_syntax_uid": "1.2.840.10008.1.2.4.202", "bytes": 400, "sha256": "5f" * 32}
    announced = Announced(described=lambda number: {"stored": stored} if number == 1 else {})
    index_series(database, announced)
    for table in ("instance", "instance_transfer"):
        found = rows(
            database,
            f"SELECT stored_transfer_syntax_uid, stored_bytes, stored_sha256, bytes, file_sha256 FROM {table}"
            " ORDER BY stored_bytes",
        )
        assert [row["stored_bytes"] for row in found] == [400, None]
        assert found[0]["stored_transfer_syntax_uid"] == stored["transfer_syntax_uid"]
        assert found[0]["stored_sha256"] == stored["sha256"] != found[0]["file_sha256"]
        assert found[0]["bytes"] != 400


def test_a_manifest_s_place_in_its_chain_is_kept(database: Database) -> None:
    link = ManifestLink(chain_id=str(uuid4()), number=7, previous_sha256="5f" * 32)
    index_series(database, Announced(chain=link))
    index_series(database, Announced())
    found = rows(
        database,
        "SELECT CAST(chain_id AS text) AS chain_id, chain_number, chain_previous_sha256 FROM series_transfer"
        " ORDER BY chain_number",
    )
    assert list(found[0].values()) == [link.chain_id, 7, "5f" * 32]
    assert list(found[1].values()) == [None, None, None]


def test_a_link_of_a_chain_is_found_under_another_edge(database: Database) -> None:
    link = ManifestLink(chain_id=str(uuid4()), number=7, previous_sha256="5f" * 32)
    announced = Announced(chain=link)
    index_series(database, announced)
    edge = announced.manifest().transfer.edge
    with database.transaction() as connection:
        found = elsewhere(connection, "another", link.chain_id, 7)
        assert found is not None
        assert found["edge"] == edge
        assert len(found["manifest_sha256"]) == 64
        assert elsewhere(connection, "another", link.chain_id, 6) is None
        assert elsewhere(connection, edge, link.chain_id, 7) is None


def test_columns_that_an_older_release_did_not_write_are_filled_and_no_verdict_changes(
    database: Database,
) -> None:
    stored = {"transfer_syntax_uid": "1.2.840.10008.1.2.4.202", "bytes": 400, "sha256": "5f" * 32}
    about = {"code": "value_length", "tag": "00081030", "length": 80}
    announced = Announced(described=lambda _: {"stored": stored, "foretold": [about]})
    execution = new_execution()
    index_series(database, announced, execution)
    older = "stored_transfer_syntax_uid = NULL, stored_bytes = NULL, stored_sha256 = NULL"
    with database.transaction() as connection:
        connection.run(f"UPDATE instance SET {older}")
        connection.run(f"UPDATE instance_transfer SET {older}, foretold = NULL, verdict = 'IMPORTED'")
    index_series(database, announced, execution)
    for row in rows(database, "SELECT * FROM instance_transfer"):
        assert (row["verdict"], row["stored_bytes"], row["foretold"]) == ("IMPORTED", 400, [about])
    assert {row["stored_bytes"] for row in rows(database, "SELECT stored_bytes FROM instance")} == {400}


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("manifest.*.jsonl.gz")), ids=lambda path: path.name)
def test_every_released_manifest_is_indexed_again(sample: Path, database: Database) -> None:
    manifest = decode_manifest(sample.read_bytes())
    transfer = manifest.transfer
    announced = Announced(
        transfer_id=transfer.transfer_id,
        study_instance_uid=transfer.study_instance_uid,
        series_instance_uid=transfer.series_instance_uid,
    )
    objects = Objects({one.key: one.stored_bytes for one in manifest.instances})
    with database.transaction() as connection:
        indexed = index_within(connection, announced, series_rows(manifest, objects))
    assert (indexed.instances, indexed.present) == (3, 2)
    [row] = rows(database, "SELECT chain_number, chain_previous_sha256 FROM series_transfer")
    assert row["chain_number"] == (transfer.chain.number if transfer.chain else None)
    foretold = rows(database, "SELECT foretold FROM instance_transfer WHERE foretold IS NOT NULL")
    assert len(foretold) == sum(bool(one.foretold) for one in manifest.instances)
