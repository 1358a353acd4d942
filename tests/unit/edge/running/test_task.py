"""A task that fails is tried again and seen; one that hangs is seen; no other task notices."""

from __future__ import annotations

import sqlite3
import threading

from edge_component.running.backoff import Backoff
from edge_component.running.beats import Beats
from edge_component.running.task import Task, beat
from tests.support.edge.stand_ins import Clock
from tests.support.machine.waiting import wait_until

AT_ONCE = Backoff(0.0, 0.0)


def test_a_step_that_raises_is_tried_again_and_is_a_problem_until_it_ends_well() -> None:
    fails = threading.Event()
    fails.set()
    steps: list[bool] = []

    def step() -> bool:
        steps.append(fails.is_set())
        if fails.is_set():
            raise sqlite3.OperationalError("disk I/O error")
        return False

    task = Task("retention", step, 0.01, backoff=AT_ONCE)
    task.start()
    problem = wait_until(lambda: task.problem if len(steps) > 3 else None, "it fails")
    assert problem.reason == "retention fails: OperationalError: disk I/O error"
    assert problem.since is not None
    fails.clear()
    wait_until(lambda: task.problem is None, "it works again")
    task.stop()
    task.join(10)


def test_even_an_exit_does_not_end_its_thread() -> None:
    steps: list[int] = []

    def step() -> bool:
        steps.append(1)
        raise SystemExit(1)

    task = Task("aside", step, 0.01, backoff=AT_ONCE)
    task.start()
    wait_until(lambda: len(steps) > 2, "it goes on")
    task.stop()
    task.join(10)


def test_a_failed_step_waits_longer_each_time() -> None:
    task = Task("aside", lambda: False, 0.1)
    assert [round(task._backoff.delay(failures)) for failures in (1, 3, 5, 20)] == [1, 4, 16, 60]


def test_the_text_of_an_exception_that_may_quote_a_data_set_is_not_told() -> None:
    def step() -> bool:
        raise ValueError("DOE^JANE")

    task = Task("announcer", step, 0.01, backoff=AT_ONCE)
    task.start()
    problem = wait_until(lambda: task.problem, "it fails")
    task.stop()
    assert problem.reason.startswith("announcer fails: ValueError at tests.unit.edge.running.test_task:")
    assert "DOE" not in problem.reason


def test_a_step_without_a_beat_for_too_long_hangs_and_one_that_beats_does_not() -> None:
    clock, release, entered = Clock(), threading.Event(), threading.Event()
    beats = threading.Semaphore(0)

    def step() -> bool:
        entered.set()
        while not release.wait(0.01):
            if beats.acquire(blocking=False):
                beat()
        return False

    task = Task("assembler", step, 0.0, hung_seconds=300, monotonic=clock.monotonic)
    task.start()
    assert entered.wait(10)
    clock.now += 200
    beats.release()
    wait_until(lambda: task._beat_at == clock.monotonic(), "it has beaten")
    clock.now += 200
    assert not task.hung
    clock.now += 200
    assert task.hung
    assert task.problem is not None
    assert task.problem.reason == "assembler has not answered for 400 s"
    release.set()
    task.stop()
    task.join(10)


def test_silence_is_counted_only_while_the_listener_itself_was_awake() -> None:
    clock = Clock()
    beats = Beats(clock.monotonic)
    for _ in range(3):
        clock.now += 1
        silent = beats.silence()
    assert silent == 3
    clock.now += 3600  # the whole machine was suspended
    assert beats.silence() < 10
    beats.heard()
    assert beats.silence() == 0


def test_a_task_that_is_woken_does_not_finish_its_pause() -> None:
    steps: list[int] = []

    def step() -> bool:
        steps.append(1)
        return False

    task = Task("uploader", step, 1000.0)
    task.start()
    wait_until(lambda: steps, "its first step")
    task.wake()
    wait_until(lambda: len(steps) > 1, "its next step")
    task.stop()
    task.join(10)
    assert not task.hung


def test_a_task_that_fails_waits_until_it_is_time_whoever_wakes_it() -> None:
    steps: list[int] = []

    def step() -> bool:
        steps.append(1)
        raise OSError("disk")

    task = Task("uploader", step, 0.0, backoff=Backoff(1000.0, 1000.0, uniform=lambda _low, high: high))
    task.start()
    wait_until(lambda: task.problem, "it fails")
    task.wake()
    task.stop()
    task.join(10)
    assert len(steps) == 1
