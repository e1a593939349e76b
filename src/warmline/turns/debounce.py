"""How long a pause must be before a draft is begun: learned from the drafts of this session; pure.

Somebody who thinks aloud pauses in the middle of sentences: drafts begun after a short pause are
dropped when they go on. Somebody brisk is kept waiting by a long one. So the debounce follows the
cancellation rate, which is drafts dropped over drafts begun, and keeps it in a band.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["Debounce", "DebounceCause", "DebounceChange", "DebouncePolicy", "DraftOutcome", "to_mermaid"]


class DraftOutcome(enum.Enum):
    """What became of a draft, as far as the length of pauses can be learned from it.

    A draft that a failure, a hang-up or a typed turn put an end to says nothing about pauses, and
    is not reported.
    """

    KEPT = "kept"
    """The turn was committed and the draft became the reply."""

    DROPPED = "dropped"
    """The user went on speaking, or the committed words were others: the pause was no end."""


@dataclass(frozen=True, slots=True)
class DebouncePolicy:
    """How the debounce moves; floor <= default <= ceiling, and min_samples <= window."""

    default_ms: int = 400
    """Where a session begins, and where it returns to; the earlier system's figure, as are step and band."""

    step_ms: int = 50
    """How far one change goes; less than is noticed, so that a wrong one does no harm."""

    floor_ms: int = 200
    """A shorter pause is the gap between two words: it is when speech counts as stopped at all."""

    ceiling_ms: int = 800
    """A longer pause is over the end of most turns, so that no draft could come in time."""

    band: tuple[float, float] = (0.30, 0.40)
    """The cancellation rate that is aimed at. Fewer are dropped only by answering later."""

    window: int = 20
    """How many drafts, the newest, the rate is taken of."""

    min_samples: int = 10
    """With fewer drafts begun at the present debounce it does not move: two dropped of two is chance.
    Of ten and more, whatever their number, some share lies inside a band as wide as a tenth."""

    decay_after_s: float = 120.0
    """How long nothing must be learned for each step back to the default. A debounce so long that no
    draft is begun any more would teach nothing, and stay."""


class DebounceCause(enum.Enum):
    """Why the debounce changed."""

    MANY_DROPPED = "many dropped"
    FEW_DROPPED = "few dropped"
    NOTHING_LEARNED = "nothing learned"


@dataclass(frozen=True, slots=True)
class DebounceChange:
    """One change, for the timeline."""

    before_ms: int
    after_ms: int
    cause: DebounceCause
    reason: str
    """For people, such as `cancellation 50 % of 10 > 40 %`."""


@dataclass(frozen=True, slots=True)
class Debounce:
    """What a session has learned; a value, which each outcome replaces."""

    ms: int
    """How long a pause must be."""

    learned_at_s: float
    """When the last outcome came in, or the last step back was made."""

    outcomes: tuple[DraftOutcome, ...] = ()
    """Of drafts begun since the last change, oldest first."""

    @classmethod
    def initial(cls, now_s: float, policy: DebouncePolicy) -> Debounce:
        """Return what a session begins with."""
        return cls(policy.default_ms, now_s)

    @property
    def cancellation_rate(self) -> float:
        """Drafts dropped over drafts begun, since the last change; 0 if none was begun."""
        return self.outcomes.count(DraftOutcome.DROPPED) / len(self.outcomes) if self.outcomes else 0.0

    def after(
        self, outcome: DraftOutcome, now_s: float, policy: DebouncePolicy
    ) -> tuple[Debounce, DebounceChange | None]:
        """Return what is known after one more draft, and the change if it moved the debounce.

        After a move counting starts anew: earlier drafts were begun at another debounce.
        """
        learned = Debounce(self.ms, now_s, (*self.outcomes, outcome)[-policy.window :])
        rate, count = learned.cancellation_rate, len(learned.outcomes)
        low, high = policy.band
        if count < policy.min_samples or low <= rate <= high:
            return learned, None
        if rate > high:
            moved_ms = min(self.ms + policy.step_ms, policy.ceiling_ms)
            cause, limit = DebounceCause.MANY_DROPPED, f"> {high:.0%}"
        else:
            moved_ms = max(self.ms - policy.step_ms, policy.floor_ms)
            cause, limit = DebounceCause.FEW_DROPPED, f"< {low:.0%}"
        reason = f"cancellation {rate:.0%} of {count} {limit}".replace("%", " %")
        return learned._moved(moved_ms, cause, reason)

    def decayed(self, now_s: float, policy: DebouncePolicy) -> tuple[Debounce, DebounceChange | None]:
        """Return what is left of it after a time without drafts; to be asked when a pause begins."""
        steps = int((now_s - self.learned_at_s) // policy.decay_after_s)
        if steps < 1:
            return self, None
        way_ms = policy.default_ms - self.ms
        step_ms = min(steps * policy.step_ms, abs(way_ms))
        moved_ms = self.ms + (step_ms if way_ms > 0 else -step_ms)
        forgotten = Debounce(self.ms, self.learned_at_s + steps * policy.decay_after_s)
        reason = f"nothing learned for {now_s - self.learned_at_s:.0f} s"
        return forgotten._moved(moved_ms, DebounceCause.NOTHING_LEARNED, reason)

    def _moved(self, ms: int, cause: DebounceCause, reason: str) -> tuple[Debounce, DebounceChange | None]:
        if ms == self.ms:
            return self, None
        return Debounce(ms, self.learned_at_s), DebounceChange(self.ms, ms, cause, reason)


def to_mermaid(policy: DebouncePolicy) -> str:
    """Return the rule as the Mermaid flowchart that docs/concepts/turns.md shows."""
    low, high = (f"{share:.0%}".replace("%", " %") for share in policy.band)
    step = f"{policy.step_ms} ms"
    return (
        "\n".join([
            "flowchart TD",
            f'    wait["a pause waits the debounce<br>at first {policy.default_ms} ms"]',
            '    wait --> draft["a draft is begun"]',
            '    draft -- "the turn was over" --> kept["kept"]',
            '    draft -- "the user went on" --> dropped["dropped"]',
            f'    kept --> rate{{"dropped of the last {policy.window}"}}',
            "    dropped --> rate",
            f'    rate -- "fewer than {policy.min_samples} known" --> same["stays"]',
            f'    rate -- "{low} to {high}" --> same',
            f'    rate -- "over {high}" --> longer["{step} longer<br>at most {policy.ceiling_ms} ms"]',
            f'    rate -- "under {low}" --> shorter["{step} shorter<br>at least {policy.floor_ms} ms"]',
            '    longer --> anew["count anew"]',
            "    shorter --> anew",
            "    anew --> wait",
            "    same --> wait",
            f'    wait -- "nothing learned for {policy.decay_after_s:g} s" --> '
            f'back["{step} back towards {policy.default_ms} ms"]',
            "    back --> anew",
        ])
        + "\n"
    )
