"""Time-outs of an association go by time that passes, whatever is done to the wall clock."""

from __future__ import annotations

import pytest
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import MODE_ACCEPTOR, Association
from pynetdicom.timer import Timer

from edge_component.dimse.upper_layer import EdgeUpperLayer, MonotonicTimer
from edge_component.running.clock import SYSTEM_CLOCK
from edge_component.watching.status import Backlog
from tests.support.edge_stand_ins import Clock

SET = pytest.mark.parametrize("set_by", [-86_400.0, -5.0, 5.0, 86_400.0])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def layer(clock: Clock) -> EdgeUpperLayer:
    """Of an association whose time-outs were set, as the server sets them."""
    assoc = Association(ApplicationEntity("EDGE"), MODE_ACCEPTOR)
    layer = EdgeUpperLayer(assoc, clock.monotonic)
    assoc.dul = layer
    assoc.acse_timeout, assoc.network_timeout = 30, 60
    return layer


@SET
def test_an_idle_association_lives_as_long_whatever_the_wall_clock_is_set_to(
    layer: EdgeUpperLayer, clock: Clock, set_by: float
) -> None:
    layer._idle_timer.start()
    clock.set_by(set_by)
    clock.now += 60
    assert not layer.idle_timer_expired()
    clock.now += 1
    assert layer.idle_timer_expired()
    layer._idle_timer.restart()
    assert not layer.idle_timer_expired()


@SET
def test_a_peer_that_never_asks_for_an_association_is_waited_for_as_long(
    layer: EdgeUpperLayer, clock: Clock, set_by: float
) -> None:
    layer.artim_timer.start()
    clock.set_by(set_by)
    assert layer.artim_timer.remaining == 30
    clock.now += 31
    assert layer.artim_timer.expired


@pytest.mark.parametrize("timeout", [None, 5.0])
def test_while_nobody_sets_the_clock_it_is_pynetdicoms_timer(timeout: float | None) -> None:
    ours, theirs = MonotonicTimer(timeout, SYSTEM_CLOCK), Timer(timeout)
    for act in (None, "start", "stop", "restart", "stop"):
        for timer in (ours, theirs):
            if act is not None:
                getattr(timer, act)()
        assert ours.expired == theirs.expired
        assert ours.remaining == pytest.approx(theirs.remaining, abs=1)


def test_a_stopped_timer_keeps_what_remained(clock: Clock) -> None:
    timer = MonotonicTimer(30, clock.monotonic)
    timer.start()
    clock.now += 10
    timer.stop()
    clock.now += 100
    assert (timer.remaining, timer.expired) == (20, False)


def test_an_instance_from_the_future_has_been_waiting_for_no_time() -> None:
    backlog = Backlog(1, 2, 1000.0, 0, 1, 0)
    assert [backlog.oldest_seconds(now) for now in (1060.0, 1000.0, 400.0)] == [60, 0, 0]
    assert Backlog(0, 0, None, 0, 0, 0).oldest_seconds(1000.0) == 0
