"""Names of files and folders that every file system holds, made of ids and other names."""

from __future__ import annotations

import hashlib
import re

MAX_BYTES = 200
"""Bytes of a name that stands as it is; a disk takes 255, and a suffix comes behind it."""
_PLAIN = re.compile(r"[a-z0-9._\[\]-]{1,200}")
_NAME = re.compile(r"[\w.-]+")
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])[ .]*(\.|$)", re.IGNORECASE)
_MARK = re.compile(r"~[0-9a-f]{8}\]?\Z", re.IGNORECASE)


def digest(text: str) -> str:
    """Eight hexadecimal digits of a text's hash."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def is_reserved(name: str) -> bool:
    """Whether Windows takes a name for a device, or drops the end of it: `nul`, `aux.x`, `a.`."""
    return bool(_DEVICE.match(name)) or name.endswith((".", " "))


def is_marked(name: str) -> bool:
    """Whether a name ends as those that `marked` gives."""
    return bool(_MARK.search(name))


def marked(name: str) -> str:
    """The plain letters of a name and a digest of all of it: a safe name that differs where names do."""
    plain = _plain_and_digest(name)
    return f"_{plain}" if is_reserved(plain) else plain


def case_file(case: str) -> str:
    """The name of a case's cassette, less `.json`.

    The id itself where every file system holds it; else its plain letters and a digest of the whole, so
    that `refund[A/b]` and `refund[a b]` do not meet, nor upper and lower case where a disk folds them.
    """
    return case if _is_plain(case) and not is_reserved(f"{case}.json") else marked(case)


def earlier_case_file(case: str) -> str:
    """The name of a case's cassette, less `.json`, in earlier versions."""
    return case if "[" not in case or _is_plain(case) else _plain_and_digest(case)


def _is_plain(case: str) -> bool:
    if "[" in case:
        return bool(_PLAIN.fullmatch(case))
    return bool(_NAME.fullmatch(case)) and len(case.encode("utf-8", "surrogatepass")) <= MAX_BYTES


def _plain_and_digest(name: str) -> str:
    plain = re.sub(r"[^a-z0-9._\[\]-]+", "-", name.lower()).removesuffix("]")[:100]
    return f"{plain}~{digest(name)}" + "]" * ("[" in name)
