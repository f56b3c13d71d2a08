"""Decompress the bytes of a reply in small pieces, so that a reply that expands a lot takes little memory."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence

import httpx

from pytest_dust.wording import first_names

PIECE = 64 * 1024
"""Maximum size of a decompressed piece in bytes."""
MOST = 3
"""Maximum number of nested encodings; services use one."""
GZIP, ZLIB, RAW = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS
WINDOWS = {"gzip": GZIP, "x-gzip": GZIP, "deflate": ZLIB}
"""zlib's parameter for each accepted encoding."""

HEAD = 2
"""Length of a zlib header in bytes."""

Stage = Callable[[Iterator[bytes]], Iterator[bytes]]


def decoded(parts: Iterator[bytes], encodings: Sequence[str], stage: Stage) -> Iterator[bytes]:
    """Yield the bytes without their encodings, which are listed in the order in which they were applied.

    The bytes pass through `stage`, which may raise, before the first and after each decompression. Raises
    httpx.DecodingError.
    """
    names = [name for name in (each.strip().lower() for each in encodings) if name not in ("", "identity")]
    if len(names) > MOST or any(name not in WINDOWS for name in names):
        shown = first_names(names, MOST)
        raise httpx.DecodingError(f"it is encoded as {shown}, and gzip or deflate was asked for")
    parts = stage(parts)
    for name in reversed(names):
        parts = stage(_inflated(parts, WINDOWS[name]))
    return parts


def _inflated(parts: Iterator[bytes], window: int) -> Iterator[bytes]:
    """Yield the decompressed bytes; bytes after the end of the compressed data are ignored."""
    inflater = None
    head = b""
    for part in parts:
        rest = part
        if inflater is None:
            head = rest = head + part
            if len(head) < HEAD:
                continue
            inflater = zlib.decompressobj(_window(head) if window == ZLIB else window)
        try:
            yield from _pieces(inflater, rest)
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from None


def _pieces(inflater: zlib._Decompress, part: bytes) -> Iterator[bytes]:
    while not inflater.eof:
        piece = inflater.decompress(part, PIECE)
        if not piece:
            return
        yield piece
        part = inflater.unconsumed_tail


def _window(head: bytes) -> int:
    """Return the parameter for `deflate`: with a header as specified, or without as some servers send it."""
    try:
        zlib.decompressobj(ZLIB).decompress(head[:HEAD])
    except zlib.error:
        return RAW
    return ZLIB
