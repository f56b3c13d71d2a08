"""The runs of a case, before they are judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec import Struct

from pytest_dust import clock
from pytest_dust.cassettes import format as cassette_format
from pytest_dust.cassettes.recording import Recording
from pytest_dust.constants import LATEST
from pytest_dust.dust.transport import Update
from pytest_dust.errors import ServiceError
from pytest_dust.model import Failure, Json, Reply, Run, Source, Specification, Tokens
from pytest_dust.run.case_request import CaseRequest
from pytest_dust.run.pending import Origin
from pytest_dust.worker_pool import Job

UNKNOWN = Tokens(unknown=1)
"""The tokens of a run that cannot be read."""


class MadeRun(Struct, frozen=True):
    """A run that the service made: its reply, and the run in it, or the exception that reading it raised."""

    reply: Reply
    run: Run | Exception
    tokens: Tokens = UNKNOWN
    """What the run used, with the blocks that a filter hides."""
    cached: tuple[str, ...] = ()
    """Blocks that the service may have answered from its own cache."""
    failures: tuple[Failure, ...] | None = None
    """The failed expectations, if the run was judged already; the runs that follow depend on it."""


Jobs = Sequence[Job[MadeRun, Update]]
"""Runs of a case that were started together."""


class Answer(Struct, frozen=True):
    """The runs of a case, replayed or new."""

    asked: CaseRequest
    recording: Recording
    """What was in the case's cassette."""
    source: Source
    made: tuple[MadeRun, ...]

    @property
    def cached(self) -> tuple[str, ...]:
        """The blocks that the service may have answered from its cache, each once."""
        return tuple(dict.fromkeys(name for each in self.made for name in each.cached))

    @property
    def spent(self) -> Tokens:
        """The tokens that the runs used at the service; none if they are replayed."""
        return Tokens() if self.source is Source.REPLAYED else tokens(self.made)

    @property
    def run_ids(self) -> list[str]:
        """The ids of the runs, as far as they can be read."""
        return [each.run.id for each in self.made if isinstance(each.run, Run) and each.run.id]

    def runs(self) -> list[Run]:
        """The runs; raises what reading one of them raised."""
        for each in self.made:
            if isinstance(each.run, Exception):
                raise each.run
        return [each.run for each in self.made if isinstance(each.run, Run)]

    @property
    def version(self) -> str:
        """The specification hash to which a cassette of the runs is bound.

        For a case that asks for `latest`, it is `latest`; else the hash that ran, if all runs ran the same.
        """
        if self.asked.case.specification_hash == LATEST:
            return LATEST
        if self.asked.version != LATEST:
            return self.asked.version
        ran = {each.run.specification_hash for each in self.made if isinstance(each.run, Run)}
        return (ran.pop() or LATEST) if len(ran) == 1 else LATEST

    @property
    def is_of_pinned(self) -> bool:
        """Whether the version that ran is the one that the case asks for."""
        pinned = self.asked.case.specification_hash
        return self.asked.version == LATEST if pinned == LATEST else self.version == pinned

    @property
    def origin(self) -> Origin:
        """Where the answer comes from, for the one who reviews it."""
        place, case = self.recording.place, self.asked.case
        return Origin(place.case, place.line, case.specification_hash, case.plural, place.sources)

    def content(
        self, specification: Specification | None = None, notes: Mapping[str, Json] | None = None
    ) -> bytes:
        """The bytes of a cassette that holds the runs; `notes` are for a pending one."""
        mask = self.asked.mask
        now = clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        if specification is not None:
            specification = specification._replace(blocks=mask.value(specification.blocks))
        replies = [each.reply for each in self.made]
        bound = mask.value({**self.asked.bound, "specification_hash": self.version})
        return cassette_format.dumps(bound, replies, now, specification, notes)

    def pending_content(self, specification: Specification | None = None) -> bytes:
        """The bytes of a pending cassette that holds the runs."""
        return self.content(specification, self.origin.notes)


def tokens(made: Iterable[MadeRun]) -> Tokens:
    """The tokens that runs used."""
    return sum((each.tokens for each in made), Tokens())


def ended(jobs: Jobs) -> tuple[MadeRun, ...]:
    """The runs that have ended without an error."""
    futures = [job.future for job in jobs]
    return tuple(each.result() for each in futures if each.done() and each.exception() is None)


@contextmanager
def limited_depth() -> Iterator[None]:
    """Raise ServiceError instead of the RecursionError of a deeply nested run."""
    try:
        yield
    except RecursionError:
        raise ServiceError("the run is nested too deeply to be read; narrow it with block_filter") from None
