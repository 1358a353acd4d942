"""DIMSE messages from P-DATA: a C-STORE's data set goes straight into its reception, all else is bounded."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import decode
from pynetdicom.pdu_primitives import P_DATA

from edge_component.dimse.stream import C_STORE_RQ, NO_DATASET
from edge_component.receiving.header import UNREADABLE
from edge_component.receiving.store import Reception, StoreCommand
from edge_component.running import logs

MAX_COMMAND_BYTES = 64 * 1024
"""A C-STORE-RQ has about 300 bytes."""
MAX_OTHER_DATASET_BYTES = 16 * 1024 * 1024
"""A storage commitment request for 100,000 instances has about 13 MB."""
BeginStore = Callable[[StoreCommand], Reception]


class ProtocolError(ValueError):
    """A peer that does not speak DIMSE; the association is aborted."""


class StoreRequest(C_STORE):  # type: ignore[misc]  # pynetdicom has no types
    """A received C-STORE whose data set is in the spool already; any UID may be missing from it."""

    REQUEST_KEYWORDS = ("MessageID",)
    reception: Reception


class EdgeDimse(DIMSEServiceProvider):  # type: ignore[misc]  # pynetdicom has no types
    """Reads messages fragment by fragment (PS3.8 E.2), in the thread that reads the socket."""

    def __init__(self, assoc: Any, begin_store: BeginStore) -> None:
        super().__init__(assoc)
        self.begin_store = begin_store
        self._command = bytearray()
        self._fragments: list[list[Any]] = []
        self._other_bytes = 0
        self._request: StoreRequest | None = None
        self._broken = False

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Fragments of one P-DATA-TF PDU."""
        for context_id, data in primitive.presentation_data_value_list:
            if self._broken:
                return
            try:
                self._fragment(context_id, memoryview(data))
            except ProtocolError as error:
                self.fail(str(error))

    def fail(self, reason: str) -> None:
        """The peer broke the protocol: abort."""
        self._broken = True
        logs.warning("protocol error", reason=reason, calling_ae=self.assoc.requestor.ae_title)
        self.dul.event_queue.put("Evt19")  # PS3.8 9.2: unrecognised or invalid PDU

    def abandon(self) -> None:
        """The association is over: what was not answered will not be."""
        if self._request is not None:
            request, self._request = self._request, None
            request.reception.abandon()
        while (waiting := self.get_msg(block=False)) != (None, None):
            if isinstance(waiting[1], StoreRequest):
                waiting[1].reception.abandon()

    def _fragment(self, context_id: int, data: memoryview) -> None:
        if not data:
            raise ProtocolError("an empty presentation data value")
        control, body = data[0], data[1:]
        is_command, is_last = control & 1, control & 2
        if is_command:
            self._command_fragment(context_id, bytes(data), last=bool(is_last))
        elif self._request is not None:
            self._request.reception.write(body)
            if is_last:
                request, self._request = self._request, None
                self._complete(context_id, request)
        elif self._fragments:
            self._other_fragment(context_id, bytes(data), last=bool(is_last))
        else:
            raise ProtocolError("a data set without a command")

    def _complete(self, context_id: int, request: StoreRequest) -> None:
        """The data set is in its reception: on to pynetdicom, which asks for the status and answers."""
        self.msg_queue.put((context_id, request))

    def _command_fragment(self, context_id: int, data: bytes, *, last: bool) -> None:
        if self._request is not None or (self._fragments and not self._command):
            raise ProtocolError("a command inside a data set")
        self._command += data[1:]
        self._fragments.append([context_id, data])
        if len(self._command) > MAX_COMMAND_BYTES:
            raise ProtocolError(f"a command set of more than {MAX_COMMAND_BYTES} bytes")
        if not last:
            return
        encoded, self._command = bytes(self._command), bytearray()
        command = _decoded(encoded)
        has_dataset = command.get("CommandDataSetType") != NO_DATASET
        if command.get("CommandField") == C_STORE_RQ:
            self._fragments = []
            self._begin(context_id, command, has_dataset=has_dataset)
        elif not has_dataset:
            self._hand_over()

    def _begin(self, context_id: int, command: Dataset, *, has_dataset: bool) -> None:
        uids = _text(command, "AffectedSOPClassUID"), _text(command, "AffectedSOPInstanceUID")
        self._expect(context_id, _store_request(command, context_id), uids)
        if not has_dataset and (request := self._request):
            self._request = None
            self._complete(context_id, request)

    def _expect(self, context_id: int, request: StoreRequest, uids: tuple[str, str]) -> None:
        """A data set, which goes into a reception."""
        context = self.assoc._accepted_cx.get(context_id)
        if context is None:
            raise ProtocolError(f"a C-STORE in presentation context {context_id}, which was not accepted")
        request.reception = self.begin_store(StoreCommand(*uids, str(context.transfer_syntax[0])))
        self._request = request

    def _other_fragment(self, context_id: int, data: bytes, *, last: bool) -> None:
        self._other_bytes += len(data)
        if self._other_bytes > MAX_OTHER_DATASET_BYTES:
            raise ProtocolError(f"a data set of more than {MAX_OTHER_DATASET_BYTES} bytes beside a C-STORE")
        self._fragments.append([context_id, data])
        if last:
            self._hand_over()

    def _hand_over(self) -> None:
        """A whole message that is no C-STORE goes the way pynetdicom knows."""
        primitive = P_DATA()
        primitive.presentation_data_value_list = self._fragments
        self._fragments, self._other_bytes = [], 0
        super().receive_primitive(primitive)


def _decoded(encoded: bytes) -> Dataset:
    """The command set: always Implicit VR Little Endian (PS3.7 6.3.1)."""
    try:
        command: Dataset = decode(BytesIO(encoded), True, True)
        command.decode()
    except UNREADABLE as error:
        raise ProtocolError(f"a command set that cannot be read: {type(error).__name__}") from error
    if "CommandField" not in command or not isinstance(command.CommandField, int):
        raise ProtocolError("a command set without a command field")
    return command


def _text(command: Dataset, keyword: str) -> str:
    value = command.get(keyword)
    return "" if value is None else str(value)


def _store_request(command: Dataset, context_id: int) -> StoreRequest:
    """For the answer: UIDs are echoed where pynetdicom can encode them (they are optional, PS3.7 9.1.1)."""
    request = StoreRequest()
    message_id = command.get("MessageID")
    if not isinstance(message_id, int):
        raise ProtocolError("a C-STORE without a message id")
    request.MessageID = message_id
    request._context_id = context_id
    for keyword in ("AffectedSOPClassUID", "AffectedSOPInstanceUID"):
        text = _text(command, keyword)
        if 0 < len(text) <= 64 and text.isascii() and "\\" not in text:
            setattr(request, keyword, text)
    return request
