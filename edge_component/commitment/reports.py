"""Storage commitment reports: on a new association with roles reversed, or on the one that asked."""

from __future__ import annotations

import sqlite3
import ssl
from typing import Protocol

from pydicom.dataset import Dataset
from pynetdicom.ae import ApplicationEntity
from pynetdicom.presentation import build_role

from dicom_ingest.contracts.config import CommitmentPeer
from edge_component.commitment.request import (
    DUPLICATE_TRANSACTION,
    SOP_CLASS,
    SOP_INSTANCE,
    Verdicts,
    event_information,
    judge,
)
from edge_component.dimse.tls import client_context
from edge_component.journal.commitments import OpenCommitment, mark_reported, open_commitments
from edge_component.running import logs
from edge_component.running.backoff import Backoff, Schedule
from edge_component.running.clock import MONOTONIC, SYSTEM_CLOCK, Ages, Clock
from edge_component.settings import Settings
from edge_component.spool.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

LEAST_AGE_SECONDS = 0.5
"""The answer to the request goes first."""
UNKNOWN_SECONDS = 3.0
"""The row of an instance follows its answer, and may follow a request on another association, too."""
UNREACHABLE_SECONDS = 30.0
"""A peer without a configured address may call again within it; then the report cannot be delivered."""


class OpenAssociations(Protocol):
    """Reports on the association that asked."""

    def report(self, association: str, event_type: int, information: Dataset) -> bool | None:
        """True: the peer has it. None: the association is over."""
        ...


class CommitmentReports:
    """Owned by one thread, which calls `run_once`."""

    def __init__(
        self,
        journal: sqlite3.Connection,
        settings: Settings,
        associations: OpenAssociations,
        clock: Clock = SYSTEM_CLOCK,
        monotonic: Clock = MONOTONIC,
    ) -> None:
        self._journal = journal
        self._settings = settings
        self._tls = client_context(settings)
        self._associations = associations
        self._clock = clock
        self._monotonic = monotonic
        self._ages = Ages(clock, monotonic)
        self._schedule = Schedule(Backoff(max(1.0, settings.backoff_base_seconds), 300.0))

    def run_once(self) -> bool:
        """Report what can be reported now."""
        with self._ages.look() as age:
            for commitment in open_commitments(self._journal):
                self._consider(commitment, age(commitment.commitment, commitment.requested_at))
        return False

    def _consider(self, commitment: OpenCommitment, age: float) -> None:
        now = self._monotonic()
        if age < LEAST_AGE_SECONDS or not self._schedule.ready(commitment.commitment, now):
            return
        verdicts = self._verdicts(commitment)
        if verdicts.pending and age < self._settings.commitment_patience_seconds:
            return
        if verdicts.unknown and age < UNKNOWN_SECONDS:
            return
        if self._deliver(commitment, verdicts, age):
            mark_reported(self._journal, commitment.commitment, self._clock())
            self._schedule.done(commitment.commitment)
        else:
            self._schedule.failed(commitment.commitment, now)

    def _verdicts(self, commitment: OpenCommitment) -> Verdicts:
        if commitment.duplicate:
            return Verdicts((), tuple((ref, DUPLICATE_TRANSACTION) for ref in commitment.references), ())
        return judge(self._journal, commitment.references)

    def _deliver(self, commitment: OpenCommitment, verdicts: Verdicts, age: float) -> bool:
        event_type, information = event_information(commitment.transaction_uid, verdicts)
        sender = self._settings.sender(commitment.calling_ae)
        if sender is not None and sender.commitment is not None:
            delivered = report_to(sender.commitment, self._settings, event_type, information, tls=self._tls)
        else:
            answer = self._associations.report(commitment.association, event_type, information)
            if answer is None and age > UNREACHABLE_SECONDS:
                logs.error(
                    "storage commitment report cannot be delivered",
                    transaction_uid=commitment.transaction_uid,
                    calling_ae=commitment.calling_ae,
                    reason="the association is over and no address is configured for this sender",
                )
                return True
            delivered = bool(answer)
        if delivered:
            logs.info(
                "storage commitment reported",
                transaction_uid=commitment.transaction_uid,
                calling_ae=commitment.calling_ae,
                committed=len(verdicts.committed),
                failed=len(verdicts.failed) + len(verdicts.pending),
            )
        return delivered


def report_to(
    peer: CommitmentPeer,
    settings: Settings,
    event_type: int,
    information: Dataset,
    *,
    tls: ssl.SSLContext | None = None,
) -> bool:
    """N-EVENT-REPORT on a new association, we as SCP (PS3.4 J.3.3, PS3.7 D.3.3.4)."""
    ae = ApplicationEntity(settings.ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.acse_timeout = ae.network_timeout = ae.connection_timeout = settings.association_timeout
    ae.dimse_timeout = settings.network_timeout
    ae.add_requested_context(SOP_CLASS)
    role = build_role(SOP_CLASS, scu_role=False, scp_role=True)
    over = (tls, peer.host) if peer.tls else None
    assoc = ae.associate(peer.host, peer.port, ae_title=peer.ae, ext_neg=[role], tls_args=over)
    if not assoc.is_established:
        logs.warning("storage commitment peer does not answer", peer_ae=peer.ae, tls=peer.tls)
        return False
    try:
        if not assoc.accepted_contexts:
            return False
        status, _ = assoc.send_n_event_report(information, event_type, SOP_CLASS, SOP_INSTANCE)
    except (RuntimeError, ValueError) as error:  # the peer does not accept us as SCP, or is gone
        logs.warning("storage commitment report refused", peer_ae=peer.ae, reason=type(error).__name__)
        return False
    else:
        return "Status" in status and status.Status == 0
    finally:
        if assoc.is_established:
            assoc.release()
