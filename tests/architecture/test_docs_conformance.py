"""The Conformance Statement is what the edge does: asked of a running one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.pdu_primitives import AsynchronousOperationsWindowNegotiation
from pynetdicom.sop_class import Verification

from dicom_ingest.contracts.configuration.senders import CommitmentPeer
from docs.generate.conformance import sop_classes, statuses
from docs.generate.conformance.facts import default, facts
from docs.generate.conformance.settings import WORDS
from edge_component.commitment.delivery import report_to
from edge_component.records.commitment import SOP_CLASS as STORAGE_COMMITMENT
from edge_component.records.commitment import Verdicts, event_information
from edge_component.settings import Settings
from tests.support.edge.process import EdgeProcess

MOST_CONTEXTS = 128
PRIVATE = "1.2.826.0.1.3680043.9.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"
NOWHERE = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
}


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    with EdgeProcess(tmp_path_factory.mktemp("conformance"), NOWHERE) as process:
        yield process


def ask(edge: EdgeProcess, contexts: list[tuple[str, list[str]]], *more: Any) -> Any:
    """An association that has proposed these, already released."""
    ae = ApplicationEntity("ASKING")
    for abstract, syntaxes in contexts:
        ae.add_requested_context(abstract, syntaxes)
    assoc = ae.associate("127.0.0.1", edge.dicom_port, ext_neg=list(more) or None)
    assert assoc.is_established
    assoc.release()
    return assoc


def explicit(*abstracts: str) -> list[tuple[str, list[str]]]:
    return [(abstract, [ExplicitVRLittleEndian]) for abstract in abstracts]


def test_every_sop_class_of_the_statement_is_accepted_and_private_ones_too(edge: EdgeProcess) -> None:
    named = [known.uid for known in sop_classes.storage_classes()]
    assert len(named) > 150
    asked = [*named, PRIVATE, Verification, STORAGE_COMMITMENT]
    for first in range(0, len(asked), MOST_CONTEXTS):
        assert not ask(edge, explicit(*asked[first : first + MOST_CONTEXTS])).rejected_contexts


def test_what_the_statement_refuses_is_refused(edge: EdgeProcess) -> None:
    refused = {known.uid for known in sop_classes.refused_classes()} | {STUDY_ROOT_FIND, MODALITY_WORKLIST}
    assoc = ask(edge, explicit(Verification, *refused))
    assert {context.abstract_syntax for context in assoc.rejected_contexts} == refused


def test_every_transfer_syntax_is_accepted_for_storage(edge: EdgeProcess) -> None:
    named = [uid for uid, *_ in sop_classes.transfer_syntaxes()]
    assert len(named) > 50
    assoc = ask(edge, [(CT, [uid]) for uid in [*named, PRIVATE]])
    assert [context.transfer_syntax[0] for context in assoc.accepted_contexts] == [*named, PRIVATE]


def test_the_edge_says_who_it_is_and_how_it_talks_as_the_statement_has_it(edge: EdgeProcess) -> None:
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = window.maximum_number_operations_performed = 5
    said, known = ask(edge, explicit(Verification), window).acceptor, facts()
    assert said.implementation_class_uid == known["implementation_class_uid"]
    assert said.implementation_version_name == known["implementation_version_name"]
    assert said.maximum_length == default("max_pdu_bytes")
    assert said.asynchronous_operations == (1, 1)


def test_the_edge_reports_storage_commitment_as_the_statement_has_it() -> None:
    seen: list[Any] = []
    ae = ApplicationEntity("MODALITY")
    ae.add_supported_context(STORAGE_COMMITMENT, scu_role=True, scp_role=True)
    handlers = [
        (evt.EVT_N_EVENT_REPORT, lambda _: (0x0000, None)),
        (evt.EVT_ACCEPTED, lambda event: seen.append(event.assoc.requestor)),
    ]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    peer = CommitmentPeer(ae="MODALITY", host="127.0.0.1", port=server.server_address[1])
    settings = Settings(stack="s", name="e", bucket="bucket", event_bus="bus", spool=Path())
    event_type, information = event_information("1.2.3", Verdicts((), (), ()))
    assert report_to(peer, settings, event_type, information).end == "delivered"
    server.shutdown()
    (said,) = seen
    assert said.implementation_class_uid == facts()["implementation_class_uid"]
    assert said.implementation_version_name == facts()["implementation_version_name"]
    assert said.maximum_length == ApplicationEntity("EDGE").maximum_pdu_size
    assert not said.asynchronous_operations[0] > 1
    (role,) = said.role_selection.values()
    assert (role.scu_role, role.scp_role) == (False, True)
    (context,) = said.requested_contexts
    assert [uid.is_compressed for uid in context.transfer_syntax] == [False] * 4


def test_every_status_rejection_and_parameter_has_its_words_and_no_word_is_left_over() -> None:
    assert set(statuses.STORE) == set(statuses.store_makers())
    assert set(statuses.REJECTIONS) == set(statuses.rejections())
    page = facts()["settings"] + facts()["senders"]
    assert {name: words for name, words in WORDS.items() if words not in page} == {}
