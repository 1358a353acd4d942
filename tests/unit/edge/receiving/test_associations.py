"""Connections are counted by address and in total; those that say nothing keep nobody out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_component.dimse.admission import CALLING, CONGESTED, DRAINING, TOO_MANY, TOO_MANY_OF_PEER, Applicant
from edge_component.receiving.associations import UNKNOWN_CONNECTION, Associations, Visitor
from edge_component.receiving.descriptors import descriptors
from edge_component.receiving.readers.messages import Admission, Report
from tests.support.edge.stand_ins import settings

A, B = "192.0.2.1", "192.0.2.2"


class Journal:
    """What is written of associations."""

    def __init__(self) -> None:
        self.closed: list[bool] = []

    def heard(self, calling_ae: str) -> None: ...

    def close_association(self, association: str, *, aborted: bool) -> None:
        self.closed.append(aborted)
        assert association


class Served:
    """A connection that is served."""

    def __init__(self) -> None:
        self.dropped: list[bool] = []

    def drop(self, *, abort: bool) -> None:
        self.dropped.append(abort)

    def report(self, report: Report) -> bool:
        raise AssertionError(report)


def made(tmp_path: Path, **changes: Any) -> Associations:
    return Associations(settings(tmp_path, **changes), Journal(), sleep=lambda _seconds: None)


def arrive(associations: Associations, peer: str = A) -> tuple[Visitor, Served]:
    visitor, served = associations.arrived(peer), Served()
    assert visitor is not None
    associations.served(visitor, served)
    return visitor, served


def admit(associations: Associations, visitor: Visitor) -> object:
    answer = associations.admit(visitor.number, Applicant(visitor.peer, "CT1", "EDGE"))
    return "admitted" if isinstance(answer, Admission) else answer


def test_the_oldest_silent_connection_of_a_crowded_address_makes_room_for_a_new_one(tmp_path: Path) -> None:
    associations = made(tmp_path, max_associations_per_peer=2)
    first, *others = [arrive(associations) for _ in range(5)]
    assert first[1].dropped == [False]
    assert [served.dropped for _, served in others] == [[]] * 4
    assert associations.connections == 4
    assert admit(associations, first[0]) == UNKNOWN_CONNECTION
    associations.left(first[0].number, aborted=True, reason="dropped")
    assert associations.connections == 4


def test_one_address_cannot_take_the_connections_of_another(tmp_path: Path) -> None:
    associations = made(tmp_path, max_associations=2, max_associations_per_peer=2)
    quiet, many = arrive(associations, B), [arrive(associations) for _ in range(10)]
    assert quiet[1].dropped == []
    assert associations.connections <= associations.limits()["max_connections"]
    assert sum(len(served.dropped) for _, served in many) == 6
    assert admit(associations, quiet[0]) == "admitted"


def test_associations_are_not_given_up_for_new_connections(tmp_path: Path) -> None:
    associations = made(tmp_path, max_associations_per_peer=1)
    for _ in range(2):
        visitor, _ = arrive(associations)
        visitor.row = None
    established = [arrive(associations) for _ in range(1)]
    assert admit(associations, established[0][0]) == "admitted"
    for _ in range(5):
        arrive(associations)
    assert established[0][1].dropped == []


def test_where_every_connection_is_an_association_a_new_one_is_closed(tmp_path: Path) -> None:
    associations = made(tmp_path, max_associations=4, max_associations_per_peer=1)
    associations.most_connections = 2
    for peer in (A, B):
        assert admit(associations, arrive(associations, peer)[0]) == "admitted"
    assert associations.arrived("192.0.2.3") is None
    assert associations.rejections["too many connections"] == 1


@pytest.mark.parametrize(
    ("changes", "answers"),
    [
        ({"max_associations": 1}, ["admitted", TOO_MANY]),
        ({"max_associations_per_peer": 1}, ["admitted", TOO_MANY_OF_PEER]),
        ({"calling_aes": ["MR1"]}, [CALLING, CALLING]),
    ],
)
def test_limits_of_associations(tmp_path: Path, changes: dict[str, Any], answers: list[object]) -> None:
    associations = made(tmp_path, **changes)
    visitors = [arrive(associations)[0] for _ in answers]
    assert [admit(associations, visitor) for visitor in visitors] == answers
    for visitor in visitors:
        associations.left(visitor.number, aborted=False, reason="")
    assert (associations.open, associations.connections) == (0, 0)


def test_draining_outlasts_the_end_of_a_congestion(tmp_path: Path) -> None:
    associations = made(tmp_path)
    associations.congested = CONGESTED
    assert admit(associations, arrive(associations)[0]) == CONGESTED
    associations.draining, associations.congested = DRAINING, None
    assert admit(associations, arrive(associations)[0]) == DRAINING


def test_a_network_is_checked_before_anything_is_counted(tmp_path: Path) -> None:
    associations = made(tmp_path, networks=["192.0.2.0/31"])
    assert associations.arrived(B) is None
    assert associations.arrived("::ffff:192.0.2.1") is not None
    assert associations.rejections == {"network not allowed": 1}
    assert associations.connections == 1


def test_the_end_of_an_edge_aborts_associations_and_closes_the_rest(tmp_path: Path) -> None:
    associations = made(tmp_path)
    established, silent = arrive(associations), arrive(associations)
    assert admit(associations, established[0]) == "admitted"
    associations.abort()
    assert (established[1].dropped, silent[1].dropped) == ([True], [False])


def test_there_are_never_more_connections_than_descriptors(tmp_path: Path) -> None:
    """More than 1,023 descriptors ended in an error that nothing caught."""
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (300, 400))\n"
        "from edge_component.receiving.descriptors import descriptors\n"
        "print(descriptors(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["144", "400", "400"]
    associations = made(tmp_path, max_associations=1_000_000)
    assert associations.limits()["max_connections"] <= descriptors()
