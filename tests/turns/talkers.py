"""People who pause while they speak, by a seed."""

import random
from dataclasses import dataclass

from warmline.turns.debounce import Debounce, DebounceChange, DebouncePolicy, DraftOutcome


@dataclass(frozen=True)
class Talker:
    """Somebody's pauses inside a turn: how many on average, and how long (lognormal)."""

    pauses_per_turn: float
    median_ms: float
    spread: float

    def pauses_ms(self, draw: random.Random) -> list[float]:
        """Return the pauses of one turn; the silence at its end is not among them."""
        pauses = []
        while draw.random() < self.pauses_per_turn / (1 + self.pauses_per_turn):
            pauses.append(self.median_ms * draw.lognormvariate(0, self.spread))
        return pauses


BRISK = Talker(0.8, 350, 0.5)
AVERAGE = Talker(1.2, 450, 0.6)
THINKS_ALOUD = Talker(2.0, 550, 0.6)


@dataclass(frozen=True)
class Conversation:
    """What was measured."""

    debounces_ms: list[int]
    """As it stood after each turn."""

    outcomes: list[list[DraftOutcome]]
    """Of each turn's drafts."""

    changes: list[DebounceChange]

    def rate(self, last_turns: int) -> float:
        drafts = [outcome for turn in self.outcomes[-last_turns:] for outcome in turn]
        return drafts.count(DraftOutcome.DROPPED) / len(drafts)


def converse(
    talkers: list[Talker], turns: int, seed: int, policy: DebouncePolicy, *, adapts: bool = True
) -> Conversation:
    """Begin a draft in each pause that is as long as the debounce, and at the end of each turn."""
    draw = random.Random(seed)
    debounce = Debounce.initial(0.0, policy)
    measured = Conversation([], [], [])
    for turn in range(turns):
        pauses_ms = draw.choice(talkers).pauses_ms(draw)
        drafts = [DraftOutcome.DROPPED for pause_ms in pauses_ms if pause_ms >= debounce.ms]
        drafts.append(DraftOutcome.KEPT)
        for outcome in drafts if adapts else []:
            debounce, change = debounce.after(outcome, turn * 10.0, policy)
            if change is not None:
                measured.changes.append(change)
        measured.outcomes.append(drafts)
        measured.debounces_ms.append(debounce.ms)
    return measured
