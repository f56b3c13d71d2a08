"""Replace the content of a file that belongs to the user."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from secrets import token_hex


def rewrite(path: Path, content: bytes) -> None:
    """Replace a file's content as a whole, or leave it as it is; raises OSError.

    Its permissions stay, and a symbolic link stays a link.
    """
    real = Path(os.path.realpath(path))
    mode = stat.S_IMODE(real.stat().st_mode)
    if not os.access(real, os.W_OK):
        raise PermissionError(13, "Permission denied")
    temporary = real.with_name(f".{real.name[:60]}-{token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(real)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
