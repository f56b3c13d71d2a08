"""Work in threads: so many at once, each within its time, and none of it waited for in vain."""

from __future__ import annotations

import threading
import time

import pytest

from pytest_dust.launch import Overdue, Watched, Work, together

SOON = 5.0
"""Seconds within which anything here ends that is not waited for in vain."""


class Stage:
    """Where works tell what they do: how many are under way, and which were bid to stop."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.under_way = self.most = 0
        self.begun: list[int] = []
        self.stopped: list[int] = []
        self.hold = threading.Event()
        """Lets go of all works that wait for it."""

    def work(self, at, act, seconds=SOON):
        """Work number `at`, which does `act(tell)`."""

        def call(tell):
            with self.lock:
                self.begun.append(at)
                self.under_way += 1
                self.most = max(self.most, self.under_way)
            try:
                return act(tell)
            finally:
                with self.lock:
                    self.under_way -= 1

        return Work(call, seconds, lambda: self.stopped.append(at))

    def waiting(self, at, seconds=SOON):
        """Work that ends only when all is over."""
        return self.work(at, lambda _tell: self.hold.wait(SOON * 4), seconds)


@pytest.fixture
def stage():
    """A stage, whose works all end with the test."""
    made = Stage()
    yield made
    made.hold.set()


def gives(value, seconds=0.0):
    """An act that gives a value after a while."""

    def act(_tell):
        time.sleep(seconds)
        return value

    return act


def fails(error, seconds=0.0):
    """An act that raises an error after a while."""

    def act(_tell):
        time.sleep(seconds)
        raise error

    return act


@pytest.mark.parametrize("at_once", [1, 2, 3, 9])
def test_results_come_in_the_order_of_the_works(stage, at_once):
    """Whichever work ends first, the results stand in the order in which the works were given."""
    works = [stage.work(at, gives(at, seconds)) for at, seconds in enumerate((0.12, 0.06, 0.0, 0.03))]
    assert together(works, at_once) == [0, 1, 2, 3]
    assert sorted(stage.stopped) == [0, 1, 2, 3]


def test_no_work_gives_no_results():
    """Nothing to do is done at once."""
    assert together([], 3) == []


@pytest.mark.parametrize("value", [None, [], False])
def test_what_is_nothing_is_a_result_too(stage, value):
    """A work may return None, or anything else that is empty."""
    assert together([stage.work(0, gives(value))], 1) == [value]


@pytest.mark.parametrize(("at_once", "most"), [(1, 1), (3, 3), (7, 7), (20, 7)])
def test_so_many_are_under_way_at_once(stage, at_once, most):
    """As many works as allowed are under way, and never one more."""
    together([stage.work(at, gives(at, 0.08)) for at in range(7)], at_once)
    assert stage.most == most


def test_one_at_a_time_begins_in_order(stage):
    """Works are begun in the order in which they were given."""
    together([stage.work(at, gives(at)) for at in range(6)], 1)
    assert stage.begun == list(range(6))


def test_the_next_begins_as_soon_as_one_ends(stage):
    """A slow work keeps its own place only; the others go on beside it."""
    began = time.monotonic()
    works = [stage.work(0, gives(0, 0.4)), *(stage.work(at, gives(at, 0.1)) for at in range(1, 5))]
    together(works, 2)
    assert time.monotonic() - began < 0.75


def test_work_that_is_overdue_is_left_behind(stage):
    """Where a work takes longer than it may, Overdue comes within its time, and all are bid to stop."""
    began = time.monotonic()
    with pytest.raises(Overdue):
        together([stage.work(0, gives(0)), stage.waiting(1, 0.2), stage.waiting(2)], 3)
    assert 0.15 < time.monotonic() - began < 2
    assert sorted(stage.stopped) == [0, 1, 2]


def test_time_runs_from_the_begin_of_each_work(stage):
    """The time that a work waits for its place is not its own."""
    works = [stage.work(at, gives(at, 0.15), 0.4) for at in range(5)]
    assert together(works, 1) == [0, 1, 2, 3, 4]


def test_events_do_not_put_off_the_end(stage):
    """Work that goes on telling of events is overdue like any other, whoever watches and however slowly."""

    def chatter(tell):
        while not stage.hold.wait(0.01):
            tell("still here")

    began = time.monotonic()
    with pytest.raises(Overdue):
        together([stage.work(0, chatter, 0.3)], 1, Watched(event=lambda _event: time.sleep(0.02)))
    assert time.monotonic() - began < 2


def test_the_first_failure_is_raised(stage):
    """What the first work to fail raises is raised, at once, whatever others still do; no more are begun."""
    began = time.monotonic()
    works = [stage.waiting(0), stage.work(1, fails(KeyError("first"), 0.05)), stage.waiting(2)]
    with pytest.raises(KeyError, match="first"):
        together(works, 2)
    assert time.monotonic() - began < 2
    assert stage.begun == [0, 1]
    assert sorted(stage.stopped) == [0, 1, 2]


def test_the_first_to_fail_is_first_in_time(stage):
    """Of two works that fail, the one that failed first is told of, though it was given later."""
    works = [stage.work(0, fails(ValueError("late"), 0.4)), stage.work(1, fails(ValueError("early")))]
    with pytest.raises(ValueError, match="early"):
        together(works, 2)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
def test_no_failure_is_lost_in_a_thread(stage, error):
    """Whatever a work raises, even what is no Exception, is raised where the results are asked for."""
    with pytest.raises(type(error)):
        together([stage.work(0, fails(error))], 1)
    assert stage.stopped == [0]


def test_events_come_to_the_callers_thread_in_order(stage):
    """Events are told in the caller's thread, those of each work in their order, before its result."""
    seen = []

    def count(at):
        def act(tell):
            for number in range(20):
                tell((at, number))
            return at

        return act

    def watch(event):
        seen.append((threading.current_thread(), *event))

    assert together([stage.work(at, count(at)) for at in range(3)], 2, Watched(event=watch)) == [0, 1, 2]
    assert {thread for thread, _, _ in seen} == {threading.current_thread()}
    for at in range(3):
        assert [number for _, of, number in seen if of == at] == list(range(20))


def test_events_need_no_watcher(stage):
    """Where nobody watches, events are dropped."""
    assert together([stage.work(0, lambda tell: tell("heard by none"))], 1) == [None]


def test_a_failing_watcher_ends_it(stage):
    """What a watcher raises, such as a KeyboardInterrupt, comes through, and all works are bid to stop."""

    def watch(_event):
        raise KeyboardInterrupt

    def act(tell):
        tell("begun")
        return stage.hold.wait(SOON * 4)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        together([stage.work(0, act), stage.waiting(1), stage.waiting(2)], 2, Watched(event=watch))
    assert time.monotonic() - began < 2
    assert sorted(stage.stopped) == [0, 1, 2]


def test_threads_do_not_hold_the_process(stage):
    """The threads of works are daemons, which the end of the process does not wait for."""
    daemons = []
    together([stage.work(0, lambda _tell: daemons.append(threading.current_thread().daemon))], 1)
    assert daemons == [True]
