"""How much of a reply has reached the ear: reported by the far end, or reckoned by the clock."""

from __future__ import annotations

__all__ = ["Playout"]


class Playout:
    """The playing of one reply; instants and durations are handed in, in seconds.

    What changes here: the audio sent, and an anchor (so much was played at that instant), which
    every report moves. Between reports playing is taken to go on in real time, but never past what
    was sent: an underrun does not count as heard.
    """

    def __init__(self) -> None:
        self.sent_s = 0.0
        """Audio handed to the channel."""

        self._anchor_at_s: float | None = None
        self._anchor_played_s = 0.0
        self._rewound_to_s = 0.0
        self._not_before_s = 0.0

    def follows(self, until_s: float) -> None:
        """Note until when the channel plays what it was sent before; for before anything is sent."""
        self._not_before_s = until_s

    def sent(self, duration_s: float, now_s: float) -> None:
        """Note that more audio was handed to the channel, which plays it behind what it has."""
        self._anchor(self.heard_s(now_s), max(now_s, self._not_before_s))
        self.sent_s += duration_s

    def started(self, now_s: float) -> None:
        """Take the far end's word that the first sample is heard now, or the first after a rewind."""
        self._not_before_s = now_s
        self._anchor(self._rewound_to_s, now_s)

    def progressed(self, played_s: float, now_s: float) -> None:
        """Take the far end's word on how much has been heard; more than was sent counts as all."""
        self._not_before_s = now_s
        self._anchor(min(max(played_s, 0.0), self.sent_s), now_s)

    def heard_s(self, now_s: float) -> float:
        """Return how much has been heard."""
        if self._anchor_at_s is None:
            return 0.0
        return min(self.sent_s, self._anchor_played_s + max(now_s - self._anchor_at_s, 0.0))

    def rewind(self, to_s: float, now_s: float) -> None:
        """Note that the channel stopped, and has dropped what it had behind `to_s`."""
        self._not_before_s = now_s
        heard_s = min(self.heard_s(now_s), to_s)
        self.sent_s = self._rewound_to_s = min(self.sent_s, to_s)
        self._anchor(heard_s, now_s)

    def dry_s(self, now_s: float) -> float:
        """Return for how long there has been nothing left to play; 0 before anything was sent."""
        if self._anchor_at_s is None:
            return 0.0
        return max(now_s - self._anchor_at_s - (self.sent_s - self._anchor_played_s), 0.0)

    def until_s(self, now_s: float) -> float:
        """Return when all that was sent will have been heard, and what the channel had before it."""
        begins_s = now_s if self._anchor_at_s is None else max(self._anchor_at_s, now_s)
        return begins_s + self.lead_s(now_s)

    def lead_s(self, now_s: float) -> float:
        """Return how much of what was sent is still to be heard."""
        return self.sent_s - self.heard_s(now_s)

    def _anchor(self, played_s: float, at_s: float) -> None:
        self._anchor_played_s = played_s
        self._anchor_at_s = at_s
