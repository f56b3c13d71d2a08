"""File names that are valid on every file system, made from ids and other names."""

from __future__ import annotations

import hashlib
import re

MAX_BYTES = 200
"""Maximum length of a name that is kept as it is; file systems allow 255 with the suffix."""
_PLAIN = re.compile(r"[a-z0-9._\[\]-]{1,200}")
_NAME = re.compile(r"[\w.-]+")
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])[ .]*(\.|$)", re.IGNORECASE)
_DIGEST = re.compile(r"~[0-9a-f]{8}\]?\Z", re.IGNORECASE)


def digest(text: str) -> str:
    """The first eight hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def is_reserved(name: str) -> bool:
    """True if Windows reads a name as a device, or drops the end of it: `nul`, `aux.x`, `a.`."""
    return bool(_DEVICE.match(name)) or name.endswith((".", " "))


def has_digest(name: str) -> bool:
    """True if a name ends with a digest, as `with_digest` returns it."""
    return bool(_DIGEST.search(name))


def with_digest(name: str) -> str:
    """The plain letters of a name and a digest of all of it: a valid name, different for different names."""
    plain = _plain_and_digest(name)
    return f"_{plain}" if is_reserved(plain) else plain


def case_file(case: str) -> str:
    """The name of a case's cassette, without `.json`.

    It is the id itself, if that is a valid name on every file system; else its plain letters and a digest, so
    that `refund[A/b]` and `refund[a b]` have different files, also on disks that ignore case.
    """
    return case if _is_plain(case) and not is_reserved(f"{case}.json") else with_digest(case)


def earlier_case_file(case: str) -> str:
    """The name that earlier versions gave to a case's cassette, without `.json`."""
    return case if "[" not in case or _is_plain(case) else _plain_and_digest(case)


def _is_plain(case: str) -> bool:
    if "[" in case:
        return bool(_PLAIN.fullmatch(case))
    return bool(_NAME.fullmatch(case)) and len(case.encode("utf-8", "surrogatepass")) <= MAX_BYTES


def _plain_and_digest(name: str) -> str:
    plain = re.sub(r"[^a-z0-9._\[\]-]+", "-", name.lower()).removesuffix("]")[:100]
    return f"{plain}~{digest(name)}" + "]" * ("[" in name)
