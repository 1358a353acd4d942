"""Each storage commitment peer has a queue of its own: one that is away delays no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicom_ingest.contracts.configuration.senders import CommitmentPeer
from edge_component.commitment.delivery import Attempt, report_to
from edge_component.commitment.reports import Queue
from edge_component.journal.commitments import OpenCommitment, insert_request
from edge_component.journal.database import counters, transaction
from edge_component.records.commitment import Reference, Request, judge
from tests.support.edge.bench import Bench
from tests.support.edge.stand_ins import ImmediatePool, settings, unreachable

CT = "1.2.840.10008.5.1.4.1.1.2"
DAY = 86_400.0
AWAY = Attempt("unreachable", "PACS at 10.0.0.9:104 does not answer")


class Peer:
    """Takes reports, or not."""

    def __init__(self, bench: Bench, *senders: str, others: bool = False) -> None:
        self.bench = bench
        self.end: Callable[[OpenCommitment], Attempt] = lambda _: Attempt("delivered")
        self.tried: list[str] = []
        clock = bench.clock
        self.queue = Queue(
            bench.journal,
            bench.settings,
            senders,
            self._deliver,
            ImmediatePool(),
            others=others,
            clock=clock,
            monotonic=clock.monotonic,
        )

    def _deliver(self, commitment: OpenCommitment, _kind: int, _content: Dataset) -> Attempt:
        self.tried.append(commitment.transaction_uid)
        return self.end(commitment)

    def run(self, seconds: float, every: float = 1.0) -> None:
        """Let time pass."""
        end = self.bench.clock.now + seconds
        while self.bench.clock.now < end:
            self.queue.run_once()
            self.bench.clock.now += every
        self.queue.run_once()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path, commitment_days=7)
    sender = made.associate()
    made.receive(sender, "1.2", "1.2.1", "1.2.1.1")
    made.close(sender)
    made.settle()
    return made


def ask(bench: Bench, transaction_uid: str, sender: str = "PACS", sop: str = "1.2.1.1") -> None:
    with transaction(bench.journal) as journal:
        request = Request(transaction_uid, (Reference(CT, sop),))
        insert_request(journal, request, sender, "association", bench.clock())


def test_each_sender_goes_by_its_own_peer_or_by_the_association(bench: Bench) -> None:
    peer, others = Peer(bench, "PACS"), Peer(bench, "PACS", others=True)
    ask(bench, "1.1", "PACS")
    ask(bench, "1.2", "MODALITY")
    peer.run(2)
    others.run(2)
    assert (peer.tried, others.tried) == (["1.1"], ["1.2"])


def test_a_thousand_requests_of_a_peer_that_is_away_hide_no_newer_one(bench: Bench) -> None:
    peer = Peer(bench, "PACS")
    for number in range(1200):
        ask(bench, f"1.{number}", sop="9.9" if number < 1199 else "1.2.1.1")
    bench.clock.now += 1
    peer.run(90)
    assert "1.1199" in peer.tried
    assert len(set(peer.tried)) == 1200


def test_a_peer_that_is_away_is_asked_less_often_and_gets_all_when_it_is_back(bench: Bench) -> None:
    peer = Peer(bench, "PACS")
    peer.end = lambda _: AWAY
    for number in range(5):
        ask(bench, f"1.{number}")
    peer.run(3600)
    assert len(peer.tried) < 100
    problem = peer.queue.problem()
    assert problem is not None
    assert "no storage commitment report has succeeded since" in problem.reason
    assert "PACS at 10.0.0.9:104 does not answer" in problem.reason
    assert "5 requests are open" in problem.reason
    peer.end = lambda _: Attempt("delivered")
    peer.tried.clear()
    peer.run(600)
    assert sorted(peer.tried) == [f"1.{number}" for number in range(5)]
    assert peer.queue.problem() is None


def test_a_report_that_its_peer_refuses_does_not_hold_up_the_next(bench: Bench) -> None:
    peer = Peer(bench, "PACS")
    peer.end = lambda asked: (
        Attempt("refused", "0x0110") if asked.transaction_uid == "1.0" else Attempt("delivered")
    )
    for number in range(3):
        ask(bench, f"1.{number}")
    peer.run(5)
    assert {"1.1", "1.2"} <= set(peer.tried)
    assert counters(bench.journal)["commitments_reported"] == 2


def test_after_its_days_a_report_is_given_up_counted_and_said(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    peer = Peer(bench, "PACS")
    peer.end = lambda _: AWAY
    ask(bench, "1.0")
    peer.run(6.9 * DAY, every=300)
    assert "commitments_given_up" not in counters(bench.journal)
    peer.run(0.2 * DAY, every=300)
    assert counters(bench.journal)["commitments_given_up"] == 1
    [line] = [record for record in caplog.records if "cannot be delivered" in record.message]
    assert line.__dict__["facts"]["reason"] == AWAY.words
    peer.tried.clear()
    peer.run(DAY, every=300)
    assert peer.tried == []


def test_a_name_that_does_not_resolve_is_a_peer_that_is_away(tmp_path: Path) -> None:
    peer = CommitmentPeer(ae="PACS", host="no-such-host.invalid", port=104)
    attempt = report_to(peer, settings(tmp_path), 1, Dataset())
    assert attempt.end == "unreachable"
    assert attempt.words


def test_what_waits_for_s3_is_looked_at_less_and_less_often(bench: Bench) -> None:
    bench.s3.before = lambda _operation, _key: unreachable()
    sender = bench.associate()
    bench.receive(sender, "1.2", "1.2.1", "1.2.1.2")
    bench.step()
    ask(bench, "1.0", sop="1.2.1.2")
    peer = Peer(bench, "PACS")
    looked: list[float] = []
    considered = peer.queue._verdicts
    peer.queue._verdicts = lambda asked: looked.append(bench.clock.now) or considered(asked)  # type: ignore[method-assign,func-returns-value,assignment]
    peer.run(3600)
    assert len(looked) < 120
    assert peer.tried == []


# Which version commitment speaks of


def test_the_newest_version_decides_whether_an_instance_is_stored(bench: Bench) -> None:
    reference = Reference(CT, "1.2.1.1")
    assert judge(bench.journal, [reference]).committed == (reference,)
    bench.s3.before = lambda _operation, _key: unreachable()
    sender = bench.associate()
    bench.receive(sender, "1.2", "1.2.1", "1.2.1.1", pixels=512)
    assert judge(bench.journal, [reference]).pending == (reference,)
    bench.close(sender)
    bench.step()
    assert judge(bench.journal, [reference]).pending == (reference,)
    bench.s3.before = lambda _operation, _key: None
    bench.settle()
    assert judge(bench.journal, [reference]).committed == (reference,)
