"""Whether files or output hold what they must not."""

from __future__ import annotations

from conftest import KEY

HALVES = (KEY[:20], KEY[-20:])
"""What of the key is enough to know it by."""


def holds_no(result, *secrets):
    """Search every byte that a run left behind, printed or written."""
    places = {"stdout": result.out.encode(), "stderr": result.err.encode(), **result.example.files}
    for secret in secrets or HALVES:
        found = [name for name, data in places.items() if secret.encode() in data + name.encode()]
        assert not found, list(found)
