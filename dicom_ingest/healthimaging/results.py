"""An import's own results in S3: its manifest and the ndjson files beside it.

https://docs.aws.amazon.com/healthimaging/latest/devguide/understanding-import-jobs.html
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dicom_ingest.contracts.messages.outcomes import Verdict

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class ImageSet:
    """An image set that an import made or changed."""

    image_set_id: str
    version: int
    is_primary: bool | None
    matched_instances: int


@dataclass(frozen=True)
class InstanceResult:
    """What became of one object, known by its file's name: `inputFile` is a key, a path or a URI."""

    sop_instance_uid: str
    verdict: Verdict
    image_set_id: str | None = None
    version: int | None = None
    is_primary: bool | None = None
    warning_code: int | None = None
    message: str | None = None
    series_instance_uid: str | None = None
    """Of the folder that holds the file; none where `inputFile` names no folder."""


@dataclass(frozen=True)
class ImportResults:
    """Counts as HealthImaging gives them, image sets, and a result per object.

    `lost`: the import completed, but its results were never written. `uri`: where they are.
    """

    scanned: int = 0
    imported: int = 0
    customer_errors: int = 0
    server_errors: int = 0
    image_sets: list[ImageSet] = field(default_factory=list)
    instances: list[InstanceResult] = field(default_factory=list)
    lost: bool = False
    uri: str | None = None

    def of_series(self, series_instance_uid: str, instances: int) -> ImportResults:
        """What an import that several series shared says of one of them: counted by its own lines.

        `instances`: of its manifest, which are all in where everything was imported and lines are absent.
        """
        mine = [*self._by_series[series_instance_uid], *self._by_series[None]]
        imported = [r for r in mine if r.verdict is not Verdict.FAILED]
        whole = self.unnamed and len(mine) == len(imported)
        matched = Counter(result.image_set_id for result in imported)
        return ImportResults(
            scanned=instances if whole else len(mine),
            imported=instances if whole else len(imported),
            image_sets=[
                replace(image_set, matched_instances=instances_of_it)
                for image_set_id, instances_of_it in matched.items()
                for image_set in self._image_sets_by_id[image_set_id]
            ],
            instances=mine,
            lost=self.lost,
            uri=self.uri,
        )

    # A shared import has thousands of series, each of which is asked for: what is read for all is read once.
    @cached_property
    def _by_series(self) -> defaultdict[str | None, list[InstanceResult]]:
        found: defaultdict[str | None, list[InstanceResult]] = defaultdict(list)
        for result in self.instances:
            found[result.series_instance_uid].append(result)
        return found

    @cached_property
    def _image_sets_by_id(self) -> defaultdict[str | None, list[ImageSet]]:
        found: defaultdict[str | None, list[ImageSet]] = defaultdict(list)
        for image_set in self.image_sets:
            found[image_set.image_set_id].append(image_set)
        return found

    @cached_property
    def unnamed(self) -> bool:
        """All that was scanned was imported, but not every object has its line (files may be absent)."""
        named = sum(line.verdict in (Verdict.IMPORTED, Verdict.WARNED) for line in self.instances)
        return 0 < self.imported == self.scanned and named < self.imported


def read_results(s3: S3Client, output_uri: str) -> ImportResults | None:
    """The results below ``outputS3Uri`` of the import; None while there is no manifest.

    SUCCESS, FAILURE and WARNING files may each be absent.
    """
    bucket, _, prefix = output_uri.removeprefix("s3://").partition("/")
    summary = read_summary(s3, bucket, prefix)
    if summary is None:
        return None
    image_sets = [
        ImageSet(
            image_set_id=str(entry["imageSetId"]),
            version=int(entry.get("imageSetVersion", 1)),
            is_primary=_flag(entry.get("isPrimary")),
            matched_instances=int(entry.get("numberOfMatchedSOPInstances", 0)),
        )
        for entry in summary.get("imageSetsSummary", [])
    ]
    versions = {image_set.image_set_id: image_set.version for image_set in image_sets}
    lines = chain(
        _successes(s3, bucket, prefix, versions),
        _warnings(s3, bucket, prefix, versions),
        _failures(s3, bucket, prefix),
    )
    results = {(line.series_instance_uid, line.sop_instance_uid): line for line in lines}
    return ImportResults(
        scanned=int(summary.get("numberOfScannedFiles", 0)),
        imported=int(summary.get("numberOfImportedFiles", 0)),
        customer_errors=int(summary.get("numberOfFilesWithCustomerError", 0)),
        server_errors=int(summary.get("numberOfFilesWithServerError", 0)),
        image_sets=image_sets,
        instances=list(results.values()),
        uri=output_uri,
    )


def read_summary(s3: S3Client, bucket: str, prefix: str) -> dict[str, Any] | None:
    """``jobSummary`` of the import's manifest, or None while it is not written."""
    try:
        body = s3.get_object(Bucket=bucket, Key=f"{prefix}job-output-manifest.json")["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise
    summary: dict[str, Any] = json.loads(body)["jobSummary"]
    return summary


def _lines(s3: S3Client, bucket: str, key: str) -> Iterator[dict[str, Any]]:
    """The lines of an ndjson file, streamed; none where the file is absent."""
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return
        raise
    for line in body.iter_lines():
        if line.strip():
            yield json.loads(line)


def _successes(s3: S3Client, bucket: str, prefix: str, versions: dict[str, int]) -> Iterator[InstanceResult]:
    for line in _lines(s3, bucket, f"{prefix}SUCCESS/success.ndjson"):
        yield _imported(line, versions)


def _warnings(s3: S3Client, bucket: str, prefix: str, versions: dict[str, int]) -> Iterator[InstanceResult]:
    for line in _lines(s3, bucket, f"{prefix}WARNING/warning.ndjson"):
        found = line.get("importResponse", {}).get("warnings", [])
        words = printable("; ".join(f"{w.get('type')}: {w.get('message')}" for w in found))
        code = found[0].get("warning_reason_code") if found else None
        imported = _imported(line, versions)
        yield InstanceResult(
            **vars(imported) | {"verdict": Verdict.WARNED, "warning_code": code, "message": words or None}
        )


def _failures(s3: S3Client, bucket: str, prefix: str) -> Iterator[InstanceResult]:
    for line in _lines(s3, bucket, f"{prefix}FAILURE/failure.ndjson"):
        exception = line.get("exception", {})
        words = printable(f"{exception.get('exceptionType')}: {exception.get('message')}")
        yield InstanceResult(
            _sop_instance(line), Verdict.FAILED, message=words, series_instance_uid=_series(line)
        )


def _imported(line: dict[str, Any], versions: dict[str, int]) -> InstanceResult:
    response = line.get("importResponse", {})
    image_set_id = response.get("imageSetId")
    version = response.get("imageSetVersion", versions.get(image_set_id))
    return InstanceResult(
        sop_instance_uid=_sop_instance(line),
        verdict=Verdict.IMPORTED,
        image_set_id=image_set_id,
        version=None if version is None else int(version),
        is_primary=_flag(response.get("isPrimary")),
        series_instance_uid=_series(line),
    )


def printable(words: str) -> str:
    """Without NUL, which pads DICOM values that a message quotes, and which PostgreSQL does not store."""
    return words.replace("\0", "")


def _series(line: dict[str, Any]) -> str | None:
    return str(line["inputFile"]).rpartition("/")[0].rpartition("/")[2] or None


def _sop_instance(line: dict[str, Any]) -> str:
    return str(line["inputFile"]).rpartition("/")[2].removesuffix(".dcm")


def _flag(value: Any) -> bool | None:
    """The documentation prints ``True`` as text in one place."""
    if isinstance(value, str):
        return value.lower() == "true"
    return None if value is None else bool(value)
