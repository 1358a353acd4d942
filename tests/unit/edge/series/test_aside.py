"""What was announced as missing can be sent again: the journal's normal way, once, and never out of order."""

from __future__ import annotations

from pathlib import Path

import pytest
from zlib_ng.zlib_ng import crc32

from edge_component.__main__ import build_parser
from edge_component.announcing.aside import read_note, take_again
from edge_component.commands import aside as aside_commands
from edge_component.records.part10 import head_bytes
from edge_component.settings import SettingsError
from tests.support.edge.bench import Bench, rows
from tests.support.edge.stand_ins import client_error

STUDY, SERIES = "1.2", "1.2.1"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An edge whose S3 refuses instance 1."""
    profile = {"calling_ae": "CT1", "issuer_of_patient_id": "HOSPITAL"}
    found = Bench(tmp_path, series_patience_seconds=100, senders=[profile])
    found.s3.before = lambda operation, key: (
        client_error(operation, "EntityTooLarge", 400) if key.endswith("/1.dcm") else None
    )
    return found


def send(bench: Bench, *sops: str, content: int = 0) -> None:
    sender = bench.associate("CT1")
    for sop in sops:
        bench.receive(sender, STUDY, SERIES, sop, content)
    bench.close(sender)
    bench.settle()


def repair(bench: Bench) -> None:
    bench.s3.before = lambda _operation, _key: None


def aside(bench: Bench, action: str, *names: str) -> int:
    return command("aside", "--spool", str(bench.spool.root), action, *names)


def command(*words: str) -> int:
    return aside_commands.run(build_parser().parse_args(words), {})


def take(bench: Bench) -> bool:
    return take_again(bench.journal, bench.spool, bench.clock)


def announced(bench: Bench) -> list[tuple[list[str], list[str]]]:
    return [
        ([i.sop_instance_uid for i in m.instances], [i.sop_instance_uid for i in m.missing])
        for m in bench.manifests()
    ]


def aside_files(bench: Bench) -> list[Path]:
    return sorted(bench.spool.aside.glob("*.dcm"))


def test_an_instance_that_lies_aside_becomes_part_of_a_new_series_transfer(bench: Bench) -> None:
    send(bench, "1", "2")
    assert announced(bench) == [(["2"], ["1"])]
    repair(bench)
    assert aside(bench, "send") == 0
    assert take(bench)
    bench.settle()
    assert announced(bench) == [(["2"], ["1"]), (["1"], [])]
    first, second = (manifest.transfer for manifest in bench.manifests())
    assert (second.after, second.calling_aes) == ([first.transfer_id], ["CT1"])
    assert second.issuer_of_patient_id == "HOSPITAL"  # the patient stays the same
    for folder in (bench.spool.instances, bench.spool.aside, bench.spool.again):
        assert list(folder.glob("*.dcm")) == []
    assert bench.stored() == []


def test_the_list_says_what_why_and_who(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    send(bench, "1")
    assert aside(bench, "list") == 0
    line = capsys.readouterr().out
    assert aside_files(bench)[0].stem in line
    assert "  1  CT1  2027-01-15T" in line
    assert "refused by S3: EntityTooLarge" in line
    assert "Marker" not in line + read_note(aside_files(bench)[0]).reason


def test_a_file_without_a_note_is_sent_from_an_unknown_sender(bench: Bench) -> None:
    send(bench, "1")
    aside_files(bench)[0].with_suffix(".json").unlink()
    repair(bench)
    assert aside(bench, "list") == aside(bench, "send") == 0
    take(bench)
    bench.settle()
    assert bench.manifests()[-1].transfer.calling_aes == ["UNKNOWN"]


def test_a_note_that_was_cut_off_is_no_obstacle(bench: Bench) -> None:
    send(bench, "1")
    aside_files(bench)[0].with_suffix(".json").write_text('{"reason"')
    repair(bench)
    assert aside(bench, "send") == 0
    take(bench)
    bench.settle()
    assert announced(bench)[-1] == (["1"], [])


def test_only_what_is_named_is_sent(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.s3.before = lambda operation, key: (
        client_error(operation, "EntityTooLarge", 400) if key.endswith(".dcm") else None
    )
    send(bench, "1", "2")
    repair(bench)
    first, second = aside_files(bench)
    assert aside(bench, "send", "nothing") == 1
    assert "nothing: no such file" in capsys.readouterr().err
    assert aside(bench, "send", second.name) == 0
    assert aside_files(bench) == [first]
    assert aside(bench, "list", first.stem) == 0


def test_an_altered_file_stays_aside(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    send(bench, "1")
    [path] = aside_files(bench)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert aside(bench, "send") == 1
    assert "altered since it was acknowledged" in capsys.readouterr().out
    path.write_bytes(b"DICM")
    assert aside(bench, "send") == 1
    assert "cannot be read" in capsys.readouterr().out
    assert aside_files(bench) == [path]


@pytest.mark.parametrize("altered", [False, True])
def test_what_an_earlier_release_put_aside_is_known_by_its_data_set(bench: Bench, *, altered: bool) -> None:
    """It kept the CRC-32 of the data set alone, and had no hash of what was never sent."""
    send(bench, "1")
    repair(bench)
    [path] = aside_files(bench)
    content = path.read_bytes()
    data_set = crc32(content[head_bytes(content) :])
    bench.journal.execute("UPDATE receipt SET dataset_sha256 = '', file_crc32 = ?", (data_set,))
    path.write_bytes(content[:-1] + bytes((content[-1] ^ altered,)))
    assert aside(bench, "send") == altered


@pytest.mark.parametrize("content", [0, 7])
def test_what_the_sender_has_sent_again_since_stays_aside(
    bench: Bench, content: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """An old version must not come after a newer one: the last import wins."""
    send(bench, "1")
    repair(bench)
    send(bench, "1", content=content)
    assert aside(bench, "send") == 1
    assert "sent this instance again" in capsys.readouterr().out
    assert len(aside_files(bench)) == 1


def test_an_instance_that_is_refused_again_lies_aside_again(bench: Bench) -> None:
    send(bench, "1")
    for _ in range(2):
        assert aside(bench, "send") == 0
        take(bench)
        bench.settle()
        assert len(aside_files(bench)) == 1
    assert announced(bench) == [([], ["1"])] * 3
    repair(bench)
    assert aside(bench, "send") == 0
    take(bench)
    bench.settle()
    assert announced(bench)[-1] == (["1"], [])


def test_a_crash_between_row_and_file_is_made_good(bench: Bench) -> None:
    send(bench, "1")
    repair(bench)
    assert aside(bench, "send") == 0
    [asked] = bench.spool.again.glob("*.dcm")
    kept = asked.read_bytes()
    take(bench)
    taken = bench.segment_of("1")
    asked.write_bytes(kept)  # the row has not been written yet
    bench.spool.again.joinpath(f"{taken.name}.part").write_bytes(kept[:99])  # of a copy that was cut off
    bench.journal.execute("DELETE FROM instance")
    take(bench)
    assert kept in taken.read_bytes()
    assert list(bench.spool.again.iterdir()) == []
    bench.settle()
    assert announced(bench)[-1] == (["1"], [])
    assert len(bench.manifests()) == 2


def test_a_file_that_spoils_on_the_way_goes_back_and_is_never_removed(bench: Bench) -> None:
    send(bench, "1")
    assert aside(bench, "send") == 0
    [asked] = bench.spool.again.glob("*.dcm")
    asked.write_bytes(b"DICM")
    assert not take(bench)
    assert [path.name for path in aside_files(bench)] == [asked.name]
    assert read_note(aside_files(bench)[0]).calling_ae == "CT1"


def test_a_file_that_is_just_being_put_aside_is_not_taken(bench: Bench) -> None:
    send(bench, "1")
    assert aside(bench, "send") == 0
    [asked] = bench.spool.again.glob("*.dcm")
    place = "/".join(asked.stem.rsplit("-", 1))
    bench.journal.execute("UPDATE receipt SET file = ?", (place,))  # not committed before a crash
    assert not take(bench)
    bench.step()
    assert take(bench)
    assert rows(bench.journal, "SELECT file FROM instance") == [{"file": f"{asked.stem}/0"}]


def test_a_folder_that_is_no_spool_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("aside", "--spool", str(tmp_path), "list") == 1
    assert f"{tmp_path} is not the spool" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "again").mkdir()  # its journal is lost: only an edge makes a new one
    assert command("aside", "--spool", str(tmp_path), "list") == 1


def test_without_a_spool_the_settings_say_where_it_is(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="EDGE_SPOOL is not set"):
        command("aside", "list")
    file = tmp_path / "edge.yaml"
    file.write_text(f"{{stack: s, name: e, bucket: bbb, event_bus: b, spool: {bench.spool.root}}}")
    assert command("--config", str(file), "aside", "list") == 0
