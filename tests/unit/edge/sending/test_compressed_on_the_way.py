"""A sender's images go to S3 compressed and proved; whatever goes wrong on the way, as they were received."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from edge_component.compressing.codec import HTJ2K_LOSSLESS_RPCL
from edge_component.compressing.copying import answer
from edge_component.journal.channels import notices
from edge_component.spool.folder import Spool
from tests.support.edge.bench import Bench
from tests.support.edge.dicom import instance
from tests.support.edge.stand_ins import sha256, unreachable

STUDY, SERIES = "1.2", "1.2.1"
COMPRESSING: dict[str, Any] = {"senders": [{"calling_ae": "CT1", "compress": "htj2k"}]}


class Here:
    """The encoder in this process; `spoil` changes its replies."""

    def __init__(self, root: Path) -> None:
        self.spool = Spool(root)
        self.spoil: Callable[[dict[str, Any]], dict[str, Any]] = lambda reply: reply

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """What the process would say."""
        return self.spoil(answer(self.spool, request))

    def close(self) -> None:
        """Nothing to end."""


def image(sop: str, rows: int = 128) -> Dataset:
    """A smooth CT image."""
    ds = instance(STUDY, SERIES, sop)
    ds.Rows, ds.Columns = rows, 128
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = (np.add.outer(np.arange(rows), np.arange(128)) + int(sop)).astype("<u2").tobytes()
    return ds


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, **COMPRESSING)
    made.encoder = lambda: Here(tmp_path)
    made.crash()
    yield made
    made.journal.close()


def send(bench: Bench, *images: Dataset, calling_ae: str = "CT1") -> None:
    sender = bench.associate(calling_ae)
    for ds in images:
        bench.take(sender, ds)
    bench.close(sender)


def kept(bench: Bench) -> list[str]:
    return [path.name for path in bench.spool.compressed.iterdir()]


def check(bench: Bench, received: list[Dataset], *, compressed: bool) -> None:
    """Every image is announced once, in S3, pixel for pixel; the manifest says which object is there."""
    [manifest] = bench.manifests()
    found = {each.sop_instance_uid: each for each in manifest.instances}
    assert sorted(found) == sorted(str(ds.SOPInstanceUID) for ds in received)
    for ds in received:
        line = found[str(ds.SOPInstanceUID)]
        body = bench.s3.objects[line.key]
        assert len(body) == line.stored_bytes
        stored = dcmread(BytesIO(body))
        assert np.array_equal(stored.pixel_array, np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, 128))
        assert (stored.file_meta.TransferSyntaxUID == HTJ2K_LOSSLESS_RPCL) == compressed
        assert line.transfer_syntax_uid == ds.file_meta.TransferSyntaxUID
        assert (line.stored is not None) == compressed
    assert manifest.transfer.total_bytes == sum(each.stored_bytes for each in manifest.instances)


def test_an_encoder_process_compresses_what_a_sender_sends(tmp_path: Path) -> None:
    bench = Bench(tmp_path, **COMPRESSING, compress_processes=2)
    images = [image("1"), image("2"), image("3")]
    send(bench, *images)
    bench.settle()
    check(bench, images, compressed=True)
    counters = bench.counters()
    assert counters["instances_compressed"] == 3
    assert counters["compressed_bytes_after"] < counters["compressed_bytes_before"] / 2
    assert kept(bench) == []
    bench.compressor.close()


def test_only_senders_that_ask_for_it_are_compressed(bench: Bench) -> None:
    images = [image("1")]
    send(bench, *images, calling_ae="OTHER")
    bench.settle()
    check(bench, images, compressed=False)


def test_what_cannot_be_compressed_goes_as_it_came_and_is_counted(bench: Bench) -> None:
    images = [image("1", rows=1)]
    send(bench, *images)
    bench.settle()
    check(bench, images, compressed=False)
    assert bench.counters()["sent_as_received_not_compressible"] == 1
    assert notices(bench.journal) == []
    assert kept(bench) == []


@pytest.mark.parametrize("why", ["no_encoder", "crashed", "differs"])
def test_trouble_with_the_encoder_is_told_and_the_image_goes_as_it_came(bench: Bench, why: str) -> None:
    encoder = Here(bench.spool.root)
    encoder.spoil = lambda _reply: {"refused": why, "reason": "because"}
    bench.encoder = lambda: encoder
    bench.crash()
    images = [image("1")]
    send(bench, *images)
    bench.settle()
    check(bench, images, compressed=False)
    assert bench.counters()[f"sent_as_received_{why}"] == 1
    assert [notice.words for notice in notices(bench.journal)] == [f"{why}: because"]
    assert kept(bench) == []


def test_the_received_bytes_stay_until_the_series_is_announced(bench: Bench) -> None:
    bench.s3.before = lambda _operation, _key: unreachable()
    send(bench, image("1"))
    for _ in range(3):
        bench.step()
        bench.clock.now += 20
    assert len(bench.stored()) == 1
    assert len(kept(bench)) == 1
    bench.s3.before = lambda _operation, _key: None
    bench.settle()
    assert bench.stored() == []


def test_the_same_image_again_is_a_duplicate_although_it_was_compressed(bench: Bench) -> None:
    received = image("1")
    send(bench, received)
    bench.settle()
    send(bench, received)
    bench.settle()
    assert bench.counters()["instances_duplicate"] == 1
    assert len(bench.manifests()) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_around_the_upload_of_a_copy_costs_nothing(bench: Bench, when: str) -> None:
    images = [image("1"), image("2")]
    send(bench, *images)
    setattr(bench.s3, when, lambda _operation, _key: unreachable())
    for _ in range(4):
        bench.step()
        bench.clock.now += 20
    bench.crash()
    bench.s3.before = bench.s3.after = lambda _operation, _key: None
    bench.settle()
    check(bench, images, compressed=True)
    assert kept(bench) == []


@pytest.mark.parametrize("unsure", [False, True])
@pytest.mark.parametrize("damage", ["gone", "altered"])
def test_a_copy_that_is_damaged_is_made_again(bench: Bench, damage: str, unsure: bool) -> None:
    images = [image("1"), image("2")]
    send(bench, *images)
    bench.assembly.run_once()
    bench.clock.now += 20
    bench.assembly.run_once()
    assert bench.compressor.run_once()
    for path in bench.spool.compressed.iterdir():
        path.unlink() if damage == "gone" else path.write_bytes(b"x" + path.read_bytes()[1:])
    if unsure:
        bench.journal.execute("UPDATE instance SET unsure = 1")
    bench.settle()
    check(bench, images, compressed=True)
    assert kept(bench) == []


def test_a_crash_while_it_is_compressed_does_it_again(bench: Bench) -> None:
    images = [image("1")]
    send(bench, *images)
    bench.assembly.run_once()
    (bench.spool.compressed / "left-over.dcm.1.part").write_bytes(b"half")
    bench.crash()
    bench.settle()
    check(bench, images, compressed=True)
    assert kept(bench) == []


def test_a_series_that_is_redrawn_is_compressed_again(bench: Bench) -> None:
    images = [image("1"), image("2")]
    send(bench, *images)
    bench.s3.answer_checksum = lambda _body: "AAAA"
    bench.step()
    bench.s3.answer_checksum = sha256
    bench.settle()
    check(bench, images, compressed=True)


def test_copies_that_wait_for_their_upload_take_bounded_room(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_component.compressing.compressor.AHEAD_BYTES", 1)
    monkeypatch.setattr("edge_component.compressing.compressor.BATCH_BYTES", 1)
    send(bench, image("1"), image("2"))
    bench.assembly.run_once()
    assert [bench.compressor.run_once(), bench.compressor.run_once()] == [True, False]
    bench.settle()
    check(bench, [image("1"), image("2")], compressed=True)
