"""The manifest of a series transfer: JSON Lines, gzipped; its bytes are a function of its content."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from dicom_ingest.contracts.identifiers import AETitle, EdgeName, Sha256, TransferId, Uid
from dicom_ingest.contracts.messages.events import ReadPriority
from dicom_ingest.contracts.messages.model import Message
from dicom_ingest.contracts.times import Timestamp

VERSION = 2
"""Of the manifests that this release writes. Version 1 has no chain, no peers and nothing foretold."""

ChainStart = Literal["new journal", "upgrade", "restored journal"]
"""Why a chain begins: the edge is new or has lost its journal; its release before had no chain; its journal
is older than what it has sent."""


class ManifestFormatError(ValueError):
    """Bytes that are not a manifest, or not the one that was announced."""


class EarlierLink(Message):
    """A link of a chain: its number, and the SHA-256 of the lines of its manifest."""

    chain_id: TransferId
    number: int = Field(ge=1)
    sha256: Sha256


class ManifestLink(Message):
    """The place of a manifest in its edge's chain."""

    chain_id: TransferId
    number: int = Field(ge=1)
    previous_sha256: Sha256 | None = None
    """Of the lines of the manifest with the number before; none on the first."""
    begins: str | None = None
    """On the first: a `ChainStart`. `follows`: where the chain before it ended, if that is known."""
    follows: EarlierLink | None = None
    withdrawn: list[EarlierLink] = []
    """Links before this one whose manifests were built and never put."""


class ManifestTransfer(Message):
    """Line 1: the series transfer."""

    record: Literal["transfer"] = "transfer"
    schema_version: int = Field(default=1, ge=1)
    stack: str
    edge: EdgeName
    transfer_id: TransferId
    correlation_id: str
    sequence: int = Field(ge=1)
    after: list[TransferId] = []
    """Earlier transfers of this edge that hold one of these SOP Instance UIDs (in this series)."""
    study_instance_uid: Uid
    series_instance_uid: Uid
    modality: str | None = None
    priority: ReadPriority = "live"
    issuer_of_patient_id: str | None = None
    """The sender profile's issuer, for objects that name none."""
    instance_count: int
    total_bytes: int
    first_received_at: Timestamp
    last_received_at: Timestamp
    sealed_at: Timestamp
    seal_reason: str
    aborted: bool = False
    calling_aes: list[AETitle]
    called_aes: list[AETitle]
    transfer_series: int | None = Field(default=None, ge=1)
    """The transfer is closed, and has so many series; said by its last one only."""
    chain: ManifestLink | None = None


class Foretold(Message):
    """What HealthImaging will refuse or warn about.

    `code`: see `dicom_ingest.contracts.preflight`. `tag`, `length`: of the element, where the code is about
    one; in characters or bytes. Never a value.
    """

    code: str
    tag: str | None = None
    length: int | None = None


class StoredObject(Message):
    """The object in S3, where the edge has compressed what it received (pixels without loss)."""

    transfer_syntax_uid: Uid
    bytes: int
    sha256: Sha256


class ManifestInstance(Message):
    """A line per instance, as it was received.

    `attributes`: header attributes in the DICOM JSON model (PS3.18 §F.2). `stored`: the object below `key`,
    where that is not the file that was received. `peer`: the address of the sender.
    """

    record: Literal["instance"] = "instance"
    sop_instance_uid: Uid
    sop_class_uid: Uid
    transfer_syntax_uid: Uid
    key: str
    bytes: int
    file_sha256: Sha256
    dataset_sha256: Sha256
    received_at: Timestamp
    calling_ae: AETitle
    called_ae: AETitle
    peer: str | None = None
    uid_findings: list[str] = []
    attributes: dict[str, dict[str, Any]] = {}
    stored: StoredObject | None = None
    foretold: list[Foretold] = []

    @property
    def stored_bytes(self) -> int:
        """Of the object in S3."""
        return self.stored.bytes if self.stored else self.bytes

    @property
    def stored_sha256(self) -> str:
        """Of the object in S3."""
        return self.stored.sha256 if self.stored else self.file_sha256


class MissingInstance(Message):
    """A line per instance that was received but could not be sent, with the reason."""

    record: Literal["missing"] = "missing"
    sop_instance_uid: Uid
    reason: str
    received_at: Timestamp


_RECORD: TypeAdapter[ManifestTransfer | ManifestInstance | MissingInstance] = TypeAdapter(
    Annotated[ManifestTransfer | ManifestInstance | MissingInstance, Field(discriminator="record")]
)


ManifestRecord = ManifestInstance | MissingInstance


@dataclass(frozen=True)
class Manifest:
    """The manifest of one series transfer."""

    transfer: ManifestTransfer
    instances: Sequence[ManifestInstance]
    missing: Sequence[MissingInstance] = ()

    @property
    def records(self) -> Iterator[ManifestRecord]:
        """All lines after the first."""
        return chain(self.instances, self.missing)


@dataclass(frozen=True)
class ManifestStream:
    """A manifest that is read line by line, once: 4,500 instances at a time would be 200 MB."""

    transfer: ManifestTransfer
    records: Iterator[ManifestRecord]
    sha256: str = ""
    """Of its lines."""


@dataclass(frozen=True)
class EncodedManifest:
    """`body`: what is put to S3. `sha256`: of the uncompressed lines, since gzip may differ by version."""

    body: bytes
    sha256: str


def _line(record: Message) -> str:
    return json.dumps(
        record.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def check_record(record: ManifestRecord) -> None:
    """Whether a reader will take it: one that was made, but is nested too deeply, cannot be read.

    Raises:
        ValueError: it cannot be written, or not be read.
    """
    _record(0, _line(record).encode())


def encode_manifest(manifest: Manifest) -> EncodedManifest:
    """The bytes of a manifest: lines sorted by SOP Instance UID, keys sorted, no time stamp in the gzip."""
    lines = [_line(manifest.transfer)]
    lines += [_line(i) for i in sorted(manifest.instances, key=lambda i: i.sop_instance_uid)]
    lines += [_line(m) for m in sorted(manifest.missing, key=lambda m: m.sop_instance_uid)]
    text = ("\n".join(lines) + "\n").encode()
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as stream:
        stream.write(text)
    return EncodedManifest(buffer.getvalue(), hashlib.sha256(text).hexdigest())


def decode_manifest(body: bytes, expected_sha256: str | None = None) -> Manifest:
    """The manifest in these bytes, all of it.

    Raises:
        ManifestFormatError: not gzip, another hash than announced, a line that is not of the format.
    """
    stream = stream_manifest(body, expected_sha256)
    records = list(stream.records)
    return Manifest(
        stream.transfer,
        [record for record in records if isinstance(record, ManifestInstance)],
        [record for record in records if isinstance(record, MissingInstance)],
    )


def stream_manifest(body: bytes, expected_sha256: str | None = None) -> ManifestStream:
    """The manifest in these bytes; its hash is checked at once, a line when it is asked for.

    Raises:
        ManifestFormatError: not gzip, another hash than announced, a line that is not of the format.
    """
    try:
        text = gzip.decompress(body)
    except (OSError, EOFError, zlib.error) as error:
        raise ManifestFormatError(f"the manifest is not gzip: {error}") from error
    found = hashlib.sha256(text).hexdigest()
    if expected_sha256 is not None and found != expected_sha256:
        raise ManifestFormatError(f"the manifest's sha256 is {found}, announced was {expected_sha256}")
    lines = enumerate(io.BytesIO(text), start=1)
    transfer = next((_record(*line) for line in lines), None)
    if not isinstance(transfer, ManifestTransfer):
        raise ManifestFormatError("the manifest does not begin with its transfer line")
    return ManifestStream(transfer, _records(lines), found)


def _records(lines: Iterator[tuple[int, bytes]]) -> Iterator[ManifestRecord]:
    for number, line in lines:
        record = _record(number, line)
        if isinstance(record, ManifestTransfer):
            raise ManifestFormatError(f"manifest line {number}: record 'transfer' is not allowed there")
        yield record


def _record(number: int, line: bytes) -> ManifestTransfer | ManifestRecord:
    try:
        return _RECORD.validate_json(line)
    except ValidationError as error:
        # Without the input: a line holds header attributes, and this text reaches logs.
        mistakes = "; ".join(
            f"{'.'.join(map(str, mistake['loc'][1:]))}: {mistake['msg']}"
            for mistake in error.errors(include_input=False, include_url=False)
        )
        raise ManifestFormatError(f"manifest line {number}: {mistakes}") from None
