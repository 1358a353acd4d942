"""Indexing one series transfer: a fixed number of statements whatever its size."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from dicom_ingest.contracts.times import rfc3339
from dicom_ingest.db.index import findings
from dicom_ingest.db.index.columns import Dataset, columns, key, key_value
from dicom_ingest.db.index.rows import SeriesRows, conflict_attributes
from dicom_ingest.db.index.statements import (
    COUNT,
    INDEXED,
    LOCK,
    MOVE_STUDY,
    NAME_PATIENT,
    PATIENT_LEVEL,
    SAME_PATIENT,
    SERIES_LEVEL,
    STUDY_LEVEL,
    UPSERT_INSTANCES,
    UPSERT_VERSIONS,
    Level,
)
from dicom_ingest.db.server.connection import Connection
from dicom_ingest.errors import ClaimLostError


@dataclass(frozen=True)
class Indexed:
    """What was written."""

    series_pk: int
    instances: int
    present: int
    extra: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def index(
    connection: Connection, series_transfer_pk: int, rows: SeriesRows, owner: tuple[str, int] | None
) -> Indexed:
    """Write patient, study, series, instances and this transfer's versions of them.

    `owner`: execution and fence; None re-indexes without a claim and leaves the state alone.

    Raises:
        ClaimLostError: another execution owns the series transfer by now; nothing was written.
    """
    transfer = rows.transfer
    identity = patient_identity(
        rows.dataset, transfer.issuer_of_patient_id, transfer.edge, transfer.study_instance_uid
    )
    connection.run(LOCK, pk=series_transfer_pk, identifier=identity.identifier)
    series_pk, odd = _levels(connection, rows, identity)
    connection.run(
        UPSERT_INSTANCES,
        series_pk=series_pk,
        edge=transfer.edge,
        transfer_id=transfer.transfer_id,
        sequence=transfer.sequence,
        rows=rows.instances,
    )
    connection.run(UPSERT_VERSIONS, pk=series_transfer_pk, rows=rows.versions)
    connection.run(COUNT, series_pk=series_pk)
    odd += findings.findings(connection, rows)
    execution, fence = owner or (None, None)
    link = transfer.chain
    updated = connection.one(
        INDEXED,
        pk=series_transfer_pk,
        series_pk=series_pk,
        after=[str(earlier) for earlier in transfer.after],
        found=rows.found,
        extra=json.dumps(rows.extra[:100]),
        conflict_attributes=json.dumps(conflict_attributes(rows.dataset)),
        findings=odd,
        chain_id=link.chain_id if link else None,
        chain_number=link.number if link else None,
        chain_previous=link.previous_sha256 if link else None,
        execution=execution,
        fence=fence,
    )
    if updated is None:
        raise ClaimLostError(f"series transfer {transfer.transfer_id}")
    return Indexed(series_pk, rows.count, rows.present, rows.extra, odd)


@dataclass(frozen=True)
class PatientIdentity:
    """The key of a patient. `named`: the object itself names the issuer of its patient id."""

    issuer: str
    identifier: str
    identifier_is_study: bool
    named: bool


def patient_identity(
    dataset: Dataset, sender_issuer: str | None, edge: str, study_instance_uid: str
) -> PatientIdentity:
    """The key of a patient: issuer (the object's, the sender's, the edge) and id, or the study's UID."""
    named = key_value(dataset, "00100021")
    patient_id = key_value(dataset, "00100020")
    return PatientIdentity(
        issuer=named or key((sender_issuer or "").strip()) or edge,
        identifier=patient_id or study_instance_uid,
        identifier_is_study=patient_id is None,
        named=named is not None,
    )


def _levels(connection: Connection, rows: SeriesRows, identity: PatientIdentity) -> tuple[int, list[str]]:
    """Write patient, study and series; the series' pk, and what is odd about the patient's issuer."""
    transfer, dataset = rows.transfer, rows.dataset
    received_at = rfc3339(transfer.last_received_at)
    same = None
    if not identity.identifier_is_study:
        same = connection.one(SAME_PATIENT, study=transfer.study_instance_uid, identifier=identity.identifier)
    odd: list[str] = []
    if same is not None and same["issuer"] != identity.issuer:
        if not identity.named:
            identity = replace(identity, issuer=same["issuer"])
            if same["named"]:
                odd.append("no issuer of its patient id: filed under the one that others of its study name")
        elif not same["named"]:
            _name_issuer(connection, same, identity.issuer)
            odd.append("it names the issuer of its patient id, which others of its study do not")
    patient = _pk(
        connection,
        PATIENT_LEVEL,
        (identity.issuer, identity.identifier, identity.identifier_is_study),
        dataset,
        received_at,
    )
    study = _pk(connection, STUDY_LEVEL, (patient, transfer.study_instance_uid), dataset, received_at)
    series = _pk(connection, SERIES_LEVEL, (study, transfer.series_instance_uid), dataset, received_at)
    return series, odd


def _name_issuer(connection: Connection, same: dict[str, Any], issuer: str) -> None:
    """Give a study that was filed under an assumed issuer the patient that is now named."""
    if connection.one(NAME_PATIENT, patient=same["patient_pk"], issuer=issuer) is None:
        connection.run(MOVE_STUDY, study=same["study_pk"], patient=same["patient_pk"], issuer=issuer)


def _pk(
    connection: Connection,
    level: Level,
    natural: tuple[Any, ...],
    dataset: Dataset,
    received_at: str,
) -> int:
    """Insert or complete the row with this natural key; its pk. What is unchanged is not written again."""
    key = dict(zip(("key0", "key1", "key2"), natural, strict=False))
    found = columns(dataset, level.attributes)
    row = connection.one(
        level.upsert,
        row=json.dumps(found.values),
        unparsed=json.dumps(found.unparsed),
        received_at=received_at,
        **key,
    ) or connection.one(level.select, **key)
    if row is None:
        raise AssertionError(f"neither written nor found: a row of {level.table}")
    return int(row["pk"])
