"""The manifest: its bytes are a function of its content, and no other bytes are believed."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest

from dicom_ingest.contracts.messages.manifest import (
    Manifest,
    ManifestFormatError,
    decode_manifest,
    encode_manifest,
)
from tests.support.workflow.series import Announced, element, new_uid


def manifest() -> Manifest:
    return Announced(
        missing=(new_uid(),), attributes=lambda _: {"00100010": element("PN", {"Alphabetic": "Ä"})}
    ).manifest()


def test_the_round_trip_keeps_everything() -> None:
    original = manifest()
    decoded = decode_manifest(encode_manifest(original).body)
    assert decoded.transfer == original.transfer
    assert sorted(decoded.instances, key=lambda i: i.key) == sorted(original.instances, key=lambda i: i.key)
    assert list(decoded.missing) == list(original.missing)


def test_the_order_of_arrival_does_not_change_a_byte() -> None:
    original = manifest()
    other_way = replace(original, instances=list(reversed(original.instances)))
    assert encode_manifest(original) == encode_manifest(other_way)


def test_no_time_of_compression_is_in_the_bytes() -> None:
    assert encode_manifest(manifest()).body[4:8] == b"\0\0\0\0"


def test_another_hash_than_announced_is_refused() -> None:
    with pytest.raises(ManifestFormatError, match="announced was"):
        decode_manifest(encode_manifest(manifest()).body, "0" * 64)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no gzip",
        gzip.compress(b"", mtime=0),
        gzip.compress(b"[]\n", mtime=0),
        gzip.compress(b"{}\n", mtime=0),
    ],
)
def test_bytes_that_are_no_manifest_are_refused(body: bytes) -> None:
    with pytest.raises(ManifestFormatError):
        decode_manifest(body)


def test_a_damaged_gzip_is_refused() -> None:
    body = encode_manifest(manifest()).body
    with pytest.raises(ManifestFormatError, match="gzip"):
        decode_manifest(body[: len(body) // 2])


def test_an_error_names_the_line_and_no_header_value() -> None:
    original = manifest()
    lines = gzip.decompress(encode_manifest(original).body).decode().splitlines()
    broken = json.loads(lines[1]) | {"attributes": "Phantom^Secret"}
    text = "\n".join([lines[0], json.dumps(broken), *lines[2:]])
    with pytest.raises(ManifestFormatError, match="line 2: attributes") as caught:
        decode_manifest(gzip.compress(text.encode()))
    assert "Secret" not in str(caught.value)


def test_unknown_fields_of_a_later_release_are_ignored() -> None:
    lines = gzip.decompress(encode_manifest(manifest()).body).decode().splitlines()
    later = [json.dumps(json.loads(line) | {"of_a_later_release": 1}) for line in lines]
    assert decode_manifest(gzip.compress("\n".join(later).encode())).transfer.sequence == 1
