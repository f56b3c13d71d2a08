"""The noise of the app `noisy-triage`: its settings, and what each run of the app draws from them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Option = TypeVar("Option")


@dataclass(frozen=True)
class Draws:
    """What one run draws for one of its inputs, equal for equal keys."""

    key: str = ""
    flip: float = 0.0  # probability of a wrong label
    drift: float = 0.0  # probability that the provider's drift has added
    token: str = "0" * 16  # a new one for each run on the server

    def number(self, name: str) -> float:
        """Return the number drawn under this name: at least 0, less than 1."""
        digest = hashlib.sha256(f"{self.key}\0{name}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

    @property
    def is_wrong(self) -> bool:
        """Whether the label is a wrong one."""
        return self.number("flip") < self.flip

    def choice(self, name: str, options: Sequence[Option]) -> Option:
        """Return the option drawn under this name; all are equally likely."""
        return options[int(self.number(name) * len(options))]


NO_DRAWS = Draws()


@dataclass(frozen=True)
class Noise:
    """Settings of the noise.

    `flips` are probabilities of a wrong label, for a version (`{"v2": 0.1}`) or for one question of a
    version (`{"v2:Where is my refund?": 1.0}`, in place of the version's own).  `drift` is added to all of
    them, for both versions alike, as when a provider changes its model.

    The draws depend on the seed, the version, the question and the number of its runs in that version;
    so they do not depend on the order in which runs of different questions or versions arrive.
    """

    seed: int = 0
    flips: Mapping[str, float] = field(default_factory=dict)
    drift: float = 0.0

    def __post_init__(self) -> None:
        """Raise ValueError if a flip has no such version or is no probability."""
        for name, flip in self.flips.items():
            if name.partition(":")[0] not in ("v1", "v2"):
                raise ValueError(f"{name!r} is no version: give v1, v2, v1:QUESTION or v2:QUESTION")
            if not 0 <= flip <= 1:
                raise ValueError(f"{name!r} has the probability {flip}: give 0 to 1")
        if not -1 <= self.drift <= 1:
            raise ValueError(f"the drift is {self.drift}: give -1 to 1")

    def flip(self, version: str, question: str) -> float:
        """Return the probability of a wrong label, the drift included."""
        own = self.flips.get(f"{version}:{question}", self.flips.get(version, 0.0))
        return min(1.0, max(0.0, own + self.drift))

    def draws(self, version: str, question: str, number: int, token: str) -> Draws:
        """Return the draws of run `number` of this question in this version, counted from 1."""
        key = f"{self.seed}\0{version}\0{question}\0{number}"
        return Draws(key, self.flip(version, question), self.drift, token)
