"""The S3 keys of the one DICOM bucket: built and parsed here and nowhere else.

``{edge}/{transfer}/{study}/{series}/{sop}.dcm``             DICOM files only: HealthImaging scans the prefix
``manifests/{edge}/{yyyy-mm-dd}/{transfer}/{series}.jsonl.gz``
``results/{edge}/{transfer}/{study}/{series}/{attempt}/``
``results/{edge}/{transfer}/bundle-{bundle}/``               of an import that takes the whole transfer
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from dicom_ingest.contracts.identifiers import EDGE_NAME, UUID4
from dicom_ingest.contracts.uids import UnsafeIdentifierError, safe_uid

MANIFESTS = "manifests/"
RESULTS = "results/"
RESERVED_EDGE_NAMES = ("manifests", "results")


class KeyFormatError(ValueError):
    """A key that the project never writes."""


def _check(edge: str, transfer_id: str, *uids: str) -> None:
    if not EDGE_NAME.fullmatch(edge) or edge in RESERVED_EDGE_NAMES:
        raise UnsafeIdentifierError(f"{edge!r} is not an edge name that can begin a key")
    if not UUID4.fullmatch(transfer_id):
        raise UnsafeIdentifierError(f"{transfer_id!r} is not a transfer id: a lower-case UUID4 is allowed")
    for uid in uids:
        if safe_uid(uid) != uid:
            raise UnsafeIdentifierError(f"{uid!r} has padding that must be stripped before it becomes a key")


@dataclass(frozen=True)
class SeriesPrefix:
    """The prefix of the instances of one series transfer."""

    edge: str
    transfer_id: str
    study_instance_uid: str
    series_instance_uid: str

    def __post_init__(self) -> None:
        _check(self.edge, self.transfer_id, self.study_instance_uid, self.series_instance_uid)

    def __str__(self) -> str:
        # The slash at the end matters: without it `…/1.1` also takes `…/1.10`.
        return f"{self.edge}/{self.transfer_id}/{self.study_instance_uid}/{self.series_instance_uid}/"

    def instance(self, sop_instance_uid: str) -> str:
        """The key of one instance."""
        return str(InstanceKey(self, sop_instance_uid))

    @property
    def transfer(self) -> str:
        """The prefix, with its slash, of all series of its transfer."""
        return f"{self.edge}/{self.transfer_id}/"

    def bundle_results(self, bundle: int) -> str:
        """The prefix, with its slash, that HealthImaging writes the results of a whole transfer below."""
        return f"{RESULTS}{self.transfer}bundle-{bundle}/"

    def results(self, attempt: int) -> str:
        """The prefix, with its slash, that HealthImaging writes one attempt's results below."""
        if attempt < 1:
            raise ValueError(f"attempt {attempt}: 1 and above are allowed")
        return f"{RESULTS}{self}{attempt}/"


@dataclass(frozen=True)
class InstanceKey:
    """The key of one instance."""

    prefix: SeriesPrefix
    sop_instance_uid: str

    def __post_init__(self) -> None:
        if safe_uid(self.sop_instance_uid) != self.sop_instance_uid:
            raise UnsafeIdentifierError(f"{self.sop_instance_uid!r} has padding")

    def __str__(self) -> str:
        return f"{self.prefix}{self.sop_instance_uid}.dcm"


@dataclass(frozen=True)
class ManifestKey:
    """The key of one series transfer's manifest."""

    edge: str
    sealed_on: date
    transfer_id: str
    series_instance_uid: str

    def __post_init__(self) -> None:
        _check(self.edge, self.transfer_id, self.series_instance_uid)

    def __str__(self) -> str:
        day = self.sealed_on.isoformat()
        return f"{MANIFESTS}{self.edge}/{day}/{self.transfer_id}/{self.series_instance_uid}.jsonl.gz"


def parse_instance_key(key: str) -> InstanceKey:
    """The parts of an instance's key.

    Raises:
        KeyFormatError: the key is not one that we build.
    """
    parts = key.split("/")
    if len(parts) != 5 or not parts[4].endswith(".dcm"):
        raise KeyFormatError(f"{key!r} is not {{edge}}/{{transfer}}/{{study}}/{{series}}/{{sop}}.dcm")
    try:
        return InstanceKey(SeriesPrefix(*parts[:4]), parts[4].removesuffix(".dcm"))
    except UnsafeIdentifierError as error:
        raise KeyFormatError(f"{key!r}: {error}") from error


def parse_series_prefix(prefix: str) -> SeriesPrefix:
    """The parts of a series transfer's prefix.

    Raises:
        KeyFormatError: the prefix is not one that we build.
    """
    parts = prefix.split("/")
    if len(parts) != 5 or parts[4]:
        raise KeyFormatError(f"{prefix!r} is not {{edge}}/{{transfer}}/{{study}}/{{series}}/")
    try:
        return SeriesPrefix(*parts[:4])
    except UnsafeIdentifierError as error:
        raise KeyFormatError(f"{prefix!r}: {error}") from error


def parse_manifest_key(key: str) -> ManifestKey:
    """The parts of a manifest's key.

    Raises:
        KeyFormatError: the key is not one that we build.
    """
    parts = key.split("/")
    if len(parts) != 5 or f"{parts[0]}/" != MANIFESTS or not parts[4].endswith(".jsonl.gz"):
        raise KeyFormatError(f"{key!r} is not {MANIFESTS}{{edge}}/{{day}}/{{transfer}}/{{series}}.jsonl.gz")
    try:
        sealed_on = date.fromisoformat(parts[2])
        return ManifestKey(parts[1], sealed_on, parts[3], parts[4].removesuffix(".jsonl.gz"))
    except ValueError as error:
        raise KeyFormatError(f"{key!r}: {error}") from error
