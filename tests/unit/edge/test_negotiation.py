"""Of the proposed transfer syntaxes, the one that keeps the sender's objects as they are."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pydicom._uid_dict import UID_dictionary

from dicom_ingest.contracts.config import SenderConfig, TransferSyntaxPreference
from edge_component.dimse.negotiation import LOSSLESS, choose_transfer_syntaxes, preferred_transfer_syntax

IMPLICIT, EXPLICIT, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
JPEG_BASELINE, JPEG_LOSSLESS = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"
J2K_LOSSLESS, J2K, PRIVATE = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.826.0.1.3680043.9.2"


@pytest.mark.parametrize(
    ("proposed", "as_proposed", "lossless"),
    [
        ([JPEG_BASELINE, JPEG_LOSSLESS, EXPLICIT], JPEG_BASELINE, JPEG_LOSSLESS),
        ([J2K, EXPLICIT, J2K_LOSSLESS], J2K, EXPLICIT),
        ([IMPLICIT, J2K, DEFLATED], J2K, DEFLATED),
        ([JPEG_BASELINE, IMPLICIT], JPEG_BASELINE, IMPLICIT),
        ([IMPLICIT, PRIVATE], PRIVATE, IMPLICIT),
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


@pytest.mark.parametrize(
    ("prefer", "chosen"),
    [("as_proposed", [EXPLICIT, JPEG_BASELINE]), ("lossless", [EXPLICIT, JPEG_LOSSLESS])],
)
def test_every_presentation_context_is_left_one_transfer_syntax(
    prefer: TransferSyntaxPreference, chosen: list[str]
) -> None:
    contexts = [
        SimpleNamespace(transfer_syntax=[JPEG_BASELINE, JPEG_LOSSLESS]),
        SimpleNamespace(transfer_syntax=[IMPLICIT, EXPLICIT]),
        SimpleNamespace(transfer_syntax=[]),
    ]
    assert choose_transfer_syntaxes(contexts, prefer) == chosen
    assert [len(context.transfer_syntax) for context in contexts] == [1, 1, 0]


def test_whatever_the_standard_names_lossless_is_known_and_nothing_that_may_be_lossy() -> None:
    names = {uid: entry[0] for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"}
    assert {uid for uid, name in names.items() if "Lossless" in name and "Lossy" not in name} <= LOSSLESS
    for uid in LOSSLESS & names.keys():
        words = names[uid]
        assert any(word in words for word in ("Lossless", "Explicit VR", "Deflated")), words
