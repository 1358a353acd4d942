"""A manifest is believed no further than it must be, and read without being held."""

from __future__ import annotations

import gzip
import hashlib
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from dicom_ingest.contracts.messages.events import SeriesComplete
from dicom_ingest.contracts.messages.manifest import ManifestInstance, decode_manifest, encode_manifest
from dicom_ingest.db.index.rows import Objects, SeriesRows, series_rows
from dicom_ingest.errors import EventRejectedError, ManifestRejectedError
from dicom_ingest.objects.uploads import check_event, read_manifest
from tests.support.workflow.series import BUCKET, STACK, Announced, element, new_uid
from tests.support.workflow.stand_ins import S3


def stored(announced: Announced, body: bytes) -> S3:
    return S3({str(announced.manifest_key): body})


def rows(s3: S3, event: SeriesComplete) -> SeriesRows:
    return series_rows(read_manifest(cast("Any", s3), event), Objects({}))


def test_what_was_announced_becomes_rows() -> None:
    announced = Announced(missing=(new_uid(),))
    found = rows(stored(announced, encode_manifest(announced.manifest()).body), announced.event())
    uids = [row["sop_instance_uid"] for row in json.loads(found.versions)]
    assert uids == [*sorted(announced.sop_instance_uids), *announced.missing]
    assert (found.count, found.present, len(json.loads(found.instances))) == (3, 0, 2)


def test_a_manifest_that_is_not_there_is_rejected() -> None:
    with pytest.raises(ManifestRejectedError, match="is not in"):
        rows(S3(), Announced().event())


def test_another_series_manifest_is_rejected() -> None:
    announced, other = Announced(), Announced()
    encoded = encode_manifest(other.manifest())
    event = announced.event().model_copy(update={"manifest_sha256": encoded.sha256})
    with pytest.raises(ManifestRejectedError, match="announced was"):
        rows(stored(announced, encoded.body), event)


def test_an_altered_manifest_is_rejected() -> None:
    announced = Announced()
    altered = replace(announced.manifest(), instances=[])
    with pytest.raises(ManifestRejectedError, match="sha256"):
        rows(stored(announced, encode_manifest(altered).body), announced.event())


def elsewhere(line: dict[str, Any]) -> dict[str, Any]:
    return line | {"key": "another-edge/1.dcm"}


def of_no_kind(line: dict[str, Any]) -> dict[str, Any]:
    return line | {"bytes": "many"}


@pytest.mark.parametrize(("change", "words"), [(elsewhere, "outside its prefix"), (of_no_kind, "line 3: ")])
def test_a_line_in_the_middle_that_must_not_be_is_rejected(
    change: Callable[[dict[str, Any]], dict[str, Any]], words: str
) -> None:
    announced = Announced()
    lines = gzip.decompress(encode_manifest(announced.manifest()).body).splitlines()
    text = b"\n".join([*lines[:2], json.dumps(change(json.loads(lines[2]))).encode(), *lines[3:]])
    event = announced.event().model_copy(update={"manifest_sha256": hashlib.sha256(text).hexdigest()})
    with pytest.raises(ManifestRejectedError, match=words):
        rows(stored(announced, gzip.compress(text)), event)


def test_headers_are_forgotten_as_soon_as_their_rows_are_made() -> None:
    announced = Announced()
    long = {"00189999": element("FD", *(number + 0.5 for number in range(400)))}
    template = announced.manifest().instances[0]
    instances = [_like(template, long) for _ in range(300)]
    encoded = encode_manifest(replace(announced.manifest(), instances=instances))
    event = announced.event().model_copy(update={"manifest_sha256": encoded.sha256})

    def peak(work: Callable[[], object]) -> int:
        tracemalloc.start()
        try:
            work()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    held = peak(lambda: decode_manifest(encoded.body))
    assert peak(lambda: rows(stored(announced, encoded.body), event)) < held / 2


def _like(template: ManifestInstance, attributes: dict[str, Any]) -> ManifestInstance:
    sop = new_uid()
    key = template.key.replace(template.sop_instance_uid, sop)
    return template.model_copy(update={"sop_instance_uid": sop, "key": key, "attributes": attributes})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bucket", "another-bucket"),
        ("prefix", "dicom-ingest-edge2/x/1/2/"),
        ("manifest_key", "manifests/dicom-ingest-edge2/2026-11-22/x/2.jsonl.gz"),
    ],
)
def test_an_event_may_name_nothing_but_its_own_objects(name: str, value: str) -> None:
    event = Announced().event()
    check_event(event, STACK, BUCKET)
    with pytest.raises(EventRejectedError, match=name):
        check_event(event.model_copy(update={name: value}), STACK, BUCKET)


def test_an_event_of_another_stacks_edge_is_rejected() -> None:
    with pytest.raises(EventRejectedError, match="is not one of stack"):
        check_event(Announced(edge="another-edge1").event(), STACK, BUCKET)
