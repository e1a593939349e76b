"""When to stop asking a far end that keeps failing, and when to try it again."""

from __future__ import annotations

from typing import Final

__all__ = ["Breaker"]

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0


class Breaker:
    """Failures of one base URL, seen by all sessions of the process.

    Closed, everything may pass. After `threshold` failures in a row it opens: nothing passes for
    a pause, which doubles up to 30 s. Then it is half open: one probe may pass, and its outcome decides.

    What changes here: all fields, in `failed`, `succeeded` and `try_now`.
    """

    def __init__(self, threshold: int = 3) -> None:
        self._threshold = threshold
        self._failures = 0
        self._closed_until_s = 0.0
        self._is_probing = False

    @property
    def is_open(self) -> bool:
        """Whether callers are refused; also while half open, since a probe decides, not a user's turn."""
        return self._failures >= self._threshold

    def pause_s(self, now_s: float) -> float:
        """Return how long until a probe may pass; 0 if one may now, or none is needed."""
        return max(self._closed_until_s - now_s, 0.0) if self.is_open else 0.0

    def try_now(self, now_s: float) -> bool:
        """Return whether an attempt may be made now; while half open, true once."""
        if not self.is_open:
            return True
        if self._is_probing or self.pause_s(now_s) > 0:
            return False
        self._is_probing = True
        return True

    def failed(self, now_s: float) -> None:
        """Note a failure to connect, or an answer that says that the far end is broken."""
        self._failures += 1
        self._is_probing = False
        if self.is_open:
            pause_s = _FIRST_PAUSE_S * 2.0 ** min(self._failures - self._threshold, 16)
            self._closed_until_s = now_s + min(pause_s, _LONGEST_PAUSE_S)

    def succeeded(self) -> None:
        """Note that the far end answered."""
        self._failures = 0
        self._is_probing = False
