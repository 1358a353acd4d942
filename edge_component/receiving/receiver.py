"""The storage SCP: plain handlers around the store."""

from __future__ import annotations

import socket
import ssl
from typing import Any, Protocol

from pydicom.dataset import Dataset
from pynetdicom import _config, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification

from edge_component.commitment.request import (
    PROCESSING_FAILURE,
    SOP_CLASS,
    SOP_INSTANCE,
    CommitmentRequestError,
    parse_request,
)
from edge_component.dimse.admission import DRAINING, Applicant, Rejection
from edge_component.dimse.fast import FastDimse, Lend, Lent
from edge_component.dimse.messages import BeginStore, StoreRequest
from edge_component.dimse.negotiation import choose_transfer_syntaxes, refuse_other_services
from edge_component.dimse.server import EdgeServer
from edge_component.dimse.statuses import Status, processing_failure
from edge_component.dimse.upper_layer import EdgeUpperLayer
from edge_component.journal.database import JournalError
from edge_component.journal.rows import AssociationRow
from edge_component.receiving.associations import Associations
from edge_component.receiving.store import Reception, Store, StoreCommand
from edge_component.running import logs
from edge_component.running.startup import naming
from edge_component.settings import Settings
from edge_component.spool.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

UNLIMITED = 1_000_000
"""Associations are counted by us, by what is established and not by what is connected."""


class Lender(Protocol):
    """Who reads connections in other processes (`readers.pool.Readers`)."""

    def lend(
        self, connection: socket.socket, sender: AssociationRow, contexts: dict[int, str]
    ) -> Lent | None:
        """None: nobody is there to read it."""
        ...


class Receiver:
    """Listens, admits, hands every C-STORE to the store and answers what it says."""

    def __init__(self, settings: Settings, store: Store, associations: Associations, readers: Lender) -> None:
        self._settings = settings
        self._store = store
        self._associations = associations
        self._readers = readers
        self._ae = _application_entity(settings)
        self._servers: dict[str, EdgeServer] = {}

    def listen(self, tls: ssl.SSLContext | None = None) -> None:
        """Open the ports.

        Raises:
            StartError: a port is taken or not allowed.
        """
        wanted = {"dicom_port": (self._settings.dicom_port, None), "tls_port": (self._settings.tls_port, tls)}
        if not self._settings.plain_dicom:
            del wanted["dicom_port"]
        for name, (port, context) in wanted.items():
            if port is not None:
                with naming(name, f"{port} on {self._settings.bind}"):
                    self._servers[name] = self._server(port, context)
        for server in self._servers.values():
            server.listen()

    @property
    def ports(self) -> dict[str, int]:
        """The ports that are listened on: `dicom_port`, `tls_port`."""
        return {name: server.port for name, server in self._servers.items()}

    @property
    def alive(self) -> bool:
        """Whether all ports are being listened on."""
        return all(server.alive for server in self._servers.values())

    def congested(self, rejection: Rejection | None) -> None:
        """Reject new associations with this while the spool is full; None: accept them."""
        self._associations.congested = rejection

    def close(self) -> None:
        """Accept no new association, for good."""
        self._associations.draining = DRAINING
        for server in self._servers.values():
            server.close()

    def abort(self) -> None:
        """End the associations that are still open."""
        for assoc in self._ae.active_associations:
            assoc.abort()

    # What the connections tell us (dimse.server.Connections)

    def opened(self, peer: str) -> bool:
        """A connection was accepted."""
        return self._associations.connected(peer)

    def begin_store(self, assoc: Association) -> BeginStore:
        """A C-STORE-RQ of this association begins a reception."""

        def begin(command: StoreCommand) -> Reception:
            return self._store.begin(_row(assoc), command)

        return begin

    def lend(self, assoc: Association) -> Lend:
        """Its connection may go to a reader process."""

        def lend(connection: socket.socket, contexts: dict[int, str]) -> Lent | None:
            return self._readers.lend(connection, _row(assoc), contexts)

        return lend

    def closed(self, peer: str, assoc: Association | None) -> None:
        """A connection is over; if it was an association, the journal hears how it ended."""
        self._associations.disconnected()
        row = getattr(assoc, "edge_row", None)
        if assoc is None or row is None:
            if assoc is not None and not assoc.is_rejected:
                logs.info("connection closed without association", peer=peer)
            return
        aborted = not assoc.is_released
        say = logs.warning if aborted else logs.info
        say(
            "association aborted" if aborted else "association released",
            association=row.association,
            calling_ae=row.calling_ae,
            peer=peer,
        )
        self._associations.over(row, aborted=aborted)

    # Handlers of pynetdicom's events

    def on_requested(self, event: evt.Event) -> None:
        """A-ASSOCIATE-RQ: admit or reject, and choose the transfer syntax of every presentation context."""
        assoc = event.assoc
        dul = assoc.dul
        if not isinstance(dul, EdgeUpperLayer):
            raise TypeError("the association was not made by our server")
        peer = str(assoc.requestor.address)
        answer = self._associations.admit(Applicant(peer, dul.calling_ae, dul.called_ae))
        if isinstance(answer, Rejection):
            assoc.acse.send_reject(answer.result, answer.source, answer.diagnostic)
            assoc.is_rejected = True
            assoc.kill()
            return
        assoc.edge_row = answer
        sender = self._settings.sender(answer.calling_ae)
        proposed = assoc.requestor.primitive.presentation_context_definition_list
        refuse_other_services(proposed)
        transfer_syntaxes = choose_transfer_syntaxes(proposed, sender.prefer if sender else "as_proposed")
        logs.info(
            "association requested",
            association=answer.association,
            calling_ae=answer.calling_ae,
            called_ae=answer.called_ae,
            peer=peer,
            transfer_syntaxes=transfer_syntaxes,
        )

    def on_store(self, event: evt.Event) -> Dataset | int:
        """C-STORE: the data set is in the spool already, the store decides."""
        request = event.request
        if not isinstance(request, StoreRequest):
            return _dataset(processing_failure("not a C-STORE of ours"))
        status = request.reception.finish()
        request.reception.settle()
        return _dataset(status)

    def on_action(self, event: evt.Event) -> tuple[Dataset | int, Dataset | None]:
        """N-ACTION: a storage commitment request is answered 0x0000 when it is on the disk."""
        row = _row(event.assoc)
        try:
            requested = str(event.request.RequestedSOPInstanceUID)
            request = parse_request(event.action_type, requested, event.action_information)
            self._store.journal.request_commitment(request, row)
        except CommitmentRequestError as error:
            logs.warning("storage commitment refused", reason=str(error), calling_ae=row.calling_ae)
            return error.status, None
        except JournalError:
            return PROCESSING_FAILURE, None
        logs.info(
            "storage commitment requested",
            transaction_uid=request.transaction_uid,
            instances=len(request.references),
            calling_ae=row.calling_ae,
        )
        return 0x0000, None

    def report(self, association: str, event_type: int, information: Dataset) -> bool | None:
        """A storage commitment report on the association that asked; None: it is over."""
        for assoc in self._ae.active_associations:
            row = getattr(assoc, "edge_row", None)
            free = not isinstance(assoc.dimse, FastDimse) or assoc.dimse.reading.is_set()
            if row is not None and row.association == association and assoc.is_established and free:
                try:
                    status, _ = assoc.send_n_event_report(information, event_type, SOP_CLASS, SOP_INSTANCE)
                except (RuntimeError, ValueError):  # released between the look and the call
                    return None
                return "Status" in status and status.Status == 0
        return None

    def _server(self, port: int, tls: ssl.SSLContext | None) -> EdgeServer:
        handlers: list[tuple[Any, Any]] = [
            (evt.EVT_REQUESTED, self.on_requested),
            (evt.EVT_C_STORE, self.on_store),
            (evt.EVT_N_ACTION, self.on_action),
        ]
        return EdgeServer(
            self._ae,
            (self._settings.bind, port),
            self,
            handlers,
            tls,
            self._settings.association_timeout,
            self._settings.receiver,
        )


def _application_entity(settings: Settings) -> ApplicationEntity:
    _config.UNRESTRICTED_STORAGE_SERVICE = True  # any storage SOP class, private ones too
    _config.LOG_HANDLER_LEVEL = "none"  # its handlers format every PDU
    ae = ApplicationEntity(settings.ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.maximum_associations = UNLIMITED
    ae.maximum_pdu_size = settings.max_pdu_bytes
    ae.acse_timeout = settings.association_timeout
    ae.dimse_timeout = settings.network_timeout
    ae.network_timeout = settings.network_timeout
    ae.add_supported_context(Verification)
    ae.add_supported_context(SOP_CLASS, scu_role=True, scp_role=True)
    return ae


def _row(assoc: Association) -> AssociationRow:
    row = getattr(assoc, "edge_row", None)
    if not isinstance(row, AssociationRow):
        raise TypeError("the association was not admitted")
    return row


def _dataset(status: Status) -> Dataset | int:
    if status.stored:
        return status.code
    answer = Dataset()
    answer.Status = status.code
    answer.ErrorComment = status.short_comment
    return answer
