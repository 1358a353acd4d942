"""A DICOM sender: real associations, each file in its own transfer syntax, bytes as they are on disk."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import split_dataset
from pynetdicom.presentation import build_context

from local.sending.dicom_folder import InstanceFile

MAX_CONTEXTS = 128
"""Of one association (PS3.8 9.3.2.2: odd numbers from 1 to 255)."""
CALLING_AE = "CLIENT_AE"
CALLED_AE = "EDGE_AE"
IMPLEMENTATION_CLASS_UID = "2.25.231473870311926104284317911937216023499"
"""Not pynetdicom's: `keep_answers` sees to it that no answer comes too soon."""


class SendError(RuntimeError):
    """The edge cannot be reached, or ended the association; the message says where."""


@dataclass
class Sent:
    """What became of the files."""

    accepted: list[InstanceFile] = field(default_factory=list)
    refused: list[tuple[InstanceFile, str]] = field(default_factory=list)
    """With the status, or why it could not be proposed."""
    associations: int = 0


def send(
    files: Sequence[InstanceFile],
    host: str,
    port: int,
    on_file: Callable[[InstanceFile], None] | None = None,
) -> Sent:
    """C-STORE every file (PS3.4 B).

    Raises:
        SendError: the edge does not answer, or the association broke.
    """
    sent = Sent()
    for batch in _batches(files):
        association = _associate(batch, host, port)
        sent.associations += 1
        try:
            for file in batch:
                _send(association, file, sent)
                if on_file is not None:
                    on_file(file)
        finally:
            if association.is_established:
                association.release()
    return sent


def _batches(files: Sequence[InstanceFile]) -> Iterator[list[InstanceFile]]:
    """The files of one association after the other: each has at most 128 presentation contexts."""
    kinds = dict.fromkeys((file.sop_class_uid, file.transfer_syntax_uid) for file in files)
    remaining = iter(kinds)
    while chunk := set(islice(remaining, MAX_CONTEXTS)):
        yield [file for file in files if (file.sop_class_uid, file.transfer_syntax_uid) in chunk]


def _associate(files: Sequence[InstanceFile], host: str, port: int) -> Association:
    kinds = dict.fromkeys((file.sop_class_uid, file.transfer_syntax_uid) for file in files)
    entity = AE(ae_title=CALLING_AE)
    entity.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    entity.requested_contexts = [build_context(sop_class, syntax) for sop_class, syntax in kinds]
    association = entity.associate(host, port, ae_title=CALLED_AE)
    if not association.is_established:
        reason = "rejected the association" if association.is_rejected else "does not answer"
        raise SendError(f"{CALLED_AE} at {host}:{port} {reason}")
    # pynetdicom sends a command and its data set apart; without this each instance waits 40 ms for an
    # acknowledgement (Nagle's algorithm against delayed ACK).
    association.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    keep_answers(association)
    return association


def keep_answers(association: Association) -> None:
    """Answers go to who waits for them: pynetdicom's own thread drops one that comes before it has paused."""
    get_msg = association.dimse.get_msg
    association.dimse.get_msg = lambda block=False: get_msg(block) if block else (None, None)


def _send(association: Association, file: InstanceFile, sent: Sent) -> None:
    try:
        answer = _store(association, file)
    except ValueError as error:  # no accepted context for this file
        sent.refused.append((file, str(error)))
        return
    if answer is None or answer.Status is None:
        raise SendError(f"the association broke while {file.path.name} was sent")
    if answer.Status == 0x0000:
        sent.accepted.append(file)
    else:
        sent.refused.append((file, f"0x{answer.Status:04X} {answer.ErrorComment or ''}".strip()))


def _store(association: Association, file: InstanceFile) -> C_STORE | None:
    """Send one C-STORE named by the data set's own UIDs, and wait for its answer.

    pynetdicom's `send_c_store` takes the UIDs of the file meta information, which some files have wrong.
    """
    context = association._get_valid_context(
        UID(file.sop_class_uid), UID(file.transfer_syntax_uid), "scu", allow_conversion=False
    )
    request = C_STORE()
    request.MessageID = 1
    request.Priority = 2
    request.AffectedSOPClassUID = file.sop_class_uid
    request.AffectedSOPInstanceUID = file.sop_instance_uid
    # The encoded data set is streamed from disk: nothing is decoded, nothing encoded again.
    request._dataset_path = (file.path, split_dataset(file.path)[1])
    association.dimse.send_msg(request, context.context_id)
    _, answer = association.dimse.get_msg(block=True)
    return answer if isinstance(answer, C_STORE) else None
