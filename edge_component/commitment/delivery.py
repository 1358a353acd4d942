"""Deliver one storage commitment report: on a new association, or on the one that asked."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Literal, Protocol

from pydicom.dataset import Dataset
from pynetdicom.ae import ApplicationEntity
from pynetdicom.presentation import build_role

from dicom_ingest.contracts.configuration.senders import CommitmentPeer
from edge_component.records.commitment import SOP_CLASS, SOP_INSTANCE
from edge_component.records.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from edge_component.running.problem import words_of
from edge_component.settings import Settings

End = Literal["delivered", "refused", "unreachable", "gone"]
"""`refused`: this report; `unreachable`: the peer, so any report; `gone`: the association has ended."""


@dataclass(frozen=True)
class Attempt:
    """How one attempt ended, and in which words."""

    end: End
    words: str = ""


class OpenAssociations(Protocol):
    """Reports on the association that asked."""

    def report(self, association: str, event_type: int, information: Dataset) -> bool | None:
        """True: the peer has it. False: it did not take it. None: the association is over."""
        ...


def report_on(
    associations: OpenAssociations, association: str, event_type: int, information: Dataset
) -> Attempt:
    """N-EVENT-REPORT on the association that asked (PS3.4 J.3.3)."""
    answer = associations.report(association, event_type, information)
    if answer is None:
        return Attempt("gone", "the association that asked is over, and no address is configured")
    return Attempt("delivered") if answer else Attempt("refused", "the sender did not take it")


def report_to(
    peer: CommitmentPeer,
    settings: Settings,
    event_type: int,
    information: Dataset,
    *,
    tls: ssl.SSLContext | None = None,
) -> Attempt:
    """N-EVENT-REPORT on a new association, the edge as SCP (PS3.4 J.3.3, PS3.7 D.3.3.4)."""
    try:
        return _report_to(peer, settings, event_type, information, tls)
    except OSError as error:  # a name that does not resolve, no route
        return Attempt("unreachable", words_of(error))
    except (RuntimeError, ValueError) as error:  # the peer does not accept the edge as SCP, or is gone
        return Attempt("refused", f"{type(error).__name__}: the association ended, or has no usable context")


def _report_to(
    peer: CommitmentPeer,
    settings: Settings,
    event_type: int,
    information: Dataset,
    tls: ssl.SSLContext | None,
) -> Attempt:
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
        how = "rejects the association" if assoc.is_rejected else "does not answer"
        return Attempt("unreachable", f"{peer.ae} at {peer.host}:{peer.port} {how}")
    try:
        if not assoc.accepted_contexts:
            return Attempt("unreachable", f"{peer.ae} does not accept storage commitment")
        status, _ = assoc.send_n_event_report(information, event_type, SOP_CLASS, SOP_INSTANCE)
    finally:
        if assoc.is_established:
            assoc.release()
    if "Status" not in status:
        return Attempt("unreachable", f"{peer.ae} did not answer the report")
    return Attempt("delivered") if status.Status == 0 else Attempt("refused", f"status 0x{status.Status:04X}")
