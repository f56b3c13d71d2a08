"""Where a case's run comes from, and what the case will cost."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from math import ceil

from pytest_dust.cassettes import recording
from pytest_dust.cassettes.recording import CassetteOfCase, Read, Recording
from pytest_dust.errors import CassetteError
from pytest_dust.model import Source
from pytest_dust.report.misses import misfit, missing, unreadable
from pytest_dust.run.case_request import CaseRequest
from pytest_dust.run.recorded import Estimate, recorded
from pytest_dust.settings import Mode


def choose(mode: Mode, found: Recording) -> Source:
    """The source of a case's run; raises CassetteError if the mode allows none.

    A broken cassette never counts as missing: in mode `record` it might be someone's work.
    """
    if mode is Mode.LIVE:
        return Source.LIVE
    if mode is Mode.RERECORD:
        return Source.RECORDED
    place = found.place
    if found.broken:
        raise CassetteError(unreadable(place.shown, found.broken, place.command))
    if found.fits:
        return Source.REPLAYED
    if mode is Mode.RECORD:
        return Source.RECORDED
    if found.cassette is None:
        raise CassetteError(missing(place.shown, place.command))
    raise CassetteError(misfit(place.shown, found.moved, place.command))


def check(asked: CaseRequest, place: CassetteOfCase, read: Read) -> None:
    """Compare a case with its cassette and run nothing; raises CassetteError if it does not fit."""
    choose(Mode.REPLAY, recording.load(place, asked.masked, asked.mask, read))


def estimate(asked: CaseRequest, place: CassetteOfCase, mode: Mode, read: Read) -> Estimate:
    """What a case will take, by the mode and by its recording."""
    found = Recording(place)
    with suppress(RecursionError):  # the run itself will say so
        found = recording.load(place, asked.masked, asked.mask, read)
    try:
        source = choose(mode, found)
    except CassetteError:  # raised again when the case runs
        return Estimate(0, 0)
    if source is Source.REPLAYED:
        return Estimate(0, 0)
    before, times = recorded(found.cassette), asked.case.times
    spare = times - asked.case.first_runs
    if not before.runs:
        return Estimate(times, 0, spare=spare)
    if _is_same_test(asked, found):
        times, spare = before.runs, 0
    tokens, unknown = (each * times / before.runs for each in (before.tokens, before.unknown))
    return Estimate(times, int(tokens), ceil(unknown), before.blocks, spare)


def _is_same_test(asked: CaseRequest, found: Recording) -> bool:
    """Whether a case was recorded with the same sequential test, so that it will take about as many runs."""
    repeat = asked.bound.get("repeat")
    return isinstance(repeat, Mapping) and not any(change.path[0] == "repeat" for change in found.moved)
