"""The worker pool: tasks start in order, so many at once, and each is timed out."""

from __future__ import annotations

import threading
import time

import pytest

from pytest_dust.worker_pool import Task, WorkerPool

SOON = 5.0
"""Seconds within which everything here ends that ends at all."""


class Late(Exception):
    """The timeout error of these tasks."""


class Stage:
    """Makes tasks, and records which of them start, how many run at once, and which are asked to stop."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running = self.most = 0
        self.started: list[int] = []
        self.stopped: list[int] = []
        self.release = threading.Event()
        """Ends all stuck tasks."""

    def task(self, at, act, seconds=SOON):
        """Task number `at`, which calls `act(publish)`."""

        def call(publish):
            with self.lock:
                self.started.append(at)
                self.running += 1
                self.most = max(self.most, self.running)
            try:
                return act(publish)
            finally:
                with self.lock:
                    self.running -= 1

        return Task(call, seconds, lambda: self.stopped.append(at), lambda: Late(at))

    def stuck(self, at, seconds=SOON * 4):
        """A task that does not end before the test does."""
        return self.task(at, lambda _publish: self.release.wait(SOON * 4), seconds)

    def until(self, holds):
        """Wait until a condition holds that the threads of the tasks bring about."""
        end = time.monotonic() + SOON
        while not holds():
            assert time.monotonic() < end
            time.sleep(0.005)


@pytest.fixture
def stage():
    """A stage whose tasks all end with the test."""
    made = Stage()
    yield made
    made.release.set()


def gives(value, seconds=0.0):
    """An act that returns a value after some seconds."""

    def act(_publish):
        time.sleep(seconds)
        return value

    return act


def fails(error, seconds=0.0):
    """An act that raises an error after some seconds."""

    def act(_publish):
        time.sleep(seconds)
        raise error

    return act


def done(tasks, at_once, watch=None):
    """The results of tasks that are submitted together."""
    pool = WorkerPool(at_once)
    return pool.wait(pool.submit(tasks), watch)


def counts(pool):
    """How many tasks have ended, run, and wait."""
    return pool.ended, pool.running, pool.waiting


# ── results ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("at_once", [1, 2, 3, 9])
def test_results_come_in_the_order_of_the_tasks(stage, at_once):
    """Results are in the order in which the tasks were submitted, whichever ends first."""
    tasks = [stage.task(at, gives(at, seconds)) for at, seconds in enumerate((0.12, 0.06, 0.0, 0.03))]
    assert done(tasks, at_once) == [0, 1, 2, 3]
    assert stage.stopped == []


def test_no_task_gives_no_results():
    """Without tasks, `wait` returns at once."""
    assert done([], 3) == []


@pytest.mark.parametrize("value", [None, [], False])
def test_what_is_nothing_is_a_result_too(stage, value):
    """A task may return None, or anything else that is false."""
    assert done([stage.task(0, gives(value))], 1) == [value]


def test_results_are_there_before_they_are_asked_for(stage):
    """Tasks run before `wait` is called, and it may be called in any order and again."""
    pool = WorkerPool(1)
    jobs = pool.submit([stage.task(at, gives(at)) for at in range(4)])
    stage.until(lambda: pool.ended == 4)
    for job in (jobs[2], jobs[0], jobs[2]):
        assert pool.wait([job]) == [job.future.result()]
    assert pool.wait(jobs) == [0, 1, 2, 3]
    assert stage.started == [0, 1, 2, 3]


# ── how many, and in which order ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("at_once", "most"), [(1, 1), (3, 3), (7, 7), (20, 7)])
def test_so_many_run_at_once(stage, at_once, most):
    """As many tasks run as the limit allows, and never one more."""
    done([stage.task(at, gives(at, 0.08)) for at in range(7)], at_once)
    assert stage.most == most


def test_tasks_of_all_threads_count_together(stage):
    """The limit holds for the tasks of all threads together."""
    pool = WorkerPool(3)

    def submit(at):
        pool.wait(pool.submit([stage.task(at, gives(at, 0.04)) for _ in range(3)]))

    threads = [threading.Thread(target=submit, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert stage.most == 3
    assert counts(pool) == (12, 0, 0)


def test_tasks_start_in_order(stage):
    """Tasks start in the order in which they were submitted."""
    pool = WorkerPool(1)
    jobs = []
    for at in (0, 2, 4):
        jobs += pool.submit([stage.task(at, gives(at)), stage.task(at + 1, gives(at))])
    pool.wait(jobs)
    assert stage.started == list(range(6))


def test_urgent_tasks_start_before_those_that_wait(stage):
    """Urgent tasks start before all that wait, in their own order."""
    pool = WorkerPool(1)
    jobs = pool.submit([stage.task(0, gives(0, 0.1)), stage.task(1, gives(1)), stage.task(2, gives(2))])
    urgent = pool.submit([stage.task(at, gives(at)) for at in (7, 8, 9)], urgent=True)
    assert pool.wait(urgent) == [7, 8, 9]
    assert pool.wait(jobs) == [0, 1, 2]
    assert stage.started == [0, 7, 8, 9, 1, 2]


def test_the_next_starts_as_soon_as_one_ends(stage):
    """A slow task keeps one place of the limit; the others go on beside it."""
    last = stage.task(4, lambda _publish: stage.release.set())
    tasks = [stage.stuck(0), *(stage.task(at, gives(at)) for at in range(1, 4)), last]
    assert done(tasks, 2) == [True, 1, 2, 3, None]


def test_every_task_is_counted_once(stage):
    """The tasks that have ended, run and wait add up to those submitted, with failed ones."""
    pool = WorkerPool(2)
    assert counts(pool) == (0, 0, 0)
    jobs = pool.submit([stage.task(0, fails(KeyError())), stage.task(1, gives(1)), stage.stuck(2)])
    pool.submit([stage.stuck(at) for at in (3, 4, 5)])
    stage.until(lambda: len(stage.started) == 4)
    assert counts(pool) == (2, 2, 2)
    assert pool.wait(jobs[1:2]) == [1]
    assert counts(pool) == (2, 2, 2)
    stage.release.set()
    stage.until(lambda: counts(pool) == (6, 0, 0))


def test_threads_do_not_keep_the_process(stage):
    """The threads of tasks are daemons, which do not keep the process from ending."""
    daemons = []
    done([stage.task(0, lambda _publish: daemons.append(threading.current_thread().daemon))], 1)
    assert daemons == [True]


# ── pauses ───────────────────────────────────────────────────────────────────────────────────────


def test_nothing_starts_during_a_pause(stage):
    """During a pause no task starts, urgent or not; after it they start by themselves, in order."""
    pool = WorkerPool(2)
    running = pool.submit([stage.task(0, gives(0, 0.05))])
    start = time.monotonic()
    pool.pause(0.4)
    jobs = pool.submit([stage.task(1, lambda _publish: time.monotonic()), stage.task(2, gives(2))])
    jobs += pool.submit([stage.task(3, lambda _publish: time.monotonic())], urgent=True)
    assert pool.wait(running) == [0]
    assert counts(pool) == (1, 0, 3)
    first, _, urgent = pool.wait(jobs)
    assert min(first, urgent) - start >= 0.4
    assert stage.started[:1] == [0]
    assert set(stage.started[1:3]) == {3, 1}


def test_a_pause_ends_though_its_timer_fires_early(stage, monkeypatch):
    """If a coarse clock lets the timer of a pause fire too early, tasks start after it all the same."""

    class Early(threading.Timer):
        def start(self):
            self.function()

    monkeypatch.setattr(threading, "Timer", Early)
    pool = WorkerPool(1)
    start = time.monotonic()
    pool.pause(0.3)

    def impatient(_events):
        assert time.monotonic() - start < SOON

    (at,) = pool.wait(pool.submit([stage.task(0, lambda _publish: time.monotonic())]), impatient)
    assert 0.3 <= at - start < SOON


@pytest.mark.parametrize("seconds", [(0.4, 0.1), (0.1, 0.4), (0.4, 0.4, 0.0)])
def test_the_longest_pause_counts(stage, seconds):
    """Of several pauses the one that ends last counts, whichever was asked for first."""
    pool = WorkerPool(1)
    start = time.monotonic()
    for each in seconds:
        pool.pause(each)
    (at,) = pool.wait(pool.submit([stage.task(0, lambda _publish: time.monotonic())]))
    assert 0.4 <= at - start < SOON


def test_running_tasks_go_on_during_a_pause(stage):
    """A pause stops no task that has started."""
    pool = WorkerPool(1)
    jobs = pool.submit([stage.task(0, gives(0, 0.1))])
    pool.pause(30)
    start = time.monotonic()
    assert pool.wait(jobs) == [0]
    assert time.monotonic() - start < SOON


# ── events ───────────────────────────────────────────────────────────────────────────────────────


def test_events_arrive_in_the_waiting_thread_in_order(stage):
    """The callback gets the events of each task in their order, in the waiting thread, before its result."""
    seen = []

    def count(at):
        def act(publish):
            for number in range(20):
                publish((at, number))
            return at

        return act

    def watch(events):
        seen.extend((threading.current_thread(), *event) for event in events)

    assert done([stage.task(at, count(at)) for at in range(3)], 2, watch) == [0, 1, 2]
    assert {thread for thread, _, _ in seen} == {threading.current_thread()}
    for at in range(3):
        assert [number for _, of, number in seen if of == at] == list(range(20))


def test_events_are_kept_until_wait_is_called(stage):
    """Events from before a call of `wait` are kept for that call, each for its own job's callback."""
    pool = WorkerPool(2)
    first, second = pool.submit(
        [stage.task(at, lambda publish, at=at: publish(f"of {at}")) for at in range(2)]
    )
    stage.until(lambda: pool.ended == 2)
    seen = []
    pool.wait([second], seen.extend)
    assert seen == ["of 1"]
    pool.wait([first], seen.extend)
    assert seen == ["of 1", "of 0"]


def test_the_callback_is_called_at_each_tick(stage):
    """Without events, the callback is called several times a second all the same."""
    calls = []
    done([stage.task(0, gives(0, 0.5))], 1, calls.append)
    assert len(calls) >= 3
    assert not any(calls)


def test_events_need_no_callback(stage):
    """Without a callback, events are dropped."""
    assert done([stage.task(0, lambda publish: publish("dropped"))], 1) == [None]


def test_a_failing_callback_ends_the_call(stage):
    """The error of a callback is raised, and the jobs of that call are cancelled; other jobs go on."""

    def watch(_events):
        raise ZeroDivisionError

    pool = WorkerPool(2)
    other = pool.submit([stage.stuck(9)])
    start = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        pool.wait(pool.submit([stage.stuck(0), stage.stuck(1)]), watch)
    assert time.monotonic() - start < SOON
    assert stage.stopped == [0]
    assert stage.started == [9, 0]
    stage.release.set()
    assert pool.wait(other) == [True]


def test_an_interrupt_closes_the_pool(stage):
    """A KeyboardInterrupt cancels all jobs, as the session ends: no other task starts in their place."""

    def watch(_events):
        raise KeyboardInterrupt

    pool = WorkerPool(2)
    jobs = pool.submit([stage.stuck(at) for at in range(5)])
    with pytest.raises(KeyboardInterrupt):
        pool.wait(jobs[:1], watch)
    assert sorted(stage.started) == sorted(stage.stopped) == [0, 1]
    assert counts(pool) == (0, 0, 0)


# ── failures ─────────────────────────────────────────────────────────────────────────────────────


def test_the_first_failure_is_raised(stage):
    """The error of the first task that fails is raised at once, and the other jobs are cancelled."""
    pool = WorkerPool(2)
    start = time.monotonic()
    tasks = [stage.stuck(0), stage.task(1, fails(KeyError("first"), 0.05)), stage.stuck(2), stage.stuck(3)]
    with pytest.raises(KeyError, match="first"):
        pool.wait(pool.submit(tasks))
    assert time.monotonic() - start < SOON
    assert 3 not in stage.started
    assert 0 in stage.stopped
    assert (pool.running, pool.waiting) == (0, 0)


def test_the_first_to_fail_is_first_in_time(stage):
    """Of two tasks that fail, the error of the one that failed first is raised, though submitted later."""
    with pytest.raises(ValueError, match="early"):
        done([stage.task(0, fails(ValueError("late"), 0.6)), stage.task(1, fails(ValueError("early")))], 2)


def test_of_several_failed_jobs_the_first_in_order_is_raised(stage):
    """If several tasks have failed before `wait` is called, the error of the first in order is raised."""
    pool = WorkerPool(9)
    for _ in range(20):
        before = pool.ended
        jobs = pool.submit([stage.task(at, fails(ValueError(f"of {at}"))) for at in range(5)])
        stage.until(lambda before=before: pool.ended == before + 5)
        with pytest.raises(ValueError, match="of 0"):
            pool.wait(jobs)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
def test_no_failure_is_lost_in_a_thread(stage, error):
    """Whatever a task raises, even what is no Exception, is raised by `wait`."""
    with pytest.raises(type(error)):
        done([stage.task(0, fails(error))], 1)


def test_a_failure_ends_no_other_call(stage):
    """A failure is raised for its own job alone; the jobs of other calls go on."""
    pool = WorkerPool(2)
    good, bad = pool.submit([stage.task(0, gives(0, 0.2)), stage.task(1, fails(KeyError("bad")))])
    with pytest.raises(KeyError, match="bad"):
        pool.wait([bad])
    assert pool.wait([good]) == [0]


@pytest.fixture
def scarce(monkeypatch):
    """How often a thread cannot start, as the system allows no more of them; the test sets it."""
    left = [0]

    class Scarce(threading.Thread):
        def start(self):
            if left[0]:
                left[0] -= 1
                raise RuntimeError("can't start new thread")
            super().start()

    monkeypatch.setattr("pytest_dust.worker_pool.threading.Thread", Scarce)
    return left


def test_a_thread_that_cannot_start_fails_its_own_job(stage, scarce):
    """A job whose thread cannot start fails with that error, and frees its place for the next."""
    pool = WorkerPool(1)
    scarce[0] = 1
    refused, good = pool.submit([stage.task(0, gives(0)), stage.task(1, gives(1))])
    assert pool.wait([good]) == [1]
    with pytest.raises(RuntimeError, match="can't start new thread"):
        pool.wait([refused])
    assert stage.started == [1]
    assert counts(pool) == (1, 0, 0)
    assert (pool.wasted, pool.abandoned) == (0, 0)


def test_a_job_without_a_thread_cancels_those_submitted_with_it(stage, scarce):
    """If one of several jobs gets no thread, `wait` raises at once, and cancels the others."""
    pool = WorkerPool(2)
    scarce[0] = 1
    jobs = pool.submit([stage.task(0, gives(0)), stage.stuck(1)])
    with pytest.raises(RuntimeError, match="can't start new thread"):
        pool.wait(jobs)
    assert stage.stopped == [1]


# ── time limits ──────────────────────────────────────────────────────────────────────────────────


def test_a_task_times_out(stage):
    """A task that exceeds its time limit is told to stop, and its `timeout_error` is raised."""
    pool = WorkerPool(3)
    start = time.monotonic()
    with pytest.raises(Late, match="1"):
        pool.wait(pool.submit([stage.task(0, gives(0)), stage.stuck(1, 0.2), stage.stuck(2)]))
    assert 0.15 < time.monotonic() - start < SOON
    assert sorted(stage.stopped) == [1, 2]


def test_another_starts_in_the_place_of_what_timed_out(stage):
    """A stuck task keeps its place of the limit no longer than its time limit."""
    pool = WorkerPool(1)
    stuck, good = pool.submit([stage.stuck(0, 0.2), stage.task(1, gives(1))])
    assert pool.wait([good]) == [1]
    assert stage.stopped == [0]
    with pytest.raises(Late, match="0"):
        pool.wait([stuck])
    assert counts(pool) == (2, 0, 0)


def test_what_comes_too_late_changes_nothing(stage):
    """What a task returns after its time limit is dropped, and the task is counted once."""
    pool = WorkerPool(1)
    jobs = pool.submit([stage.stuck(0, 0.1)])
    with pytest.raises(Late):
        pool.wait(jobs)
    stage.release.set()
    stage.until(lambda: stage.running == 0)
    with pytest.raises(Late):
        pool.wait(jobs)
    assert counts(pool) == (1, 0, 0)


def test_time_runs_from_the_start_of_each_task(stage):
    """The time that a task waits in the queue does not count towards its time limit."""
    assert done([stage.task(at, gives(at, 0.15), 0.6) for at in range(5)], 1) == [0, 1, 2, 3, 4]


def test_events_do_not_extend_the_time_limit(stage):
    """A task that publishes events all the time, to a slow callback, times out like any other."""

    def chatter(publish):
        while not stage.release.wait(0.01):
            publish("still here")

    start = time.monotonic()
    with pytest.raises(Late):
        done([stage.task(0, chatter, 0.3)], 1, lambda _events: time.sleep(0.02))
    assert time.monotonic() - start < SOON


# ── cancelled ────────────────────────────────────────────────────────────────────────────────────


def test_cancelled_jobs_do_not_start(stage):
    """Of cancelled jobs, those that wait never start and those that run are asked to stop; others go on."""
    pool = WorkerPool(2)
    others = [stage.task(at, gives(at)) for at in range(2, 6)]
    jobs = pool.submit([stage.stuck(0), stage.stuck(1), *others])
    stage.until(lambda: len(stage.started) == 2)
    pool.cancel([jobs[0], jobs[2], jobs[4]])
    assert pool.wait([jobs[3], jobs[5]]) == [3, 5]
    assert stage.started == [0, 1, 3, 5]
    assert stage.stopped == [0]
    assert counts(pool) == (2, 1, 0)


def test_cancelling_what_has_ended_does_nothing(stage):
    """A job that has ended keeps its result, and its task is not asked to stop."""
    pool = WorkerPool(1)
    jobs = pool.submit([stage.task(0, gives("kept"))])
    assert pool.wait(jobs) == ["kept"]
    pool.cancel(jobs)
    pool.cancel(jobs)
    assert pool.wait(jobs) == ["kept"]
    assert stage.stopped == []


def test_another_starts_in_the_place_of_a_cancelled_job(stage):
    """A cancelled job frees its place of the limit at once, though its thread may be stuck."""
    pool = WorkerPool(1)
    stuck, good = pool.submit([stage.stuck(0), stage.task(1, gives(1))])
    pool.cancel([stuck])
    assert pool.wait([good]) == [1]
    assert counts(pool) == (1, 0, 0)


def test_cancelling_takes_no_longer_the_more_wait(stage):
    """The time to cancel jobs that have ended does not grow with the queue."""
    pool = WorkerPool(1)
    pool.submit([stage.stuck(0)])
    pool.submit(stage.task(at, gives(at)) for at in range(1, 20_000))
    start = time.monotonic()
    for _ in range(5_000):
        pool.cancel(())
    assert time.monotonic() - start < 5
    pool.close()


def test_closing_cancels_all(stage):
    """Closing cancels what waits, asks what runs to stop, and waits for nothing."""
    pool = WorkerPool(2)
    pool.submit([stage.stuck(at) for at in range(6)])
    stage.until(lambda: len(stage.started) == 2)
    start = time.monotonic()
    pool.close()
    pool.close()
    assert time.monotonic() - start < SOON
    assert stage.stopped == [0, 1]
    assert counts(pool) == (0, 0, 0)
    stage.release.set()
    stage.until(lambda: stage.running == 0)
    assert stage.started == [0, 1]
    assert pool.ended == 0


@pytest.mark.parametrize("end", ["cancel", "close"])
def test_tasks_may_be_submitted_after_others_were_cancelled(stage, end):
    """After a call of `cancel` or `close`, new tasks start as before, though an old thread is stuck."""
    pool = WorkerPool(1, ahead=1)
    jobs = pool.submit([stage.stuck(0), stage.stuck(1)])
    stage.until(lambda: stage.started == [0])
    if end == "cancel":
        pool.cancel(jobs)
    else:
        pool.close()
    assert pool.wait(pool.submit([stage.task(2, gives(2)), stage.task(3, gives(3))])) == [2, 3]
    assert stage.started == [0, 2, 3]
    assert counts(pool) == (2, 0, 0)
    assert pool.abandoned == 1


@pytest.mark.parametrize("at", [0, 1])
def test_another_thread_waits_no_longer_for_what_is_cancelled(stage, at):
    """A thread that waits for a job gets a CancelledError when another cancels it, started or not."""
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
    stage.until(lambda: stage.started == [0])
    pool.close()
    waiting.join(SOON)
    assert [type(error).__name__ for error in raised] == ["CancelledError"]


# ── ahead ────────────────────────────────────────────────────────────────────────────────────────


def test_no_more_than_ahead_starts_before_wait_is_called(stage):
    """At most `ahead` tasks run or have ended without a call of `wait`; each call lets the next start."""
    pool = WorkerPool(2, ahead=3)
    jobs = pool.submit([stage.task(at, gives(at)) for at in range(6)])
    until = time.monotonic() + SOON
    while pool.ended < 3 and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.1)
    assert stage.started == [0, 1, 2]
    assert [pool.wait([job]) for job in jobs] == [[at] for at in range(6)]
    pool.close()
    assert (pool.wasted, pool.abandoned) == (0, 0)


def test_jobs_are_counted_that_nothing_waited_for(stage):
    """Jobs cancelled without a call of `wait` are wasted if they have a result, abandoned if they run."""
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


def test_a_timeout_that_nothing_waited_for_is_abandoned(stage):
    """Of two tasks that time out, only the one without a call of `wait` is counted as abandoned."""
    pool = WorkerPool(2)
    first, _ = pool.submit([stage.stuck(0, 0.2), stage.stuck(1, 0.2)])
    with pytest.raises(Late, match="0"):
        pool.wait([first])
    pool.close()
    assert (pool.wasted, pool.abandoned) == (0, 1)


def test_awaited_tasks_start_whatever_ahead_is(stage):
    """Tasks for which `wait` has been called start, however small `ahead` is."""
    pool = WorkerPool(2, ahead=1)
    jobs = pool.submit([stage.task(at, gives(at)) for at in range(5)])
    assert pool.wait(jobs) == list(range(5))
