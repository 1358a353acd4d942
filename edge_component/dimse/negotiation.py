"""Which presentation contexts are accepted, and with which transfer syntax.

Any storage SOP class, private ones included, in the first transfer syntax that keeps the objects as they are
and that HealthImaging can import.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pydicom._uid_dict import UID_dictionary

from edge_component.dimse.codec import (
    ABSTRACT_NOT_SUPPORTED,
    ACCEPTED,
    PLAIN_UID,
    TRANSFER_NOT_SUPPORTED,
    AnsweredContext,
)
from edge_component.dimse.events import ProposedContext, RoleSelection

if TYPE_CHECKING:  # readers do without its model, which takes memory
    from dicom_ingest.contracts.configuration.senders import TransferSyntaxPreference

VERIFICATION = "1.2.840.10008.1.1"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
UNCOMPRESSED = (IMPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.1")
"""What the data sets of storage commitment are taken in."""
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

_JPEG = (50, 51, 57, 70, 80, 81, 90, 91, 92, 93)
_VIDEO = (100, 101, 102, 103, 104, 105, 106, 107, 108)
_VIDEO_FRAGMENTED = (100, 101, 102, 103, 104, 105, 106)
_HTJ2K_AND_XL = (201, 202, 203, 112)
IMPORTABLE = frozenset(
    (
        IMPLICIT_VR_LITTLE_ENDIAN,
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2.1.99",
        "1.2.840.10008.1.2.2",
        "1.2.840.10008.1.2.5",
        *(f"1.2.840.10008.1.2.4.{last}" for last in (*_JPEG, *_VIDEO, *_HTJ2K_AND_XL)),
        *(f"1.2.840.10008.1.2.4.{last}.1" for last in _VIDEO_FRAGMENTED),
    )
)
"""What HealthImaging imports: AWS HealthImaging Developer Guide, *Supported transfer syntaxes*."""

DICOM_ROOT = "1.2.840.10008."
STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
NOT_STORAGE = frozenset(
    (
        "1.2.840.10008.1.3.10",  # Media Storage Directory Storage: a medium, not an object
        "1.2.840.10008.1.20.1",  # Storage Commitment Push Model
        "1.2.840.10008.1.20.2",  # Storage Commitment Pull Model (retired)
        "1.2.840.10008.5.1.1.27",  # Stored Print Storage (retired): print management
    )
)
"""Storage by name only."""


def is_storage(abstract_syntax: str) -> bool:
    """Whether instances of it can be stored.

    Known storage SOP classes are, and what the registry does not know yet where it keeps them; so is every
    private one (PS3.4 B.5). No other service of the standard is.
    """
    if not PLAIN_UID.fullmatch(abstract_syntax):
        return False
    known = UID_dictionary.get(abstract_syntax)
    if known is None:
        return not abstract_syntax.startswith(DICOM_ROOT) or abstract_syntax.startswith(STORAGE_ROOT)
    name, kind, *_ = known  # of some that are retired the name is forgotten
    storage = "Storage" in name or (not name and abstract_syntax.startswith(STORAGE_ROOT))
    return kind == "SOP Class" and storage and abstract_syntax not in NOT_STORAGE


def answer_contexts(
    proposed: Iterable[ProposedContext], prefer: TransferSyntaxPreference
) -> list[AnsweredContext]:
    """Every presentation context with its result (PS3.8 Table 9-18)."""
    return [_answer(context, prefer) for context in proposed]


def _answer(context: ProposedContext, prefer: TransferSyntaxPreference) -> AnsweredContext:
    if context.abstract_syntax == STORAGE_COMMITMENT:
        chosen = next((uid for uid in context.transfer_syntaxes if uid in UNCOMPRESSED), None)
    elif context.abstract_syntax == VERIFICATION or is_storage(context.abstract_syntax):
        chosen = preferred_transfer_syntax(context.transfer_syntaxes, prefer)
    else:
        return AnsweredContext(context.number, ABSTRACT_NOT_SUPPORTED, IMPLICIT_VR_LITTLE_ENDIAN)
    if chosen is None:
        return AnsweredContext(context.number, TRANSFER_NOT_SUPPORTED, IMPLICIT_VR_LITTLE_ENDIAN)
    return AnsweredContext(context.number, ACCEPTED, chosen)


def answer_roles(roles: Iterable[RoleSelection]) -> list[RoleSelection]:
    """Role selection as it is granted (PS3.7 D.3.3.4): the edge is never the SCU of a storage service."""
    return [
        RoleSelection(role.sop_class_uid, role.scu, role.scp and role.sop_class_uid == STORAGE_COMMITMENT)
        for role in roles
    ]


def preferred_transfer_syntax(
    proposed: Sequence[str], prefer: TransferSyntaxPreference = "as_proposed"
) -> str | None:
    """The transfer syntax to accept; None where none is proposed.

    The requestor's first that HealthImaging can import and that is not Implicit VR Little Endian, else that
    one, else the first. Implicit VR makes senders convert (private VRs become UN) or decompress; a sender's
    own order is its preference (PS3.8 9.3.2.2 leaves the choice to the acceptor). `lossless`: before it comes
    the first that is lossless, and Implicit VR before what may be lossy.
    """
    importable = [uid for uid in proposed if uid in IMPORTABLE]
    implicit = [uid for uid in importable if uid == IMPLICIT_VR_LITTLE_ENDIAN]
    explicit = [uid for uid in importable if uid != IMPLICIT_VR_LITTLE_ENDIAN]
    if prefer == "lossless":
        explicit = [uid for uid in explicit if uid in LOSSLESS] + implicit + explicit
    return next(iter([*explicit, *implicit, *proposed]), None)
