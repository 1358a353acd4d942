"""A DICOM sender: real associations, each file in its own transfer syntax, bytes as they are on disk."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from pydicom.uid import UID
from pynetdicom import AE, _config
from pynetdicom.association import Association
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
        SendError: nobody answers, or the association broke.
    """
    # Streams the encoded data set from disk: nothing is decoded, nothing re-encoded.
    _config.STORE_SEND_CHUNKED_DATASET = True
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
        status = association.send_c_store(file.path)
    except ValueError as error:  # no accepted context for this file
        sent.refused.append((file, str(error)))
        return
    if "Status" not in status:
        raise SendError(f"the association broke while {file.path.name} was sent")
    if status.Status == 0x0000:
        sent.accepted.append(file)
    else:
        comment = status.get("ErrorComment", "")
        sent.refused.append((file, f"0x{status.Status:04X} {comment}".strip()))
