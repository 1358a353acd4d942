"""Which of the proposed transfer syntaxes is accepted: the first that leaves the objects as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID
from pynetdicom import sop_class

from dicom_ingest.contracts.config import TransferSyntaxPreference

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
LOSSLESS = frozenset(
    (
        "1.2.840.10008.1.2.1",  # Explicit VR Little Endian
        "1.2.840.10008.1.2.1.98",  # Encapsulated Uncompressed Explicit VR Little Endian
        "1.2.840.10008.1.2.1.99",  # Deflated Explicit VR Little Endian
        "1.2.840.10008.1.2.2",  # Explicit VR Big Endian (retired)
        "1.2.840.10008.1.2.4.57",  # JPEG Lossless, process 14
        "1.2.840.10008.1.2.4.58",  # JPEG Lossless, process 15 (retired)
        "1.2.840.10008.1.2.4.65",  # JPEG Lossless, process 28 (retired)
        "1.2.840.10008.1.2.4.66",  # JPEG Lossless, process 29 (retired)
        "1.2.840.10008.1.2.4.70",  # JPEG Lossless, first-order prediction
        "1.2.840.10008.1.2.4.80",  # JPEG-LS Lossless
        "1.2.840.10008.1.2.4.90",  # JPEG 2000 (lossless only)
        "1.2.840.10008.1.2.4.92",  # JPEG 2000 Part 2 multi-component (lossless only)
        "1.2.840.10008.1.2.4.110",  # JPEG XL Lossless
        "1.2.840.10008.1.2.4.201",  # HTJ2K (lossless only)
        "1.2.840.10008.1.2.4.202",  # HTJ2K with RPCL options (lossless only)
        "1.2.840.10008.1.2.5",  # RLE Lossless
        "1.2.840.10008.1.2.8.1",  # Deflated Image Frame
    )
)
"""Transfer syntaxes that cannot have lost anything of the pixels, and keep the VRs (PS3.5 Annex A)."""


NO_STORAGE = UID("1.2.840.10008.5.1.4.1.2.1.1")
"""Patient Root Query/Retrieve FIND: a service that pynetdicom knows and that nobody finds here."""
OTHER_SERVICES = frozenset(
    uid
    for uid, (name, kind, *_) in UID_dictionary.items()
    if kind in ("SOP Class", "Meta SOP Class")
    and "Storage" not in name
    and uid not in sop_class._STORAGE_CLASSES.values()
    and not hasattr(sop_class, UID(uid).keyword)
)
"""SOP classes of other services that pynetdicom has never heard of, and therefore takes for storage."""


class PresentationContext(Protocol):
    """As much of a proposed presentation context as is chosen from."""

    abstract_syntax: str
    transfer_syntax: Sequence[str]


def refuse_other_services(contexts: Iterable[PresentationContext]) -> None:
    """See to it that what is no storage is rejected as an abstract syntax that is not supported."""
    for context in contexts:
        if context.abstract_syntax in OTHER_SERVICES:
            context.abstract_syntax = NO_STORAGE


def choose_transfer_syntaxes(
    contexts: Iterable[PresentationContext], prefer: TransferSyntaxPreference
) -> list[str]:
    """Leave every presentation context the one transfer syntax that is accepted; which there are, sorted."""
    chosen: set[str] = set()
    for context in contexts:
        syntax = preferred_transfer_syntax(context.transfer_syntax, prefer)
        if syntax is not None:
            context.transfer_syntax = [syntax]
            chosen.add(str(syntax))
    return sorted(chosen)


def preferred_transfer_syntax(
    proposed: Sequence[str], prefer: TransferSyntaxPreference = "as_proposed"
) -> str | None:
    """The requestor's first that is not Implicit VR Little Endian, else that one; None where it names none.

    Implicit VR makes senders convert (private VRs become UN) or decompress; a sender's own order is its
    preference (PS3.8 9.3.2.2 leaves the choice to the acceptor). `lossless`: before it comes the first that
    is lossless, and Implicit VR before what may be lossy.
    """
    explicit = [uid for uid in proposed if uid != IMPLICIT_VR_LITTLE_ENDIAN]
    if prefer == "lossless":
        implicit = [uid for uid in proposed if uid == IMPLICIT_VR_LITTLE_ENDIAN]
        explicit = [uid for uid in explicit if uid in LOSSLESS] + implicit + explicit
    return next(iter(explicit or proposed), None)
