"""Whether a case passed when it was recorded."""

from __future__ import annotations

from msgspec.structs import replace

from pytest_dust.errors import DustError
from pytest_dust.model import Source
from pytest_dust.run.answer import Answer
from pytest_dust.run.context import RunContext
from pytest_dust.run.judge import judged
from pytest_dust.run.replay import replayed


def passed_when_recorded(answer: Answer, context: RunContext) -> bool:
    """Whether the case's cassette passes by what the case expects now.

    Also True if there is no cassette of what it asks now: nothing says then that it may fail.
    """
    found, asked = answer.recording, answer.asked
    if not found.fits:
        return True
    try:
        made = tuple(replayed(asked.request, found, context.network))
        return judged(replace(answer, source=Source.REPLAYED, made=made), context.settings).holds
    except DustError:
        return True
