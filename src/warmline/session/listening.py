"""The user's spoken turns: when one begins, when it is over, and what was said."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final, ParamSpec

import anyio

from warmline.core.ids import new_id
from warmline.core.setback import Setback
from warmline.errors import ProviderError
from warmline.interfaces.channel import (
    PartialTranscript,
    SessionFailure,
    SpeechStarted,
    SpeechStopped,
    UserTurn,
)
from warmline.interfaces.llm import Message, Role
from warmline.interfaces.retriever import Query
from warmline.interfaces.stt import Transcript, TurnHint, TurnHintKind
from warmline.session.context import ContextItem
from warmline.session.drafts import Drafts
from warmline.session.hearing import Heard, Hearing
from warmline.session.interruptions import Interruptions
from warmline.session.replies import Replies
from warmline.session.settings import Endpointing, Providers
from warmline.session.stage import Stage
from warmline.session.stt_line import SttLine
from warmline.session.utterances import SpokenTurn
from warmline.timeline.marks import Mark
from warmline.turns.draft import DraftEvent
from warmline.turns.floor import Floor, FloorEvent

__all__ = ["Listening"]

_P = ParamSpec("_P")

_STARVED_S: Final = 0.3
"""Beyond the endpoint's silence: how long no audio may come before that is taken for silence, as
when a person mutes the microphone in the middle of a word."""

_TELL_AGAIN_S: Final = 10.0
"""How long after saying that speech is being lost it is said again."""


class Listening:
    """A session's side of the user's speech.

    What changes here: `spoken`, the turn that is not committed yet; `_reply_wanted`, whether the
    client asked for an answer to it; `_utterances`; `_hearing`, until the first sound. All in methods
    that do not await.
    """

    def __init__(
        self, stage: Stage, replies: Replies, providers: Providers, on_crash: Callable[[Exception], None]
    ) -> None:
        """Open a stream to the voice activity detector; the recogniser's is opened by `run`.

        Args:
            stage: The session's.
            replies: Whom the user interrupts, and who answers.
            providers: Who listens.
            on_crash: Called when a callback of a provider met a bug of ours.
        """
        self.spoken: SpokenTurn | None = None
        self._stage = stage
        self._replies = replies
        self._detector = providers.vad
        self._on_crash = on_crash
        self._reply_wanted = False
        self._utterances = 0
        self._failure_told_at_s = float("-inf")
        self._drafts = Drafts(stage, replies)
        self._interruptions = Interruptions(stage, replies, self._give_back)
        self._recogniser = SttLine(
            providers.stt,
            self._guarded(self._transcribed),
            self._guarded(self._recogniser_failed),
            stage.clock,
            self._guarded(self._hinted) if stage.settings.endpointing is Endpointing.RECOGNISER else None,
            name=providers.stt_name,
            fallbacks=providers.stt_fallbacks,
            state=providers.failover,
            on_setback=self._guarded(self._recogniser_set_back),
            audio_format=stage.channel.input_format,
        )
        self._hearing = self._open_hearing()
        self._has_heard = False
        self.configure()

    async def run(self) -> None:
        """Keep the recogniser's line open until cancelled."""
        await self._recogniser.run()

    def close(self) -> None:
        """Stop listening."""
        self._drafts.drop(DraftEvent.SESSION_ENDED)
        self._hearing.close()

    def configure(self) -> None:
        """Follow the stage's turn settings, which have changed."""
        self._hearing.threshold = self._stage.turns.speech_threshold
        self._hearing.detects_turns = self._stage.turns.detects_turns

    def receive_audio(self, audio: bytes) -> None:
        """Take whole samples in the channel's format; runs per frame. While it rings nobody speaks to us."""
        if not self._has_heard:
            if self._stage.is_ringing:
                return
            self.follow_format()
            self._has_heard = True
        if self.spoken is None and not self._stage.turns.detects_turns:
            self._begin_turn(self._stage.clock.now_s())
        try:
            self._hearing.push(audio)
        except ProviderError as error:
            self._hearing_failed(error)

    def follow_format(self) -> None:
        """Expect what the channel now says that it takes in; nothing was heard yet."""
        audio_format = self._stage.channel.input_format
        if audio_format == self._hearing.audio_format:
            return
        try:
            hearing = self._open_hearing()
        except ProviderError as error:
            self._hearing_failed(error)
            return
        self._hearing.close()
        self._hearing = hearing
        self._recogniser.change_format(audio_format)
        self.configure()

    def clear(self) -> None:
        """Forget the speech of a turn that is not over yet."""
        if self.take_words() is None:
            return
        if self._replies.is_paused:
            self._replies.resume()  # As if nothing had been said.
            return
        if self._stage.floor is Floor.USER:
            self._stage.move(FloorEvent.SPEECH_STOPPED)
        if self._stage.floor is Floor.ENDPOINTING:
            self._stage.move(FloorEvent.TURN_KEPT)

    def take_words(self) -> str | None:
        """Give up the turn in progress for the words recognised so far; None if there is none."""
        spoken, self.spoken = self.spoken, None
        if spoken is None:
            return None
        self._reply_wanted = False
        self._drafts.drop(DraftEvent.TURN_GIVEN_UP)
        self._recogniser.discard_utterance()
        return spoken.text

    def commit(self) -> bool:
        """End the turn now, by the client's word; False if there is none."""
        spoken = self.spoken
        if spoken is None:
            return False
        if self._stage.floor not in (Floor.USER, Floor.ENDPOINTING):
            self._take_floor()
        if self._stage.floor is Floor.USER:
            self._stop_speech(spoken, self._hearing.audio_ms, self._stage.clock.now_s())
        self._interruptions.settle()
        self._reach_silence(spoken)
        return True

    def answer_when_over(self) -> bool:
        """Answer the turn in progress when it is over; False if there is none."""
        if self.spoken is None or self._stage.floor not in (Floor.USER, Floor.ENDPOINTING):
            return False
        self._reply_wanted = True
        return True

    def resume(self) -> None:
        """Give the floor to a user who was not let interrupt, and is still speaking."""
        if self._stage.floor is Floor.OPEN and self._stage.turns.detects_turns and self._hearing.is_speaking:
            self._speech_began(self._hearing.audio_ms, self._stage.clock.now_s())

    def _open_hearing(self) -> Hearing:
        stage = self._stage
        return Hearing(
            self._detector,
            self._recogniser,
            stage.clock,
            stop_ms=stage.settings.stop_ms,
            on_speech=self._guarded(self._speech_changed),
            on_silence=self._guarded(self._silence_grew),
            audio_format=stage.channel.input_format,
        )

    def _speech_changed(self, heard: Heard) -> None:
        if not self._stage.turns.detects_turns:
            return  # Found in audio from before the client took over.
        if heard.began:
            self._speech_began(heard.audio_ms, heard.at_s)
        elif self._stage.floor is Floor.USER and self.spoken is not None:
            self._stop_speech(self.spoken, heard.audio_ms, heard.at_s)

    def _speech_began(self, audio_ms: int, at_s: float) -> None:
        match self._stage.floor:
            case Floor.ENDPOINTING if self.spoken is not None:
                self._stage.move(FloorEvent.SPEECH_STARTED)
                self._drafts.drop(DraftEvent.USER_WENT_ON)
                self.spoken.timeline.resume_listening()
                self._begin_speech(self.spoken)
                self._interruptions.weigh(self.spoken, self._hearing)
            case Floor.THINKING | Floor.AGENT if not self._stage.turns.can_be_interrupted:
                pass
            case Floor.OPEN | Floor.THINKING | Floor.AGENT:
                spoken = self.spoken
                if spoken is None:
                    spoken = self._begin_turn(at_s)
                else:  # Begun before the client gave up ending turns itself: it goes on.
                    spoken.begin_speech(audio_ms)
                self._stage.send(SpeechStarted(spoken.item_id, audio_ms))
                self._take_floor()
                self._interruptions.weigh(spoken, self._hearing)
                self._stage.start(self._watch_for_starvation, spoken)
            case _:
                pass

    def _take_floor(self) -> None:
        """Give the user the floor; if the agent had it, this may be a barge-in."""
        self._interruptions.begin()
        self._stage.move(FloorEvent.SPEECH_STARTED)

    def _begin_turn(self, at_s: float) -> SpokenTurn:
        self.spoken = spoken = SpokenTurn(new_id("item"))
        spoken.timeline.record(Mark.SPEECH_STARTED, at_s)
        self._begin_speech(spoken)
        return spoken

    def _begin_speech(self, spoken: SpokenTurn) -> None:
        spoken.begin_speech(self._hearing.audio_ms)
        if self._recogniser.ends_turns and spoken.expects_more:
            return  # The recogniser's utterance spans the pause.
        self._utterances += 1
        spoken.begin_utterance(self._utterances)
        self._recogniser.begin_utterance(self._utterances)

    def _stop_speech(self, spoken: SpokenTurn, audio_ms: int, at_s: float) -> None:
        began_s = spoken.timeline.marks[Mark.SPEECH_STARTED] / 1_000_000
        spoken.timeline.record(Mark.SPEECH_ENDED, max(at_s, began_s))
        spoken.end_speech(audio_ms)
        if not self._recogniser.ends_turns:
            self._recogniser.finish_utterance()
        self._stage.move(FloorEvent.SPEECH_STOPPED)
        self._stage.send(SpeechStopped(spoken.item_id, audio_ms))

    def _silence_grew(self, silence_ms: int) -> None:
        spoken = self.spoken
        if spoken is None or self._stage.floor is not Floor.ENDPOINTING:
            return
        longest_ms = self._stage.turns.silence_ms
        if self._recogniser.ends_turns and spoken.text:
            longest_ms = max(self._stage.settings.longest_silence_ms, longest_ms)
        if silence_ms < longest_ms:
            self._consider_draft(spoken, silence_ms)
            return
        if self._recogniser.ends_turns and spoken.expects_more and not spoken.was_asked_for:
            spoken.was_asked_for = True
            self._recogniser.finish_utterance()
        self._reach_silence(spoken)

    def _consider_draft(self, spoken: SpokenTurn, silence_ms: int) -> None:
        is_answered = self._stage.turns.replies_by_itself or self._reply_wanted
        if is_answered and self._stage.turns.detects_turns and self._replies.current is None:
            self._drafts.consider(spoken, spoken.pause(silence_ms, self._stage.clock.now_s()))

    def _reach_silence(self, spoken: SpokenTurn) -> None:
        if Mark.SILENCE_REACHED in spoken.timeline:
            return
        spoken.timeline.record(Mark.SILENCE_REACHED, self._stage.clock.now_s())
        if spoken.is_final:
            self._commit(spoken)
        else:
            self._stage.start(self._commit_at_deadline, spoken)

    def _transcribed(self, transcript: Transcript) -> None:
        spoken = self.spoken
        if spoken is None or not spoken.take(transcript, self._stage.clock.now_s()):
            return
        self._stage.send(PartialTranscript(spoken.item_id, spoken.text))
        self._interruptions.weigh(spoken, self._hearing)
        if self.spoken is not spoken:
            return  # It was no turn.
        if self._replies.current is None:
            self._replies.retrieving.look_ahead(Query(spoken.text, spoken.alternatives))
        if spoken.is_final and Mark.SPEECH_ENDED in spoken.timeline:
            spoken.timeline.record_once(Mark.TRANSCRIPT_FINAL, self._stage.clock.now_s())
            if Mark.SILENCE_REACHED in spoken.timeline:
                self._commit(spoken)
                return
            if self._recogniser.ends_turns:
                return  # The word that the turn is over follows in the same call.
        self._consider_draft(spoken, self._hearing.silence_ms)

    def _hinted(self, hint: TurnHint) -> None:
        """Take what the recogniser thinks of the turn."""
        spoken = self.spoken
        now_s = self._stage.clock.now_s()
        if spoken is None or not spoken.has(hint.utterance):
            return
        match hint.kind:
            case TurnHintKind.EAGER_END:
                spoken.may_be_over(hint.confidence, now_s)
                self._consider_draft(spoken, self._hearing.silence_ms)
            case TurnHintKind.RESUMED:
                spoken.goes_on(now_s)
                self._drafts.drop(DraftEvent.USER_WENT_ON)
            case TurnHintKind.END if self._recogniser.ends_turns:
                is_speaking = self._hearing.is_speaking
                if self._stage.floor is Floor.USER:
                    self._stop_speech(spoken, self._hearing.audio_ms, now_s)
                    spoken.timeline.record_once(Mark.TRANSCRIPT_FINAL, now_s)
                if self._stage.floor is Floor.ENDPOINTING:
                    self._reach_silence(spoken)
                if is_speaking and self.spoken is None:
                    self._speech_began(self._hearing.audio_ms, now_s)
            case TurnHintKind.END:
                pass

    def _commit(self, spoken: SpokenTurn) -> None:
        """End the turn: into the context, and on to the answer if one is wanted."""
        self._interruptions.weigh(spoken, self._hearing, is_over=True)
        if self.spoken is not spoken:
            return  # It was no turn.
        self.spoken = None
        wanted = self._stage.turns.replies_by_itself or self._reply_wanted
        self._reply_wanted = False
        text = spoken.text
        self._stage.send(UserTurn(spoken.item_id, text, spoken=True, duration_s=spoken.speech_s))
        asked = ContextItem(spoken.item_id, Message(Role.USER, text, spoken.alternatives))
        if text:
            self._stage.context.add(asked)
        if text and wanted:
            self._stage.move(FloorEvent.TURN_COMMITTED)
            use = self._recogniser.use_since(spoken.timeline.marks[Mark.SPEECH_STARTED] / 1_000_000)
            if use is not None:
                spoken.timeline.used_line(use)
            if not self._drafts.commit(spoken, asked):
                self._replies.begin(spoken.timeline, asked)
        else:
            self._drafts.drop(DraftEvent.TURN_GIVEN_UP)
            self._stage.move(FloorEvent.TURN_KEPT)

    def _give_back(self, spoken: SpokenTurn) -> None:
        """Forget what was said during a reply and is no turn."""
        self.spoken = None
        self._reply_wanted = False
        self._recogniser.discard_utterance()
        self._stage.send(UserTurn(spoken.item_id, "", spoken=True, duration_s=spoken.speech_s))

    async def _commit_at_deadline(self, spoken: SpokenTurn) -> None:
        """Go on without the final transcript if it does not come."""
        await anyio.sleep(self._stage.settings.final_deadline_s)
        if self.spoken is spoken and Mark.SILENCE_REACHED in spoken.timeline:
            self._recogniser.discard_utterance()
            self._commit(spoken)

    async def _watch_for_starvation(self, spoken: SpokenTurn) -> None:
        """Take the absence of audio for silence: nothing else would end the turn."""
        while self.spoken is spoken:
            quiet_s = self._stage.turns.silence_ms / 1000 + _STARVED_S
            missing_s = self._stage.clock.now_s() - self._hearing.last_audio_at_s
            if missing_s < quiet_s:
                await anyio.sleep(quiet_s - missing_s)
                continue
            if self._stage.floor is Floor.USER:
                self._stop_speech(spoken, self._hearing.audio_ms, self._hearing.last_audio_at_s)
            self._reach_silence(spoken)
            return

    def _hearing_failed(self, error: ProviderError) -> None:
        """Say so once in a while; every frame may meet the same."""
        now_s = self._stage.clock.now_s()
        if now_s - self._failure_told_at_s >= _TELL_AGAIN_S:
            self._failure_told_at_s = now_s
            self._stage.send(SessionFailure("hearing_failed", f"Some speech was lost: {error}"))

    def _recogniser_set_back(self, setback: Setback) -> None:
        """Note what went wrong on the turn that it happened in; between turns nobody was kept waiting."""
        if self.spoken is not None:
            self.spoken.timeline.had_setback(setback)

    def _recogniser_failed(self, error: ProviderError) -> None:
        self._stage.send(
            SessionFailure("recogniser_failed", f"Speech is not being recognised just now: {error}")
        )

    def _guarded(self, call: Callable[_P, None]) -> Callable[_P, None]:
        """Let an error in a provider's callback end this session, and nothing else."""

        @functools.wraps(call)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> None:
            if self._stage.ended.is_set():
                return
            try:
                call(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - the session raises it from run()
                self._on_crash(error)

        return guarded
