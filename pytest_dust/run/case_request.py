"""What a case asks of the service."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import asdict

from pytest_dust.cassettes import binding
from pytest_dust.masking import Mask
from pytest_dust.model import Case, Json, Repeat, RunRequest
from pytest_dust.settings import Settings


class CaseRequest(Struct, frozen=True):
    """A case with its run request; made once for a case, as masking takes time."""

    case: Case
    request: RunRequest
    """Of the pinned version."""
    version: str
    """The specification hash that a live run asks for: --dust-specification-hash may name another."""
    bound: Mapping[str, Json]
    """The parts of the request to which the case's cassette is bound, not masked."""
    mask: Mask
    """Masks what is redacted in the request and in the case's row of a dataset."""
    timeout: float
    """Seconds that one run may take."""

    @property
    def masked(self) -> dict[str, Json]:
        """`bound`, masked: what a cassette holds of it."""
        masked: dict[str, Json] = self.mask.request()
        return masked


def case_request(case: Case, settings: Settings, mask: Mask) -> CaseRequest:
    """The case's request; settings fill in what neither suite nor case names."""
    request = run_request(case, settings)
    bound = binding.bound(request, _bound(case.repeat))
    version = settings.version_of(case.app.id, case.specification_hash)
    timeout = case.timeout or settings.timeout
    return CaseRequest(case, request, version, bound, mask.covering(bound).redacting(case.redacted), timeout)


def _bound(repeat: Repeat | None) -> Json:
    """The part of a repetition to which a cassette is bound; None without one."""
    if repeat is None:
        return None
    return repeat.runs if repeat.rates is None else asdict(repeat.rates)


def run_request(case: Case, settings: Settings) -> RunRequest:
    """The run request of a case, with the app's full address."""
    parts = {name: getattr(case, name) for name in RunRequest.__struct_fields__}
    return RunRequest(**{**parts, "app": settings.address(case.app)})
