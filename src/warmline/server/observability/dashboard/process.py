"""How much memory the process has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["memory_bytes"]

_STATM: Final = Path("/proc/self/statm")


def memory_bytes() -> int | None:
    """Return the memory in use, its resident set; None where the system does not tell, as beyond Linux.

    Reads a file, which the kernel makes up at once.
    """
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return None
