"""What is odd about a series transfer and worth a person's eye; none of it stops the import."""

from __future__ import annotations

from collections.abc import Iterator

from dicom_ingest.contracts.manifest import Manifest
from dicom_ingest.db.connection import Connection
from dicom_ingest.dicom import text_value

MOST = 20

CONFLICT_TAGS = {
    "PatientID": "00100020",
    "StudyDate": "00080020",
    "AccessionNumber": "00080050",
    "StudyID": "00200010",
    "SeriesNumber": "00200011",
}
"""HealthImaging keeps instances apart that differ in one of these, or in a UID of study or series.

https://docs.aws.amazon.com/healthimaging/latest/devguide/understanding-image-sets.html
"""

_ELSEWHERE = """
SELECT ARRAY(SELECT DISTINCT edge FROM series_transfer
             WHERE series_instance_uid = :series AND edge <> :edge ORDER BY edge LIMIT 5) AS edges,
       ARRAY(SELECT DISTINCT study_instance_uid FROM series_transfer
             WHERE series_instance_uid = :series AND study_instance_uid <> :study
             ORDER BY study_instance_uid LIMIT 5) AS studies
"""


def conflict_attributes(manifest: Manifest) -> dict[str, str | None]:
    """What its first instance says of each."""
    dataset = manifest.instances[0].attributes if manifest.instances else {}
    return {keyword: text_value(dataset, tag) for keyword, tag in CONFLICT_TAGS.items()}


def findings(connection: Connection, manifest: Manifest, extra: list[str]) -> list[str]:
    """All of them, in words without a value that names a person."""
    return [*_within(manifest), *_elsewhere(connection, manifest), *_beside(extra)][:MOST]


def _within(manifest: Manifest) -> Iterator[str]:
    for keyword, tag in CONFLICT_TAGS.items():
        values = {text_value(instance.attributes, tag) for instance in manifest.instances}
        if len(values) > 1:
            yield f"its instances carry {len(values)} different values of {keyword}"


def _elsewhere(connection: Connection, manifest: Manifest) -> Iterator[str]:
    transfer = manifest.transfer
    found = connection.one(
        _ELSEWHERE,
        series=transfer.series_instance_uid,
        study=transfer.study_instance_uid,
        edge=transfer.edge,
    )
    for edge in found["edges"] if found else []:
        yield f"edge {edge} has sent this series, too"
    for study in found["studies"] if found else []:
        yield f"its series UID stands in study {study}, too"


def _beside(extra: list[str]) -> Iterator[str]:
    if extra:
        yield f"{len(extra)} objects lie below its prefix that its manifest does not name, e.g. {extra[0]}"
