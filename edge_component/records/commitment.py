"""Storage commitment, push model (PS3.4 J): a modality may delete its copy when S3 has ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from dicom_ingest.contracts.uids import UnsafeIdentifierError, safe_uid

SOP_CLASS = "1.2.840.10008.1.20.1"
SOP_INSTANCE = "1.2.840.10008.1.20.1.1"
REQUEST_ACTION = 1
ALL_STORED, FAILURES_EXIST = 1, 2

PROCESSING_FAILURE = 0x0110
NO_SUCH_INSTANCE = 0x0112
CLASS_INSTANCE_CONFLICT = 0x0119
DUPLICATE_TRANSACTION = 0x0131
"""Failure reasons (PS3.3 C.14.1.1)."""

INVALID_ARGUMENT, NO_SUCH_OBJECT, NO_SUCH_ACTION = 0x0115, 0x0112, 0x0123
"""Statuses of an N-ACTION (PS3.7 10.1.4.1.10)."""


class CommitmentRequestError(ValueError):
    """A request that is none; `status` is what its N-ACTION is answered."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Reference:
    """One instance that a commitment is asked for."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class Request:
    """One storage commitment request."""

    transaction_uid: str
    references: tuple[Reference, ...]


@dataclass(frozen=True)
class Verdicts:
    """`failed`: with the reason. `pending`: neither in S3 nor out of hope."""

    committed: tuple[Reference, ...]
    failed: tuple[tuple[Reference, int], ...]
    pending: tuple[Reference, ...]

    @property
    def unknown(self) -> bool:
        """One of them was never heard of."""
        return any(reason == NO_SUCH_INSTANCE for _, reason in self.failed)


def parse_request(action_type: int | None, sop_instance_uid: str, information: Dataset) -> Request:
    """The request in an N-ACTION-RQ.

    Raises:
        CommitmentRequestError: another action or object, or an attribute is missing or unsafe.
    """
    if sop_instance_uid != SOP_INSTANCE:
        raise CommitmentRequestError(NO_SUCH_OBJECT, "not the storage commitment push model SOP instance")
    if action_type != REQUEST_ACTION:
        raise CommitmentRequestError(NO_SUCH_ACTION, f"action type {action_type}; 1 is allowed")
    try:
        references = tuple(
            Reference(safe_uid(str(item.ReferencedSOPClassUID)), safe_uid(str(item.ReferencedSOPInstanceUID)))
            for item in information.ReferencedSOPSequence
        )
        request = Request(safe_uid(str(information.TransactionUID)), references)
    except (AttributeError, UnsafeIdentifierError) as error:
        raise CommitmentRequestError(INVALID_ARGUMENT, f"unusable request: {type(error).__name__}") from error
    if not references:
        raise CommitmentRequestError(INVALID_ARGUMENT, "no instance is named")
    return request


def judge(journal: sqlite3.Connection, references: Sequence[Reference]) -> Verdicts:
    """What can be said of these instances now."""
    committed: list[Reference] = []
    failed: list[tuple[Reference, int]] = []
    pending: list[Reference] = []
    for reference in references:
        states = dict(journal.execute(KNOWN, (reference.sop_instance_uid,)).fetchall())
        if not states:
            failed.append((reference, NO_SUCH_INSTANCE))
        elif reference.sop_class_uid not in states:
            failed.append((reference, CLASS_INSTANCE_CONFLICT))
        elif states[reference.sop_class_uid] == "stored":
            committed.append(reference)
        elif states[reference.sop_class_uid] == "pending":
            pending.append(reference)
        else:
            failed.append((reference, PROCESSING_FAILURE))
    return Verdicts(tuple(committed), tuple(failed), tuple(pending))


def event_information(transaction_uid: str, verdicts: Verdicts) -> tuple[int, Dataset]:
    """Type and information of the one N-EVENT-REPORT; what is still pending has failed (PS3.4 J.3.3)."""
    report = Dataset()
    report.TransactionUID = transaction_uid
    if verdicts.committed:
        report.ReferencedSOPSequence = DicomSequence([_item(reference) for reference in verdicts.committed])
    failed = [*verdicts.failed, *((reference, PROCESSING_FAILURE) for reference in verdicts.pending)]
    if not failed:
        return ALL_STORED, report
    items = []
    for reference, reason in failed:
        item = _item(reference)
        item.FailureReason = reason
        items.append(item)
    report.FailedSOPSequence = DicomSequence(items)
    return FAILURES_EXIST, report


def _item(reference: Reference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    return item


# The newest version last, and it decides: a sender may delete its copy only when S3 has what it sent last.
KNOWN = """
SELECT sop_class_uid, state
  FROM (SELECT sop_class_uid, CASE WHEN uploaded THEN 'stored' ELSE 'failed' END AS state,
               0 AS unassigned, sequence, 0 AS instance
          FROM receipt WHERE sop_instance_uid = ?1
        UNION ALL
        SELECT sop_class_uid,
               CASE state WHEN 'uploaded' THEN 'stored' WHEN 'missing' THEN 'failed' ELSE 'pending' END,
               sequence IS NULL, sequence, instance
          FROM instance WHERE sop_instance_uid = ?1)
 ORDER BY unassigned, sequence, instance
"""
