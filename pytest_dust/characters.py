"""Characters that a reader cannot see or cannot tell from others, escaped as JSON does where it matters."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING
from unicodedata import category, normalize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

MAX_COMPARED = 400
"""Characters of two texts that are lined up one by one; longer ones have one difference from end to end."""

_CONTROLS = "\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
_DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_JOINERS = "\u200c\u200d"
_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
_INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
_EMOJI = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935\u2b05-\u2b55"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_JOINING = "\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\ua840-\ua87f\ufb50-\ufdcf\ufe70-\ufefc"
"""Letters of the scripts that write a joiner between two of them: Arabic, those of India, and others."""
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_MONGOLIAN = "\u1820-\u18aa"
_FLAGS = "|".join(
    "".join(chr(0xE0000 + ord(letter)) for letter in place) for place in ("gbeng", "gbsct", "gbwls")
)
_FACE = f"[{_EMOJI}][\ufe0e\ufe0f]?[\U0001f3fb-\U0001f3ff]?"
_WELL_FORMED = (
    f"\U0001f3f4(?:{_FLAGS})\U000e007f"  # the flags of England, Scotland and Wales
    f"|{_FACE}(?:\u200d{_FACE})*"
    "|[0-9#*]\ufe0f\u20e3"  # a key of a telephone
    f"|[{_IDEOGRAPHS}][\ufe00-\ufe02\U000e0100-\U000e01ef]?"
    f"|[{_MONGOLIAN}][\u180b-\u180d\u180f]?"
    f"|(?<=[{_JOINING}])[{_JOINERS}](?=[{_JOINING}])"
)
"""Where invisible characters belong to the writing of what is seen."""
_DECEIVING = re.compile(
    f"(?P<well>{_WELL_FORMED})|(?P<bad>[{_CONTROLS}{_DIRECTIONS}{_JOINERS}{_SELECTORS}{_INVISIBLE}])"
)
_DECEIVING_ASCII = re.compile("[\x00-\x1f\x7f]")
_UNSEEN = re.compile(f"[{_DIRECTIONS}{_JOINERS}{_SELECTORS}{_INVISIBLE}]")
_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u2800]")
_ACCENTS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")

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
"""Letters of Cyrillic, Greek and Armenian, dashes and quotes that look like one of ASCII in most fonts."""


def safe(text: str) -> str:
    """The text without characters that steer terminals, hide, or turn the direction of writing."""
    if text.isascii():
        return _DECEIVING_ASCII.sub(_escape_found, text)
    return _DECEIVING.sub(_escape_found, text)


def safe_name(text: str) -> str:
    """A name, safe to print, with odd blanks escaped too, and accents that are no part of their letter."""
    shown = safe(text)
    if shown.isascii():
        return shown
    shown = _BLANKS.sub(_escape_found, shown)
    return shown if normalize("NFC", shown) == shown else _ACCENTS.sub(_escape_found, shown)


def apart(old: str, new: str) -> tuple[str, str]:
    """Two texts, safe to print, that a reader can tell apart wherever they differ."""
    if old == new or (old.isascii() and new.isascii()):
        return safe(old), safe(new)
    marked = _deceiving(old), _deceiving(new)
    for old_start, old_part, new_start, new_part in _differing(old, new):
        before, after = _telling(old_part, new_part)
        marked[0].update(old_start + at for at in before)
        marked[1].update(new_start + at for at in after)
    first, second = _shown(old, marked[0]), _shown(new, marked[1])
    if looks(first) == looks(second):
        return in_ascii(old), in_ascii(new)
    return first, second


def escape_that_tells(part: str, whole: str) -> Callable[[str], str]:
    """How two texts are made safe to print, so that a reader sees why one is no part of the other.

    It is `safe` unless only what cannot be seen, or cannot be told apart, is the reason.
    """
    if part in whole or looks(part) not in looks(whole):
        return safe
    return in_ascii if _marked(part) == safe(part) and _marked(whole) == safe(whole) else _marked


def in_ascii(text: str) -> str:
    """The text with all but printable ASCII escaped."""
    return _shown(text, _places(text, _is_beyond_ascii))


def looks(text: str) -> str:
    """A text that is the same for all texts that look the same, or nearly so."""
    if text.isascii():
        return text
    seen = _BLANKS.sub(" ", _UNSEEN.sub("", text))
    return normalize("NFC", seen).translate(_LOOK_ALIKE)


# ── escapes ──────────────────────────────────────────────────────────────────────────────────────


def _escape_found(found: re.Match[str]) -> str:
    if found.lastgroup == "well":
        return found[0]
    return _escape(found[0])


def _escape(text: str) -> str:
    """Every character as JSON escapes it: those beyond 16 bits as a pair."""
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _marked(text: str) -> str:
    """The text with blanks, marks and invisible characters escaped, whatever they stand beside."""
    return _shown(text, _places(text, _is_odd))


def _is_beyond_ascii(char: str) -> bool:
    return not (char.isascii() and char.isprintable())


def _is_blank(char: str) -> bool:
    return _BLANKS.match(char) is not None


@lru_cache(maxsize=4096)
def _is_odd(char: str) -> bool:
    """Whether a character is a mark, a blank other than the usual one, or not seen at all."""
    if char.isascii():
        return not char.isprintable()
    return category(char) == "Mn" or _is_blank(char) or safe(char) != char


# ── where two texts differ ───────────────────────────────────────────────────────────────────────


def _clusters(text: str) -> list[str]:
    """A text's characters, each with the marks and invisible characters that follow it."""
    found: list[str] = []
    for char in text:
        if found and not char.isascii() and (category(char)[0] == "M" or _UNSEEN.match(char)):
            found[-1] += char
        else:
            found.append(char)
    return found


def _differing(old: str, new: str) -> Iterator[tuple[int, str, int, str]]:
    """The pieces that differ of two texts, and where each begins."""
    before, after = _clusters(old), _clusters(new)
    starts = [list(accumulate(map(len, side), initial=0)) for side in (before, after)]
    if max(len(before), len(after)) > MAX_COMPARED:
        opcodes: Sequence[tuple[str, int, int, int, int]] = _by_ends(before, after)
    else:
        opcodes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    for kind, a, b, c, d in opcodes:
        if kind != "equal":
            i, j, k, m = starts[0][a], starts[0][b], starts[1][c], starts[1][d]
            yield i, old[i:j], k, new[k:m]


def _by_ends(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    """The one difference between the beginning and the end that two texts share."""
    least = min(len(old), len(new))
    start = next((at for at in range(least) if old[at] != new[at]), least)
    rest = least - start
    end = next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)
    return [("replace", start, len(old) - end, start, len(new) - end)]


def _telling(old: str, new: str) -> tuple[set[int], set[int]]:
    """Which characters of two differing pieces are escaped: as few as show that they differ."""
    if looks(old) != looks(new):
        return _places(old, _is_blank), _places(new, _is_blank)
    odd = _places(old, _is_odd), _places(new, _is_odd)
    if looks(_shown(old, odd[0])) != looks(_shown(new, odd[1])):
        return odd
    return _places(old, _is_beyond_ascii), _places(new, _is_beyond_ascii)


def _places(text: str, is_meant: Callable[[str], bool]) -> set[int]:
    return {at for at, char in enumerate(text) if is_meant(char)}


def _deceiving(text: str) -> set[int]:
    """Where the characters stand that are always escaped."""
    return {found.start() for found in _DECEIVING.finditer(text) if found.lastgroup == "bad"}


def _shown(text: str, marked: AbstractSet[int]) -> str:
    return "".join(_escape(char) if at in marked else char for at, char in enumerate(text))
