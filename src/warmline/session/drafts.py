"""The guesses that the turn is over: begun, adopted, dropped, and what is learned from them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from warmline.interfaces.llm import Message, Role
from warmline.session.context import ContextItem
from warmline.session.replies import Replies
from warmline.session.reply import Reply
from warmline.session.stage import Stage
from warmline.session.utterances import SpokenTurn
from warmline.timeline.marks import Mark
from warmline.timeline.notes import DraftReport, NoteKind, Waste
from warmline.timeline.timeline import microseconds
from warmline.turns.debounce import Debounce, DebounceChange, DraftOutcome
from warmline.turns.draft import DraftEvent, DraftState, next_draft_state
from warmline.turns.drafting import DraftAction, DraftingPolicy, DraftTrigger, Pause, Spent, decide_draft

__all__ = ["Drafts"]

_MINUTE_S: Final = 60.0

_LEARNED: Final = {
    DraftEvent.COMMITTED: DraftOutcome.KEPT,
    DraftEvent.COMMITTED_OTHERWISE: DraftOutcome.DROPPED,
    DraftEvent.USER_WENT_ON: DraftOutcome.DROPPED,
    DraftEvent.WORDS_CHANGED: DraftOutcome.DROPPED,
}
"""What an end says about the length of pauses; of the others nothing is learned."""


@dataclass
class _Draft:
    """One guess."""

    reply: Reply
    spoken: SpokenTurn
    text: str
    trigger: DraftTrigger
    began_s: float
    state: DraftState = DraftState.MAKING


class Drafts:
    """A session's drafts, of which at most one is under way.

    What changes here: `_draft`, and what was learned and wasted; all in methods that do not await.
    """

    def __init__(self, stage: Stage, replies: Replies) -> None:
        """Prepare.

        Args:
            stage: The session's; without `settings.drafting` there are no drafts.
            replies: Who makes them.
        """
        self._stage = stage
        self._replies = replies
        self._policy: DraftingPolicy | None = stage.settings.drafting
        policy = self._policy or DraftingPolicy()
        self._debounce = Debounce.initial(stage.clock.now_s(), policy.debounce)
        self._draft: _Draft | None = None
        self._wasted: deque[tuple[float, int]] = deque()

    @property
    def debounce_ms(self) -> int:
        """How long a pause must be by now before a draft is begun on a partial."""
        return self._debounce.ms

    def consider(self, spoken: SpokenTurn, pause: Pause) -> None:
        """Begin a draft for what was said so far, if it is time for one.

        A draft for other words is dropped first.
        """
        if self._policy is None:
            return
        if self._draft is not None:
            if self._stage.settings.fits(self._draft.text, pause.text):
                return
            self.drop(DraftEvent.WORDS_CHANGED)
        now_s = self._stage.clock.now_s()
        if not spoken.was_considered:
            spoken.was_considered = True
            self._debounce, change = self._debounce.decayed(now_s, self._policy.debounce)
            self._note_change(spoken, change)
            spoken.timeline.debounce_ms = self._debounce.ms
        spent = Spent(spoken.drafts, self._wasted_lately(now_s))
        language = self._stage.settings.language
        decision = decide_draft(pause, spent, self._debounce.ms, self._policy, language)
        if decision.action is DraftAction.BEGIN:
            spoken.timeline.note(NoteKind.DRAFT_BEGUN, now_s, decision.text)
            self._begin(spoken, pause, now_s)
        elif spoken.waits_for is not decision.reason:
            spoken.timeline.note(NoteKind.DRAFT_WAITS, now_s, decision.text)
        spoken.waits_for = decision.reason

    def commit(self, spoken: SpokenTurn, asked: ContextItem) -> bool:
        """Make the draft the answer to a turn that is committed; False if there is none that fits.

        The floor is the agent's already.
        """
        draft = self._draft
        if draft is None:
            return False
        if draft.spoken is not spoken or not self._stage.settings.fits(draft.text, asked.message.text):
            self.drop(DraftEvent.COMMITTED_OTHERWISE)
            return False
        self._end(draft, DraftEvent.COMMITTED)
        self._replies.adopt(draft.reply, spoken.timeline, asked)
        return True

    def drop(self, event: DraftEvent) -> None:
        """Cancel the draft, if there is one: its model stream, its speech and its held sound."""
        draft = self._draft
        if draft is None:
            return
        self._replies.discard(draft.reply)
        cost = draft.reply.cost
        self._wasted.append((self._stage.clock.now_s(), cost.prompt_tokens + cost.tokens))
        self._end(draft, event)

    def _begin(self, spoken: SpokenTurn, pause: Pause, now_s: float) -> None:
        asked = ContextItem(spoken.item_id, Message(Role.USER, pause.text, spoken.alternatives))
        branch = spoken.timeline.branch()
        branch.record(Mark.DRAFT_BEGUN, now_s)
        reply = self._replies.draft(branch, asked, self._audio_made, self._failed)
        self._draft = _Draft(reply, spoken, pause.text, pause.trigger, now_s)
        spoken.drafts += 1

    def _audio_made(self) -> None:
        if self._draft is not None:
            self._draft.state = next_draft_state(self._draft.state, DraftEvent.AUDIO_MADE)

    def _failed(self, reason: str) -> None:
        if self._draft is not None:
            now_s = self._stage.clock.now_s()
            self._draft.spoken.timeline.note(NoteKind.SETBACK, now_s, f"a draft could not be made: {reason}")
        self.drop(DraftEvent.PROVIDER_FAILED)

    def _end(self, draft: _Draft, event: DraftEvent) -> None:
        """Note how the draft ended, and learn from it."""
        self._draft = None
        draft.state = next_draft_state(draft.state, event)
        now_s = self._stage.clock.now_s()
        is_adopted = draft.state is DraftState.ADOPTED
        timeline = draft.spoken.timeline
        timeline.ended_draft(
            DraftReport(
                draft.trigger.value,
                event.value,
                microseconds(draft.began_s),
                microseconds(now_s),
                Waste() if is_adopted else draft.reply.cost,
            )
        )
        kind = NoteKind.DRAFT_ADOPTED if is_adopted else NoteKind.DRAFT_DROPPED
        timeline.note(kind, now_s, event.value)
        outcome = _LEARNED.get(event)
        if outcome is not None and self._policy is not None:
            self._debounce, change = self._debounce.after(outcome, now_s, self._policy.debounce)
            self._note_change(draft.spoken, change)

    def _note_change(self, spoken: SpokenTurn, change: DebounceChange | None) -> None:
        if change is not None:
            text = f"{change.before_ms} -> {change.after_ms} ms: {change.reason}"
            spoken.timeline.note(NoteKind.DEBOUNCE_CHANGED, self._stage.clock.now_s(), text)

    def _wasted_lately(self, now_s: float) -> int:
        while self._wasted and self._wasted[0][0] < now_s - _MINUTE_S:
            self._wasted.popleft()
        return sum(tokens for _, tokens in self._wasted)
