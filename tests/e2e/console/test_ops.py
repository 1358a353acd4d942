"""The operator's verbs against a real run: what is asked, and what a wrong word says."""

from __future__ import annotations

import pytest

from tests.e2e.console.verbs import Ops, answer


@pytest.mark.parametrize("term", ["PH26-0002", "PHANTOM-0002"])
def test_where_is_my_study(ops: Ops, term: str) -> None:
    code, out, _ = ops("where", term)
    assert code == 0
    assert "T1 axial" in out
    for step in ("first received", "sealed", "indexed", "slot granted", "import over", "slot released"):
        assert out.count(step) == 2, step
    assert out.count("21 IMPORTED") == 4  # per series: its image set's step and the verdicts
    found = answer(ops, "where", term)
    assert {each["found"]["place"] for each in found} == {"COMPLETED"}
    assert all(each["timeline"]["waits_for"] is None for each in found)


def test_many_series_are_a_table_first(ops: Ops) -> None:
    code, out, _ = ops("where", "CLIENT_AE")
    assert code == 0
    assert "Series transfers (7)" in out


def test_what_nobody_knows_is_one_line(ops: Ops) -> None:
    code, _, err = ops("where", "1.2.3")
    assert code == 1
    assert err.startswith("error: local run console does not know 1.2.3 as study, series, instance")
    assert err.count("\n") == 1


def test_status_ledger_edges_and_audit_agree(ops: Ops) -> None:
    status = answer(ops, "status", "--modality", "CT")
    assert len(status["series_transfers"]) == 3
    assert status["flow"]["instances_imported"] == 91
    assert sum(status["outcomes"].values()) == 7
    said = ops("status")[1]
    assert all(f"{count} {outcome}" in said for outcome, count in status["outcomes"].items())
    ledger = answer(ops, "ledger")
    assert ledger["differences"] == []
    assert sum(row["imported"] for row in ledger["sums"]) == 91
    edges = answer(ops, "edges")
    assert edges["edges_say"][0]["instances_received"] == edges["index_says"][0]["instances"] == 91
    audit = answer(ops, "audit")
    assert (audit["manifests"], audit["findings"], audit["not_looked_at"]) == (7, [], 0)


def test_custody_says_of_every_instance_who_sent_it_and_what_became_of_it(ops: Ops) -> None:
    study = answer(ops, "where", "PH26-0002")[0]["found"]["study_instance_uid"]
    found = answer(ops, "custody", study)
    assert found["study_instance_uid"] == study
    instances = [one for transfer in found["series_transfers"] for one in transfer["instances"]]
    assert len(instances) == 42
    for one in instances:
        assert (one["calling_ae"], one["called_ae"], one["peer"]) == ("CLIENT_AE", "EDGE_AE", "127.0.0.1")
        received, stored, imported = (one[f"{step}_at"][:19] for step in ("received", "stored", "imported"))
        assert received <= stored <= imported, "S3 says whole seconds"
        assert (one["verdict"], one["object"], one["image_set_version"]) == ("IMPORTED", "stored", 1)
        assert one["stored_sha256"] == one["file_sha256"]
    for transfer in found["series_transfers"]:
        assert transfer["manifest"] == "intact"
        assert transfer["chain"]["number"] >= 1
        assert transfer["sealed_at"] < transfer["announced_at"] < transfer["indexed_at"] < transfer["over_at"]
    code, out, _ = ops("custody", study)
    assert code == 0
    assert out.count("CLIENT_AE") >= 42
    assert ops("custody", "1.2.3")[2] == "error: the index of local run console has no study 1.2.3\n"
    assert ops("custody")[2] == "error: give either a STUDY_UID, or --verify\n"


def test_cost_is_money_per_edge_sender_and_month(ops: Ops) -> None:
    found = answer(ops, "cost")
    [row] = found["costs"]
    assert (row["calling_ae"], row["series"], row["instances"]) == ("CLIENT_AE", 7, 91)
    assert 0 < row["imports"] <= 7
    assert row["dollars"] == found["dollars"] > 0
    dearer = answer(ops, "cost", "--set", "s3_gb_month=100")
    assert dearer["costs"][0]["s3_storage"] > row["s3_storage"]
    assert answer(ops, "cost", "--month", "1999-01")["costs"] == []
    assert "https://aws.amazon.com/s3/pricing/" in ops("cost", "--prices")[1]
    assert ops("cost", "--set", "s3=1")[2].startswith("error: s3 is not a price; there is s3_gb_month, ")


def test_sql_answers_changes_nothing_and_shows_no_token(ops: Ops) -> None:
    assert len(answer(ops, "sql", "SELECT * FROM Ahlijob")) >= 7
    code, _, err = ops("sql", "DELETE FROM Ahliimageset")
    assert (code, err) == (1, "error: 25006: cannot execute DELETE in a read-only transaction\n")
    assert ops("sql", "SELECT task_token FROM Ahlijob")[2].endswith('column "task_token" does not exist\n')


def test_what_would_be_reprocessed_is_listed_first(ops: Ops) -> None:
    by_term = answer(ops, "reprocess", "PH26-0001", "--dry-run")
    assert {row["manifest_key"].partition("/")[0] for row in by_term} == {"manifests"}
    assert len(by_term) == 3
    by_outcome = answer(ops, "reprocess", "--outcome", "FAILED", "--day", "2000-01-01", "--dry-run")
    assert by_outcome == []


def test_why_nothing_matched_is_said(ops: Ops) -> None:
    code, out, _ = ops("reprocess", "--modality", "XX", "--dry-run")
    assert (code, "no series has modality XX; there is CT, " in out) == (1, True)
    code, out, _ = ops("cancel", "--edge", "edge1", "--dry-run")
    assert (code, "7 match, and none waits" in out) == (1, True)
    code, _, err = ops("cancel", "--reason", "all of them")
    assert (code, err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("slots", "capacity"), "needs a number"),
        (("slots", "cancel"), "needs a number: the ticket to cancel, or --stranded"),
        (("slots", "pause", "--stranded"), "goes with cancel and move"),
        (("slots", "raise", "999999"), "only a waiting ticket can be raised"),
        (("replay", "--since", "1h", "--until", "2h"), "is not before --until"),
        (("replay", "--replay-name", "a b"), "A-Z a-z 0-9 . - _ are allowed"),
        (("slots", "capacity", "-1"), "0 or more is allowed"),
        (("slots", "pause", "--datastore", "x"), "--datastore x: one of"),
        (("reprocess",), "say which in one way"),
        (("reprocess", "--manifest", "x"), "'x' is not manifests/"),
        (("audit", "--days", "0"), "1 to 366 are allowed"),
    ],
)
def test_a_wrong_choice_is_one_line(ops: Ops, arguments: tuple[str, ...], words: str) -> None:
    code, _, err = ops(*arguments)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
