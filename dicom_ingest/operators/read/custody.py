"""Read model: what the index knows of manifests, and of every instance of a study."""

from __future__ import annotations

from collections.abc import Iterator

from dicom_ingest.operators.read.index import Index, Row, first

PAGE = 1000
"""Rows an answer: the RDS Data API gives at most 1 MiB."""

_TRANSFERS = """
SELECT pk, edge, CAST(transfer_id AS text) AS transfer_id, sequence, study_instance_uid, series_instance_uid,
    modality, manifest_key, manifest_sha256, instance_count, seal_reason, aborted, sealed_at, announced_at,
    indexed_at, state, outcome, outcome_detail, over_at, datastore_id, bucket, prefix
FROM series_transfer WHERE study_instance_uid = CAST(:study AS text) AND manifest_sha256 <> ''
ORDER BY edge, sequence
"""
_INSTANCES = """
SELECT sop_instance_uid, verdict, message, warning_code, datastore_id, image_set_id, image_set_version,
    is_primary, imported_at
FROM instance_transfer
WHERE series_transfer_pk = :pk AND sop_instance_uid > CAST(:after AS text)
ORDER BY sop_instance_uid LIMIT :most
"""
_MANIFESTS = """
SELECT pk, manifest_key, manifest_sha256, CAST(chain_id AS text) AS chain_id, chain_number, sealed_at
FROM series_transfer
WHERE edge = CAST(:edge AS text) AND manifest_sha256 <> '' AND pk > :after
ORDER BY pk LIMIT :most
"""
_ELSEWHERE = """
SELECT edge, manifest_sha256 FROM series_transfer
WHERE chain_id = CAST(CAST(:chain_id AS text) AS uuid) AND chain_number = :number
    AND edge <> CAST(:edge AS text)
ORDER BY pk LIMIT 1
"""
_EDGES = "SELECT DISTINCT edge FROM series_transfer ORDER BY edge"


def transfers(index: Index, study: str) -> list[Row]:
    """The series transfers of a study, in the order of their edges."""
    return index.run(_TRANSFERS, study=study)


def verdicts(index: Index, pk: int) -> dict[str, Row]:
    """What became of each instance of a series transfer, by SOP Instance UID."""
    found: dict[str, Row] = {}
    after = ""
    while rows := index.run(_INSTANCES, pk=pk, after=after, most=PAGE):
        found.update({row["sop_instance_uid"]: row for row in rows})
        after = rows[-1]["sop_instance_uid"]
    return found


def manifests(index: Index, edge: str) -> Iterator[Row]:
    """Every manifest of an edge that was indexed."""
    after = 0
    while rows := index.run(_MANIFESTS, edge=edge, after=after, most=PAGE):
        yield from rows
        after = rows[-1]["pk"]


def elsewhere(index: Index, edge: str, chain_id: str, number: int) -> Row | None:
    """Which other edge has sent a link of this chain, and its hash; None: none has, or it is not indexed."""
    return first(index.run(_ELSEWHERE, edge=edge, chain_id=chain_id, number=number))


def edges(index: Index) -> list[str]:
    """The names of all edges."""
    return [row["edge"] for row in index.run(_EDGES)]
