"""What HealthImaging will not like is noted from the header and travels with the instance; all is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from dicom_ingest.contracts.messages.manifest import Foretold, encode_manifest
from edge_component.receiving.datasets.elements import ElementWalk
from edge_component.receiving.datasets.header import EXPLICIT_ELEMENTS
from edge_component.receiving.datasets.kept import MOST_DOUBTFUL_BYTES
from tests.support.edge.bench import Bench
from tests.support.edge.dicom import encoded, instance

DESCRIPTION = "Knee left, with contrast. " * 3 + "zz"
PIXELS: dict[str, Any] = {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "BitsStored": 16}


def image(**elements: Any) -> Dataset:
    """One with nothing wrong but what the elements say."""
    return instance("1.2", "1.2.1", PixelRepresentation=0, **PIXELS, **elements)


def receive(bench: Bench, *images: Dataset) -> None:
    sender = bench.associate("CT2")
    for ds in images:
        bench.take(sender, ds)
    bench.close(sender)


def foretold(bench: Bench) -> list[list[Foretold]]:
    [manifest] = bench.manifests()
    return [one.foretold for one in manifest.instances]


def test_the_manifest_says_the_rule_the_tag_and_the_length_and_never_the_value(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    receive(bench, image(StudyDescription=DESCRIPTION))
    bench.settle()
    assert foretold(bench) == [[Foretold(code="value_length", tag="00081030", length=80)]]
    [manifest] = bench.manifests()
    manifest.instances[0].attributes.clear()
    assert b"Knee" not in encode_manifest(manifest).body
    assert len(bench.s3.objects) == 2, "it is sent like any other"


def test_nothing_is_noted_of_an_instance_with_nothing_wrong(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    receive(bench, image())
    bench.settle()
    assert foretold(bench) == [[]]


def test_what_was_noted_survives_the_journal(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    receive(bench, image(StudyDescription=DESCRIPTION))
    bench.journal.close()
    for path in tmp_path.glob("journal.sqlite3*"):
        path.unlink()
    bench.start()
    bench.settle()
    assert [about.code for [about] in foretold(bench)] == ["value_length"]


def test_any_number_of_whole_numbers_hides_nothing_that_is_wrong_after_them(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    numbered = image()
    block = numbered.private_block(0x0009, "ACME", create=True)
    for number in range(250):
        block.add_new(number, "FD", float(number))
    numbered.StudyID = "x" * 300
    receive(bench, numbered)
    bench.settle()
    assert foretold(bench) == [[Foretold(code="over_maximum", tag="00200010", length=300)]]


def test_long_values_are_kept_for_a_look_up_to_a_limit_of_bytes() -> None:
    ds = image()
    block = ds.private_block(0x0009, "ACME", create=True)
    for number in range(20):
        block.add_new(number, "ST", "x" * 50_000)
    walk = ElementWalk(EXPLICIT_ELEMENTS)
    walk.feed(encoded(ds), whole=True)
    assert 100_000 < sum(map(len, walk.kept.doubtful)) <= MOST_DOUBTFUL_BYTES
