"""The tokens that a run used, also where a filter hides some of its blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_dust import api, view
from pytest_dust.constants import LATEST
from pytest_dust.model import Flavor, Tokens
from pytest_dust.service_cache import MODEL_TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_dust.api import Block
    from pytest_dust.model import Reply, Run


def of_run(reply: Reply, run: Run, block_filter: Sequence[str] | None, known: Sequence[Block]) -> Tokens:
    """The tokens of a run, which is what the filter shows of the reply; `known` are blocks of the app.

    The service itself filters a blocking answer. What its other blocks used is then unknown, unless it is
    known that none of them asks a model.
    """
    if block_filter is None:
        return view.tokens([run])
    if reply.flavor is not Flavor.BLOCKING:
        return view.tokens([api.run(reply, None, LATEST)])
    shown = view.tokens([run])
    hidden = [kind for kind, name in known if name not in block_filter]
    idle = bool(hidden) and MODEL_TYPES.isdisjoint(hidden)
    return shown if idle else Tokens(shown.told, 1)
