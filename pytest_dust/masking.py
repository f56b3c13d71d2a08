"""What must not be seen: known secrets and redacted values, masked in whatever is kept or shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from pytest_dust import cookies
from pytest_dust.cookies import MASKED
from pytest_dust.references import KEY_VARIABLE

SHORTEST = 6
"""Characters a secret must have to be masked inside longer texts; a shorter one is masked where it is all."""


@dataclass(frozen=True, slots=True)
class Mask:
    """Secrets by their text, and values by where they stand."""

    secrets: tuple[str, ...] = ()
    patterns: tuple[tuple[str, ...], ...] = ()

    def __repr__(self) -> str:
        """Tell how much is masked, and never what."""
        return f"<Mask of {len(self.secrets)} secrets and {len(self.patterns)} patterns>"

    def text(self, text: str) -> str:
        """The text with every secret, cookie and credential in it masked."""
        return self._text(cookies.without_headers(text))

    def _text(self, text: str) -> str:
        for secret in self.secrets:
            if text == secret or (len(secret) >= SHORTEST and secret in text):
                text = text.replace(secret, MASKED)
        return text

    def value(self, value: Any) -> Any:
        """The JSON value with cookies, secrets in texts and keys, and whatever a pattern names, masked."""
        plain, said = cookies.masked(value)
        return self.knowing(said).without_secrets(plain)

    def without_secrets(self, value: Any) -> Any:
        """The JSON value with secrets and whatever a pattern names masked; its cookies are so already."""
        return self._value(value, ()) if self.secrets or self.patterns else value

    def knowing(self, texts: frozenset[str]) -> Mask:
        """A mask that covers these texts too, as what a cookie said."""
        return replace(self, secrets=_longest_first({*self.secrets, *texts})) if texts else self

    def covering(self, request: Any) -> Mask:
        """A mask that also covers what patterns name in a request and what its cookies say, anywhere."""
        found = set(cookies.masked(request).said)
        if self.patterns:
            found.update(text for text in self._named(request, ()) if len(text) >= SHORTEST)
        return self.knowing(frozenset(found))

    def _value(self, value: Any, path: tuple[str, ...]) -> Any:
        if path and self._names(path):
            return MASKED
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {self._text(key): self._value(each, (*path, key)) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(each, (*path, str(at))) for at, each in enumerate(value)]
        return value

    def _named(self, value: Any, path: tuple[str, ...]) -> Iterator[str]:
        """The texts at or below what the patterns name."""
        children: Sequence[tuple[str, Any]] = ()
        if isinstance(value, Mapping):
            children = list(value.items())
        elif isinstance(value, list | tuple):
            children = [(str(at), each) for at, each in enumerate(value)]
        named = bool(path) and self._names(path)
        if named and isinstance(value, str | int | float) and not isinstance(value, bool):
            yield str(value)
        for key, each in children:
            below = replace(self, patterns=(("*",),)) if named else self
            yield from below._named(each, (*path, key))  # noqa: SLF001  # our own

    def _names(self, path: tuple[str, ...]) -> bool:
        """Whether a pattern's steps are the last ones of the path."""
        return any(
            len(pattern) <= len(path) and all(map(fnmatchcase, path[len(path) - len(pattern) :], pattern))
            for pattern in self.patterns
        )


def mask(environ: Mapping[str, str], variables: Sequence[str], redact: Sequence[str]) -> Mask:
    """The mask of a session: the API key, the variables that ini lists, and the redacted names."""
    secrets = {environ.get(name, "").strip() for name in (KEY_VARIABLE, *variables)} - {""}
    patterns = tuple(tuple(step for step in _steps(name) if step) for name in redact)
    return Mask(_longest_first(secrets), tuple(pattern for pattern in patterns if pattern))


def _steps(name: str) -> list[str]:
    """The steps of a dotted name; `inputs[0].email` is taken as `inputs.0.email`."""
    return name.replace("[", ".").replace("]", "").split(".")


def _longest_first(secrets: set[str]) -> tuple[str, ...]:
    """Longest first, so that a secret inside another leaves no rest of it."""
    return tuple(sorted(secrets, key=lambda secret: (-len(secret), secret)))
