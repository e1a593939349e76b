"""Keys that are pressed one after another, and are meant together. No I/O; instants are arguments."""

from __future__ import annotations

from typing import Final

__all__ = ["KeyCollector", "keys_text"]

_PAUSE_S: Final = 1.5
"""After the last key; people look for the next one for about a second."""

_MOST: Final = 32
_END: Final = "#"


class KeyCollector:
    """Collects keys until `#`, or until none was pressed for 1.5 s.

    What changes here: the keys so far and when the last of them came, in `press` and `take_due`.
    """

    def __init__(self) -> None:
        self._keys = ""
        self._last_at_s = 0.0

    @property
    def due_at_s(self) -> float | None:
        """When what was pressed is taken for all, if nothing more comes; None if nothing was pressed."""
        return self._last_at_s + _PAUSE_S if self._keys else None

    def press(self, key: str, now_s: float) -> str:
        """Take a key; return all that were pressed if they are complete, or nothing.

        A `#` ends them and is none of them, unless it is the only one.
        """
        self._last_at_s = now_s
        if key != _END or not self._keys:
            self._keys += key
        return self._take() if key == _END or len(self._keys) >= _MOST else ""

    def take_due(self, now_s: float) -> str:
        """Return the keys if nothing was pressed for long enough, or nothing."""
        return self._take() if self.due_at_s is not None and now_s >= self.due_at_s else ""

    def _take(self) -> str:
        keys, self._keys = self._keys, ""
        return keys


def keys_text(keys: str) -> str:
    """Return what the session is told, as a turn of the person's."""
    return f"Keys pressed: {' '.join(keys)}"
