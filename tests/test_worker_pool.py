"""Work in threads: begun in order, so many at once, each in its time, none waited for in vain."""

from __future__ import annotations

import threading
import time

import pytest

from pytest_dust.worker_pool import Task, WorkerPool

SOON = 5.0
"""Seconds within which anything here ends that is not waited for in vain."""


class Late(Exception):
    """What these tasks raise where their time is up."""


class Stage:
    """Where tasks tell what they do: how many are under way, and which were bid to stop."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.under_way = self.most = 0
        self.begun: list[int] = []
        self.stopped: list[int] = []
        self.hold = threading.Event()
        """Lets go of all tasks that wait for it."""

    def task(self, at, act, seconds=SOON):
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

        return Task(call, seconds, lambda: self.stopped.append(at), lambda: Late(at))

    def stuck(self, at, seconds=SOON * 4):
        """Work that ends only when all is over."""
        return self.task(at, lambda _tell: self.hold.wait(SOON * 4), seconds)

    def until(self, holds):
        """Wait for what threads of tasks will bring about."""
        end = time.monotonic() + SOON
        while not holds():
            assert time.monotonic() < end
            time.sleep(0.005)


@pytest.fixture
def stage():
    """A stage, whose tasks all end with the test."""
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


def done(tasks, at_once, watch=None):
    """What tasks give that are handed in together and waited for."""
    pool = WorkerPool(at_once)
    return pool.wait(pool.submit(tasks), watch)


def counts(pool):
    """How many tasks have ended, are under way, and wait."""
    return pool.ended, pool.running, pool.waiting


# ── results ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("at_once", [1, 2, 3, 9])
def test_results_come_in_the_order_of_the_works(stage, at_once):
    """Whichever work ends first, the results stand in the order in which the tasks were handed in."""
    tasks = [stage.task(at, gives(at, seconds)) for at, seconds in enumerate((0.12, 0.06, 0.0, 0.03))]
    assert done(tasks, at_once) == [0, 1, 2, 3]
    assert stage.stopped == []


def test_no_work_gives_no_results():
    """Nothing to do is done at once."""
    assert done([], 3) == []


@pytest.mark.parametrize("value", [None, [], False])
def test_what_is_nothing_is_a_result_too(stage, value):
    """A work may return None, or anything else that is empty."""
    assert done([stage.task(0, gives(value))], 1) == [value]


def test_results_are_there_before_they_are_asked_for(stage):
    """Work goes on while nobody waits, and may be waited for in any order, and again."""
    pool = WorkerPool(1)
    jobs = pool.submit([stage.task(at, gives(at)) for at in range(4)])
    stage.until(lambda: pool.ended == 4)
    for job in (jobs[2], jobs[0], jobs[2]):
        assert pool.wait([job]) == [job.future.result()]
    assert pool.wait(jobs) == [0, 1, 2, 3]
    assert stage.begun == [0, 1, 2, 3]


# ── how many, and in which order ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("at_once", "most"), [(1, 1), (3, 3), (7, 7), (20, 7)])
def test_so_many_are_under_way_at_once(stage, at_once, most):
    """As many tasks as allowed are under way, and never one more."""
    done([stage.task(at, gives(at, 0.08)) for at in range(7)], at_once)
    assert stage.most == most


def test_works_of_all_hands_count_together(stage):
    """However many hand in tasks from threads of their own, the limit is one for all."""
    pool = WorkerPool(3)

    def hand_in(at):
        pool.wait(pool.submit([stage.task(at, gives(at, 0.04)) for _ in range(3)]))

    threads = [threading.Thread(target=hand_in, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert stage.most == 3
    assert counts(pool) == (12, 0, 0)


def test_one_at_a_time_begins_in_order(stage):
    """Works are begun in the order in which they were handed in."""
    pool = WorkerPool(1)
    jobs = []
    for at in (0, 2, 4):
        jobs += pool.submit([stage.task(at, gives(at)), stage.task(at + 1, gives(at))])
    pool.wait(jobs)
    assert stage.begun == list(range(6))


def test_urgent_works_begin_before_those_that_wait(stage):
    """Urgent tasks go ahead of all that wait, in their own order, and of none that is under way."""
    pool = WorkerPool(1)
    jobs = pool.submit([stage.task(0, gives(0, 0.1)), stage.task(1, gives(1)), stage.task(2, gives(2))])
    urgent = pool.submit([stage.task(at, gives(at)) for at in (7, 8, 9)], urgent=True)
    assert pool.wait(urgent) == [7, 8, 9]
    assert pool.wait(jobs) == [0, 1, 2]
    assert stage.begun == [0, 7, 8, 9, 1, 2]


def test_the_next_begins_as_soon_as_one_ends(stage):
    """A slow work keeps its own place only; the others go on beside it."""
    last = stage.task(4, lambda _tell: stage.hold.set())
    tasks = [stage.stuck(0), *(stage.task(at, gives(at)) for at in range(1, 4)), last]
    assert done(tasks, 2) == [True, 1, 2, 3, None]


def test_the_counts_tell_how_far_it_is(stage):
    """What ended, is under way and waits adds up to what was handed in, failures among them."""
    pool = WorkerPool(2)
    assert counts(pool) == (0, 0, 0)
    jobs = pool.submit([stage.task(0, fails(KeyError())), stage.task(1, gives(1)), stage.stuck(2)])
    pool.submit([stage.stuck(at) for at in (3, 4, 5)])
    stage.until(lambda: len(stage.begun) == 4)
    assert counts(pool) == (2, 2, 2)
    assert pool.wait(jobs[1:2]) == [1]
    assert counts(pool) == (2, 2, 2)
    stage.hold.set()
    stage.until(lambda: counts(pool) == (6, 0, 0))


def test_threads_do_not_hold_the_process(stage):
    """The threads of tasks are daemons, which the end of the process does not wait for."""
    daemons = []
    done([stage.task(0, lambda _tell: daemons.append(threading.current_thread().daemon))], 1)
    assert daemons == [True]


# ── a pause for all ──────────────────────────────────────────────────────────────────────────────


def test_while_held_nothing_begins(stage):
    """For the seconds of a hold no work begins, urgent or not; then they begin by themselves, in order."""
    pool = WorkerPool(2)
    running = pool.submit([stage.task(0, gives(0, 0.05))])
    began = time.monotonic()
    pool.pause(0.4)
    jobs = pool.submit([stage.task(1, lambda _tell: time.monotonic()), stage.task(2, gives(2))])
    jobs += pool.submit([stage.task(3, lambda _tell: time.monotonic())], urgent=True)
    assert pool.wait(running) == [0]
    assert counts(pool) == (1, 0, 3)
    first, _, urgent = pool.wait(jobs)
    assert min(first, urgent) - began >= 0.4
    assert stage.begun[:1] == [0]
    assert set(stage.begun[1:3]) == {3, 1}


def test_a_hold_ends_though_its_timer_comes_early(stage, monkeypatch):
    """Where a coarse clock lets the timer of a hold come too early, tasks begin all the same."""

    class Early(threading.Timer):
        def start(self):
            self.function()

    monkeypatch.setattr(threading, "Timer", Early)
    pool = WorkerPool(1)
    began = time.monotonic()
    pool.pause(0.3)

    def impatient(_events):
        assert time.monotonic() - began < SOON

    (at,) = pool.wait(pool.submit([stage.task(0, lambda _tell: time.monotonic())]), impatient)
    assert 0.3 <= at - began < SOON


@pytest.mark.parametrize("seconds", [(0.4, 0.1), (0.1, 0.4), (0.4, 0.4, 0.0)])
def test_the_longest_hold_counts(stage, seconds):
    """Of several holds the one that ends last counts, whichever came first."""
    pool = WorkerPool(1)
    began = time.monotonic()
    for each in seconds:
        pool.pause(each)
    (at,) = pool.wait(pool.submit([stage.task(0, lambda _tell: time.monotonic())]))
    assert 0.4 <= at - began < SOON


def test_what_is_under_way_goes_on_while_held(stage):
    """A hold stops no work that has begun."""
    pool = WorkerPool(1)
    jobs = pool.submit([stage.task(0, gives(0, 0.1))])
    pool.pause(30)
    began = time.monotonic()
    assert pool.wait(jobs) == [0]
    assert time.monotonic() - began < SOON


# ── events ───────────────────────────────────────────────────────────────────────────────────────


def test_events_come_to_the_thread_that_waits_in_order(stage):
    """Events are told in the thread that waits, those of each work in their order, before its result."""
    seen = []

    def count(at):
        def act(tell):
            for number in range(20):
                tell((at, number))
            return at

        return act

    def watch(events):
        seen.extend((threading.current_thread(), *event) for event in events)

    assert done([stage.task(at, count(at)) for at in range(3)], 2, watch) == [0, 1, 2]
    assert {thread for thread, _, _ in seen} == {threading.current_thread()}
    for at in range(3):
        assert [number for _, of, number in seen if of == at] == list(range(20))


def test_events_are_kept_until_somebody_waits(stage):
    """What a work told of before anybody waited is told once it is waited for, to its own watcher alone."""
    pool = WorkerPool(2)
    first, second = pool.submit([stage.task(at, lambda tell, at=at: tell(f"of {at}")) for at in range(2)])
    stage.until(lambda: pool.ended == 2)
    seen = []
    pool.wait([second], seen.extend)
    assert seen == ["of 1"]
    pool.wait([first], seen.extend)
    assert seen == ["of 1", "of 0"]


def test_a_watcher_is_called_at_each_tick(stage):
    """Even where nothing is told, the watcher is called several times a second."""
    calls = []
    done([stage.task(0, gives(0, 0.7))], 1, calls.append)
    assert len(calls) >= 3
    assert not any(calls)


def test_events_need_no_watcher(stage):
    """Where nobody watches, events are dropped."""
    assert done([stage.task(0, lambda tell: tell("heard by none"))], 1) == [None]


def test_a_failing_watcher_ends_it(stage):
    """What a watcher raises comes through, and all it waited for is given up; others go on."""

    def watch(_events):
        raise ZeroDivisionError

    pool = WorkerPool(2)
    other = pool.submit([stage.stuck(9)])
    began = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        pool.wait(pool.submit([stage.stuck(0), stage.stuck(1)]), watch)
    assert time.monotonic() - began < SOON
    assert stage.stopped == [0]
    assert stage.begun == [9, 0]
    stage.hold.set()
    assert pool.wait(other) == [True]


def test_an_interrupt_begins_nothing_more(stage):
    """A KeyboardInterrupt gives up all, for the session ends: nothing begins in a place that becomes free."""

    def watch(_events):
        raise KeyboardInterrupt

    pool = WorkerPool(2)
    jobs = pool.submit([stage.stuck(at) for at in range(5)])
    with pytest.raises(KeyboardInterrupt):
        pool.wait(jobs[:1], watch)
    assert sorted(stage.begun) == sorted(stage.stopped) == [0, 1]
    assert counts(pool) == (0, 0, 0)


# ── failures ─────────────────────────────────────────────────────────────────────────────────────


def test_the_first_failure_is_raised(stage):
    """What the first work to fail raises is raised, at once, whatever others do; the rest are given up."""
    pool = WorkerPool(2)
    began = time.monotonic()
    tasks = [stage.stuck(0), stage.task(1, fails(KeyError("first"), 0.05)), stage.stuck(2), stage.stuck(3)]
    with pytest.raises(KeyError, match="first"):
        pool.wait(pool.submit(tasks))
    assert time.monotonic() - began < SOON
    assert 3 not in stage.begun
    assert 0 in stage.stopped
    assert (pool.running, pool.waiting) == (0, 0)


def test_the_first_to_fail_is_first_in_time(stage):
    """Of two tasks that fail, the one that failed first is told of, though it was handed in later."""
    with pytest.raises(ValueError, match="early"):
        done([stage.task(0, fails(ValueError("late"), 0.6)), stage.task(1, fails(ValueError("early")))], 2)


def test_of_several_that_failed_before_the_first_is_told(stage):
    """Where several have failed before anybody waits, the first of them in order is told of, each time."""
    pool = WorkerPool(9)
    for _ in range(20):
        before = pool.ended
        jobs = pool.submit([stage.task(at, fails(ValueError(f"of {at}"))) for at in range(5)])
        stage.until(lambda before=before: pool.ended == before + 5)
        with pytest.raises(ValueError, match="of 0"):
            pool.wait(jobs)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
def test_no_failure_is_lost_in_a_thread(stage, error):
    """Whatever a work raises, even what is no Exception, is raised where the results are asked for."""
    with pytest.raises(type(error)):
        done([stage.task(0, fails(error))], 1)


def test_a_failure_is_of_its_own_work_alone(stage):
    """Others that wait for other tasks learn nothing of a failure, and theirs go on."""
    pool = WorkerPool(2)
    good, bad = pool.submit([stage.task(0, gives(0, 0.2)), stage.task(1, fails(KeyError("bad")))])
    with pytest.raises(KeyError, match="bad"):
        pool.wait([bad])
    assert pool.wait([good]) == [0]


# ── too late ─────────────────────────────────────────────────────────────────────────────────────


def test_work_that_is_late_is_left_behind(stage):
    """A task that exceeds its time limit is told to stop, and its `timeout_error` is raised."""
    pool = WorkerPool(3)
    began = time.monotonic()
    with pytest.raises(Late, match="1"):
        pool.wait(pool.submit([stage.task(0, gives(0)), stage.stuck(1, 0.2), stage.stuck(2)]))
    assert 0.15 < time.monotonic() - began < SOON
    assert sorted(stage.stopped) == [1, 2]


def test_another_begins_in_the_place_of_what_is_late(stage):
    """Work that is stuck keeps its place no longer than its time, whoever waits for what."""
    pool = WorkerPool(1)
    stuck, good = pool.submit([stage.stuck(0, 0.2), stage.task(1, gives(1))])
    assert pool.wait([good]) == [1]
    assert stage.stopped == [0]
    with pytest.raises(Late, match="0"):
        pool.wait([stuck])
    assert counts(pool) == (2, 0, 0)


def test_what_comes_too_late_changes_nothing(stage):
    """What late work gives in the end is dropped, and counted once."""
    pool = WorkerPool(1)
    jobs = pool.submit([stage.stuck(0, 0.1)])
    with pytest.raises(Late):
        pool.wait(jobs)
    stage.hold.set()
    stage.until(lambda: stage.under_way == 0)
    with pytest.raises(Late):
        pool.wait(jobs)
    assert counts(pool) == (1, 0, 0)


def test_time_runs_from_the_begin_of_each_work(stage):
    """The time that a work waits for its place is not its own."""
    assert done([stage.task(at, gives(at, 0.3), 1.2) for at in range(5)], 1) == [0, 1, 2, 3, 4]


def test_events_do_not_put_off_the_end(stage):
    """Work that goes on telling of events is late like any other, whoever watches and however slowly."""

    def chatter(tell):
        while not stage.hold.wait(0.01):
            tell("still here")

    began = time.monotonic()
    with pytest.raises(Late):
        done([stage.task(0, chatter, 0.3)], 1, lambda _events: time.sleep(0.02))
    assert time.monotonic() - began < SOON


# ── given up ─────────────────────────────────────────────────────────────────────────────────────


def test_what_is_given_up_does_not_begin(stage):
    """Of the tasks given up those that wait never begin, those under way are bid to stop, others go on."""
    pool = WorkerPool(2)
    others = [stage.task(at, gives(at)) for at in range(2, 6)]
    jobs = pool.submit([stage.stuck(0), stage.stuck(1), *others])
    stage.until(lambda: len(stage.begun) == 2)
    pool.cancel([jobs[0], jobs[2], jobs[4]])
    assert pool.wait([jobs[3], jobs[5]]) == [3, 5]
    assert stage.begun == [0, 1, 3, 5]
    assert stage.stopped == [0]
    assert counts(pool) == (2, 1, 0)


def test_giving_up_what_has_ended_does_nothing(stage):
    """Work that ended keeps its result, and is not bid to stop."""
    pool = WorkerPool(1)
    jobs = pool.submit([stage.task(0, gives("kept"))])
    assert pool.wait(jobs) == ["kept"]
    pool.cancel(jobs)
    pool.cancel(jobs)
    assert pool.wait(jobs) == ["kept"]
    assert stage.stopped == []


def test_another_begins_in_the_place_of_what_is_given_up(stage):
    """What is given up makes room at once, though its thread may still be stuck."""
    pool = WorkerPool(1)
    stuck, good = pool.submit([stage.stuck(0), stage.task(1, gives(1))])
    pool.cancel([stuck])
    assert pool.wait([good]) == [1]
    assert counts(pool) == (1, 0, 0)


def test_giving_up_is_no_dearer_the_more_wait(stage):
    """A case that gives up what has ended pays nothing for the thousands that wait behind it."""
    pool = WorkerPool(1)
    pool.submit([stage.stuck(0)])
    pool.submit(stage.task(at, gives(at)) for at in range(1, 20_000))
    began = time.monotonic()
    for _ in range(5_000):
        pool.cancel(())
    assert time.monotonic() - began < 5
    pool.close()


def test_closing_gives_up_all(stage):
    """Once closed, what waits never begins, what is under way is bid to stop, and nobody is waited for."""
    pool = WorkerPool(2)
    pool.submit([stage.stuck(at) for at in range(6)])
    stage.until(lambda: len(stage.begun) == 2)
    began = time.monotonic()
    pool.close()
    pool.close()
    assert time.monotonic() - began < SOON
    assert stage.stopped == [0, 1]
    assert counts(pool) == (0, 0, 0)
    stage.hold.set()
    stage.until(lambda: stage.under_way == 0)
    assert stage.begun == [0, 1]
    assert pool.ended == 0


@pytest.mark.parametrize("at", [0, 1])
def test_who_waits_for_what_another_gives_up_is_told(stage, at):
    """Who waits in a thread of its own for work that is given up, begun or not, waits no longer."""
    pool = WorkerPool(1)
    jobs = pool.submit([stage.stuck(0), stage.stuck(1)])
    raised = []

    def wait():
        try:
            pool.wait([jobs[at]])
        except BaseException as error:  # noqa: BLE001  # to be looked at by the test
            raised.append(error)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    stage.until(lambda: stage.begun == [0])
    pool.close()
    waiting.join(SOON)
    assert [type(error).__name__ for error in raised] == ["CancelledError"]


def test_no_more_than_so_much_is_done_before_somebody_waits(stage):
    """What is under way or done and not waited for stays within `ahead`; waiting lets the next begin."""
    pool = WorkerPool(2, ahead=3)
    jobs = pool.submit([stage.task(at, gives(at)) for at in range(6)])
    until = time.monotonic() + SOON
    while pool.ended < 3 and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.1)
    assert stage.begun == [0, 1, 2]
    assert [pool.wait([job]) for job in jobs] == [[at] for at in range(6)]
    pool.close()
    assert (pool.wasted, pool.abandoned) == (0, 0)


def test_what_was_done_in_vain_is_counted(stage):
    """What ends well, or is under way, before anyone waits for it and is given up then, was for nothing."""
    pool = WorkerPool(5)
    done, failed, going, waited, interrupted = pool.submit(
        [
            stage.task(0, gives(0)),
            stage.task(1, fails(KeyError())),
            stage.stuck(2),
            stage.task(3, gives(3)),
            stage.stuck(4),
        ]
    )
    stage.until(lambda: pool.ended == 3)
    assert pool.wait([waited]) == [3]
    pool.cancel([done, failed, waited])
    assert (pool.wasted, pool.abandoned) == (1, 0)

    def watch(_events):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pool.wait([interrupted], watch)
    pool.cancel([going])
    pool.close()
    assert (pool.wasted, pool.abandoned) == (1, 1)


def test_what_is_late_before_anyone_waits_is_left_under_way(stage):
    """Of two tasks that are late, only the one that nobody waits for was left for nothing."""
    pool = WorkerPool(2)
    first, _ = pool.submit([stage.stuck(0, 0.2), stage.stuck(1, 0.2)])
    with pytest.raises(Late, match="0"):
        pool.wait([first])
    pool.close()
    assert (pool.wasted, pool.abandoned) == (0, 1)


def test_more_works_than_may_be_ahead_are_waited_for_together(stage):
    """Works that somebody waits for begin, however few may be ahead."""
    pool = WorkerPool(2, ahead=1)
    jobs = pool.submit([stage.task(at, gives(at)) for at in range(5)])
    assert pool.wait(jobs) == list(range(5))
