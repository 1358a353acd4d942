"""Of the proposed transfer syntaxes, the one that keeps the sender's objects as they are."""

from __future__ import annotations

import pytest
from pydicom._uid_dict import UID_dictionary
from pynetdicom import sop_class

from dicom_ingest.contracts.configuration.senders import SenderConfig, TransferSyntaxPreference
from edge_component.dimse.events import ProposedContext
from edge_component.dimse.negotiation import (
    LOSSLESS,
    answer_contexts,
    is_storage,
    preferred_transfer_syntax,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT, EXPLICIT, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
JPEG_BASELINE, JPEG_LOSSLESS = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"
JPIP, JPEG_XL_LOSSLESS = "1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.110"
J2K_LOSSLESS, J2K, PRIVATE = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.826.0.1.3680043.9.2"


@pytest.mark.parametrize(
    ("proposed", "as_proposed", "lossless"),
    [
        ([JPEG_BASELINE, JPEG_LOSSLESS, EXPLICIT], JPEG_BASELINE, JPEG_LOSSLESS),
        ([J2K, EXPLICIT, J2K_LOSSLESS], J2K, EXPLICIT),
        ([IMPLICIT, J2K, DEFLATED], J2K, DEFLATED),
        ([JPEG_BASELINE, IMPLICIT], JPEG_BASELINE, IMPLICIT),
        ([IMPLICIT, PRIVATE], IMPLICIT, IMPLICIT),
        ([PRIVATE, IMPLICIT], IMPLICIT, IMPLICIT),
        ([PRIVATE, EXPLICIT], EXPLICIT, EXPLICIT),
        ([JPIP, EXPLICIT], EXPLICIT, EXPLICIT),
        ([PRIVATE, JPIP], PRIVATE, PRIVATE),
        ([JPEG_XL_LOSSLESS, J2K, IMPLICIT], J2K, IMPLICIT),
        ([J2K, JPEG_BASELINE], J2K, J2K),
        ([IMPLICIT], IMPLICIT, IMPLICIT),
        ([], None, None),
    ],
)
def test_a_profile_may_ask_for_lossless_first(
    proposed: list[str], as_proposed: str | None, lossless: str | None
) -> None:
    assert preferred_transfer_syntax(proposed) == as_proposed
    assert preferred_transfer_syntax(proposed, "as_proposed") == as_proposed
    assert preferred_transfer_syntax(proposed, "lossless") == lossless


def test_a_sender_without_a_wish_is_served_as_it_proposes() -> None:
    assert SenderConfig(calling_ae="CT1").prefer == "as_proposed"


@pytest.mark.parametrize(("prefer", "first"), [("as_proposed", JPEG_BASELINE), ("lossless", JPEG_LOSSLESS)])
def test_every_presentation_context_is_answered(prefer: TransferSyntaxPreference, first: str) -> None:
    push, query = "1.2.840.10008.1.20.1", "1.2.840.10008.5.1.4.1.2.1.1"
    proposed = [
        ProposedContext(1, CT, (JPEG_BASELINE, JPEG_LOSSLESS)),
        ProposedContext(3, PRIVATE, (IMPLICIT, EXPLICIT)),
        ProposedContext(5, CT, ()),
        ProposedContext(7, push, (JPEG_BASELINE, IMPLICIT)),
        ProposedContext(9, push, (JPEG_BASELINE,)),
        ProposedContext(11, query, (IMPLICIT,)),
        ProposedContext(13, "1.2.840.10008.1.1", (J2K,)),
    ]
    answered = answer_contexts(proposed, prefer)
    assert [each.result for each in answered] == [0, 0, 4, 0, 4, 3, 0]
    accepted = [each.transfer_syntax for each in answered if each.result == 0]
    assert accepted == [first, EXPLICIT, IMPLICIT, J2K]


@pytest.mark.parametrize(
    ("uid", "stored"),
    [
        (CT, True),
        ("1.2.840.10008.5.1.4.1.1.40", True),  # retired, its name forgotten
        ("1.2.840.10008.5.1.4.1.1.999", True),  # not in the data dictionary yet
        ("1.2.826.0.1.3680043.2.1", True),
        ("1.2.840.10008.5.1.4.38.1", True),  # Hanging Protocol Storage
        ("1.2.840.10008.1.20.2", False),  # Storage Commitment Pull Model
        ("1.2.840.10008.5.1.1.27", False),  # Stored Print Storage
        ("1.2.840.10008.1.3.10", False),  # Media Storage Directory
        ("1.2.840.10008.4.2", False),  # Storage Service Class
        ("1.2.840.10008.5.1.4.1.2.1.1", False),
        ("1.2.840.10008.5.1.4.1.1.201.5", False),  # Inventory Creation
        ("1.2.840.10008.5.1.1.9", False),
        ("1.2.840.10008.1.2.1", False),  # a transfer syntax
        ("1.2.840.10008.99", False),
        ("CT Image Storage", False),
        ("", False),
    ],
)
def test_what_is_no_storage_sop_class_is_refused(uid: str, stored: bool) -> None:
    assert is_storage(uid) == stored


def test_every_storage_sop_class_that_pynetdicom_knows_is_accepted() -> None:
    assert [uid for uid in sop_class._STORAGE_CLASSES.values() if not is_storage(uid)] == []


def test_whatever_the_standard_names_lossless_is_known_and_nothing_that_may_be_lossy() -> None:
    names = {uid: entry[0] for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"}
    assert {uid for uid, name in names.items() if "Lossless" in name and "Lossy" not in name} <= LOSSLESS
    for uid in LOSSLESS & names.keys():
        words = names[uid]
        assert any(word in words for word in ("Lossless", "Explicit VR", "Deflated")), words
