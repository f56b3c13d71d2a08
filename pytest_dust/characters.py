"""Escape characters that a reader cannot see or cannot tell from others, as JSON escapes them.

The rules, in the order of this module:

1. Everywhere, characters are escaped that control a terminal, are invisible, or turn the direction of
   writing, unless they are a regular part of a script or an emoji.
2. In names, unusual blanks and combining accents are escaped too.
3. Where two texts differ, as many characters are escaped as it takes for them to look different.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING
from unicodedata import category, normalize

from pytest_dust.lazy_patterns import lazy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

# ── 1. everywhere ────────────────────────────────────────────────────────────────────────────────

_CONTROLS = "\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
_DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_JOINERS = "\u200c\u200d"
_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
_INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
_UNSEEN = _DIRECTIONS + _JOINERS + _SELECTORS + _INVISIBLE
_IS_UNSEEN = lazy(f"[{_UNSEEN}]")

_EMOJI = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935\u2b05-\u2b55"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_JOINING = "\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\ua840-\ua87f\ufb50-\ufdcf\ufe70-\ufefc"
"""Letters of the scripts that use joiners between two letters, such as Arabic and those of India."""
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_MONGOLIAN = "\u1820-\u18aa"
_FLAGS = "|".join(
    "".join(chr(0xE0000 + ord(letter)) for letter in place) for place in ("gbeng", "gbsct", "gbwls")
)
_ONE_EMOJI = f"[{_EMOJI}][\ufe0e\ufe0f]?[\U0001f3fb-\U0001f3ff]?"
_REGULAR = (
    f"\U0001f3f4(?:{_FLAGS})\U000e007f"  # the flags of England, Scotland and Wales
    f"|{_ONE_EMOJI}(?:\u200d{_ONE_EMOJI})*"
    "|[0-9#*]\ufe0f\u20e3"  # a key of a telephone
    f"|[{_IDEOGRAPHS}][\ufe00-\ufe02\U000e0100-\U000e01ef]?"
    f"|[{_MONGOLIAN}][\u180b-\u180d\u180f]?"
    f"|(?<=[{_JOINING}])[{_JOINERS}](?=[{_JOINING}])"
)
"""Sequences in which invisible characters are a regular part of a script or an emoji."""
_DECEIVING = lazy(f"(?P<regular>{_REGULAR})|(?P<deceiving>[{_CONTROLS}{_UNSEEN}])")
_DECEIVING_ASCII = re.compile("[\x00-\x1f\x7f]")


def safe(text: str) -> str:
    """Return a text without characters that control a terminal, are invisible, or turn the direction."""
    pattern = _DECEIVING_ASCII if text.isascii() else _DECEIVING()
    return pattern.sub(_escape_match, text)


def _escape_match(found: re.Match[str]) -> str:
    return found[0] if found.lastgroup == "regular" else _escape(found[0])


def _escape(text: str) -> str:
    """Return every character as JSON escapes it: one beyond 16 bits as a pair."""
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


# ── 2. in names ──────────────────────────────────────────────────────────────────────────────────

_BLANKS = lazy("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u2800]")
"""Blanks other than the usual one."""
_ACCENTS = lazy("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")


def safe_name(text: str) -> str:
    """Return a name, safe to print, with unusual blanks and combining accents escaped too."""
    shown = safe(text)
    if shown.isascii():
        return shown
    shown = _BLANKS().sub(_escape_match, shown)
    return shown if normalize("NFC", shown) == shown else _ACCENTS().sub(_escape_match, shown)


# ── 3. where two texts differ ────────────────────────────────────────────────────────────────────

MAX_COMPARED = 400
"""Maximum length of texts that are compared piece by piece; longer ones are taken to differ in one piece."""

_LOOKS_LIKE = {
    '"': "\u201c\u201d\u2033\uff02",
    "'": "\u02bc\u2018\u2019\u2032\uff07",
    "-": "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d",
    "/": "\u2044\u2215",
    "A": "\u0391\u0410",
    "B": "\u0392\u0412",
    "C": "\u0421",
    "E": "\u0395\u0415",
    "G": "\u050c",
    "H": "\u0397\u041d",
    "I": "\u0399\u0406",
    "J": "\u0408",
    "K": "\u039a\u041a",
    "M": "\u039c\u041c",
    "N": "\u039d",
    "O": "\u039f\u041e\u0555",
    "P": "\u03a1\u0420",
    "S": "\u0405\u054f",
    "T": "\u03a4\u0422",
    "V": "\u0474",
    "X": "\u03a7\u0425",
    "Y": "\u03a5\u0423\u04ae",
    "Z": "\u0396",
    "a": "\u0430",
    "c": "\u03f2\u0441",
    "d": "\u0501",
    "e": "\u0435",
    "h": "\u04bb\u0570",
    "i": "\u0456",
    "j": "\u03f3\u0458",
    "n": "\u0578",
    "o": "\u03bf\u043e\u0585",
    "p": "\u0440",
    "q": "\u051b",
    "s": "\u0455",
    "u": "\u057d",
    "v": "\u03bd\u0475",
    "w": "\u051d",
    "x": "\u0445",
    "y": "\u0443",
}
_LOOK_ALIKE = {ord(other): sign for sign, others in _LOOKS_LIKE.items() for other in others}
"""Letters of Cyrillic, Greek and Armenian, dashes and quotes that look like ASCII in most fonts."""


def looks(text: str) -> str:
    """Return a text that is the same for all texts that look the same, or nearly so."""
    if text.isascii():
        return text
    seen = _BLANKS().sub(" ", _IS_UNSEEN().sub("", text))
    return normalize("NFC", seen).translate(_LOOK_ALIKE)


def in_ascii(text: str) -> str:
    """Return a text with all but printable ASCII escaped."""
    return _escaped(text, _places(text, _is_beyond_ascii))


def apart(old: str, new: str) -> tuple[str, str]:
    """Return two texts, safe to print, that look different wherever they differ."""
    if old == new or (old.isascii() and new.isascii()):
        return safe(old), safe(new)
    escapes = _deceiving(old), _deceiving(new)
    for old_start, old_piece, new_start, new_piece in _differing(old, new):
        in_old, in_new = _telling(old_piece, new_piece)
        escapes[0].update(old_start + at for at in in_old)
        escapes[1].update(new_start + at for at in in_new)
    shown = _escaped(old, escapes[0]), _escaped(new, escapes[1])
    return shown if looks(shown[0]) != looks(shown[1]) else (in_ascii(old), in_ascii(new))


def escape_that_tells(part: str, whole: str) -> Callable[[str], str]:
    """Return the function that escapes two texts so that a reader sees why one is no part of the other.

    It is `safe`, unless they differ only in characters that are invisible or look alike.
    """
    if part in whole or looks(part) not in looks(whole):
        return safe
    return (
        in_ascii if _without_odd(part) == safe(part) and _without_odd(whole) == safe(whole) else _without_odd
    )


def _without_odd(text: str) -> str:
    """Return a text with all unusual blanks, marks and invisible characters escaped."""
    return _escaped(text, _places(text, _is_odd))


def _telling(old: str, new: str) -> tuple[set[int], set[int]]:
    """Return the places to escape in two pieces that differ: as few as make them look different."""
    if looks(old) != looks(new):
        return _places(old, _is_blank), _places(new, _is_blank)
    odd = _places(old, _is_odd), _places(new, _is_odd)
    if looks(_escaped(old, odd[0])) != looks(_escaped(new, odd[1])):
        return odd
    return _places(old, _is_beyond_ascii), _places(new, _is_beyond_ascii)


def _deceiving(text: str) -> set[int]:
    """Return the places of the characters that are escaped everywhere."""
    return {found.start() for found in _DECEIVING().finditer(text) if found.lastgroup == "deceiving"}


def _places(text: str, is_meant: Callable[[str], bool]) -> set[int]:
    return {at for at, char in enumerate(text) if is_meant(char)}


def _is_beyond_ascii(char: str) -> bool:
    return not (char.isascii() and char.isprintable())


def _is_blank(char: str) -> bool:
    return _BLANKS().match(char) is not None


@lru_cache(maxsize=4096)
def _is_odd(char: str) -> bool:
    """Return True for a mark, an unusual blank, or a character that is escaped everywhere."""
    if char.isascii():
        return not char.isprintable()
    return category(char) == "Mn" or _is_blank(char) or safe(char) != char


def _escaped(text: str, places: AbstractSet[int]) -> str:
    return "".join(_escape(char) if at in places else char for at, char in enumerate(text))


# ── the pieces that differ ───────────────────────────────────────────────────────────────────────


def _differing(old: str, new: str) -> Iterator[tuple[int, str, int, str]]:
    """Yield the pieces in which two texts differ: start and piece in the old text, then in the new one."""
    before, after = _clusters(old), _clusters(new)
    old_starts, new_starts = (list(accumulate(map(len, each), initial=0)) for each in (before, after))
    for old_from, old_to, new_from, new_to in _differing_ranges(before, after):
        old_start, new_start = old_starts[old_from], new_starts[new_from]
        yield old_start, old[old_start : old_starts[old_to]], new_start, new[new_start : new_starts[new_to]]


def _clusters(text: str) -> list[str]:
    """Return a text's characters, each with the marks and invisible characters that follow it."""
    found: list[str] = []
    for char in text:
        if found and not char.isascii() and (category(char)[0] == "M" or _IS_UNSEEN().match(char)):
            found[-1] += char
        else:
            found.append(char)
    return found


def _differing_ranges(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Yield the ranges in which two lists differ: from and to in the old one, then in the new one."""
    if max(len(old), len(new)) > MAX_COMPARED:
        yield _between_ends(old, new)
        return
    for kind, *ranges in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            old_from, old_to, new_from, new_to = ranges
            yield old_from, old_to, new_from, new_to


def _between_ends(old: Sequence[str], new: Sequence[str]) -> tuple[int, int, int, int]:
    """Return the range between the beginning and the end that two lists share."""
    least = min(len(old), len(new))
    start = next((at for at in range(least) if old[at] != new[at]), least)
    rest = least - start
    end = next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)
    return start, len(old) - end, start, len(new) - end
