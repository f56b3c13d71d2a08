"""Find out whether a new recording says the same as the old one, so that the old file can stay as it is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_dust.dust.run_view import viewed
from pytest_dust.model import Baseline, Run, Specification
from pytest_dust.run import judging
from pytest_dust.run.replay import replayed

if TYPE_CHECKING:
    from pytest_dust.cassettes.format import Cassette
    from pytest_dust.dust.network import Network
    from pytest_dust.run.answer import Answer

SECONDS = 5.0
"""Maximum time of the comparison; after it, the recording counts as changed."""
RULES = Baseline()
"""Every value is compared, apart from those that are new in every run."""


def is_as_recorded(answer: Answer, network: Network) -> bool:
    """True if the case's cassette can be replayed, and its runs say the same as the new ones.

    Run ids, times, tokens, the order of keys and values that are new in every run do not count.
    """
    found = answer.recording
    cassette = found.cassette
    if cassette is None or not found.fits or cassette.masked or not found.place.path.file.exists():
        return False
    try:
        return judging.in_thread(SECONDS, partial(_say_the_same, cassette, answer, network))
    except Exception:  # noqa: BLE001  # whatever cannot be compared is written anew
        return False


def tells_more(new: Specification | None, answer: Answer) -> bool:
    """True if the new recording knows the app's saved blocks better: the old one has none, or has others.

    A part of a saved block that is no part of its specification hash may change while the hash stays.
    """
    cassette = answer.recording.cassette
    old = cassette.specification if cassette else None
    if new is None or old is None:
        return new is not None
    return new.ran and (not old.ran or answer.asked.mask.value(new.blocks) != old.blocks)


def _say_the_same(cassette: Cassette, answer: Answer, network: Network) -> bool:
    """True if each new run says the same as the recorded one; raises CassetteError for a broken cassette."""
    new, made = answer.runs(), replayed(answer.asked.request, answer.recording, network)
    old = [each.run for each in made if isinstance(each.run, Run)]
    flavors = [each.reply.flavor for each in answer.made] == [each.flavor for each in cassette.replies]
    plural = answer.asked.case.plural
    return flavors and len(old) == len(new) and all(map(partial(_is_same, plural=plural), old, new))


def _is_same(old: Run, new: Run, *, plural: bool) -> bool:
    """True if two runs of the same version have the same blocks, values and errors."""
    from pytest_dust.compare import baseline  # 5 ms, which a replay does not need

    if old.specification_hash != new.specification_hash:
        return False
    found = baseline.compare(viewed(old, plural=plural), viewed(new, plural=plural), RULES, "")
    return not (found.values or found.blocks)
