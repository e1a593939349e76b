"""A reply spoken by whichever voice speaks it: what one leaves unspoken is spoken by another attempt."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import anyio
from anyio.abc import TaskGroup

from warmline.core.clock import Clock
from warmline.core.formats import AudioFormat
from warmline.core.line_use import OnLine
from warmline.core.setback import OnSetback, ProviderRole
from warmline.errors import ProviderError, ProviderUnavailable
from warmline.failover.attempts import Attempt, Source
from warmline.failover.legs import FailoverState, Leg
from warmline.failover.patience import Wait
from warmline.failover.relay import Relay
from warmline.failover.remainder import BEGUN_MS, clause_in_progress, has_words, next_word
from warmline.failover.running import relayed
from warmline.failover.shared_text import SharedText
from warmline.failover.speech import Speech
from warmline.interfaces.tts import SpeechChunk, SpokenWord, TextToSpeech, Voice

__all__ = ["LegsVoice", "SpeakingLegs"]

_CLOSE_S: Final = 2.0
"""How long giving back voices that have failed may take."""


class SpeakingLegs:
    """A `TextToSpeech` of several that stand in for each other."""

    def __init__(self, legs: Sequence[Leg[TextToSpeech]], state: FailoverState, clock: Clock) -> None:
        """Prepare.

        Args:
            legs: In the operator's order; at least one.
            state: The process's.
            clock: The session's.
        """
        self._legs = legs
        self._state = state
        self._clock = clock

    def open(self, audio_format: AudioFormat | None = None) -> LegsVoice:
        """Return a session's voice, at once; every leg gets ready behind the scenes."""
        return LegsVoice(self._legs, self._state, self._clock, audio_format)


class LegsVoice:
    """One session's voice, which is that of the first leg that works.

    What changes here: a leg's voice, when it failed in a reply.
    """

    def __init__(
        self,
        legs: Sequence[Leg[TextToSpeech]],
        state: FailoverState,
        clock: Clock,
        audio_format: AudioFormat | None,
    ) -> None:
        self._legs = legs
        self._state = state
        self._clock = clock
        self._audio_format = audio_format
        self._voices: dict[str, Voice] = {leg.name: leg.provider.open(audio_format) for leg in legs}

    @asynccontextmanager
    async def speak(
        self,
        clauses: AsyncIterator[str],
        audio_format: AudioFormat,
        on_line: OnLine | None = None,
        on_setback: OnSetback | None = None,
    ) -> AsyncIterator[AsyncIterator[SpeechChunk]]:
        """Return a stream of a reply's audio; as `Voice.speak`.

        Where a voice is mute, stalls, breaks off or refuses, the rest is spoken on another line of
        the same leg or by the next leg, from the first word that had not begun to sound. The last
        word that had may be cut short. Of a voice that does not tell its words' places, the clause
        that was being spoken is spoken again.

        Args:
            clauses: The reply's text as it comes.
            audio_format: What the chunks hold, whoever speaks.
            on_line: Told of each connection that is used.
            on_setback: Told of what goes wrong.

        Raises:
            ProviderError: from iterating; nobody was left who could go on.
        """
        spare = _Voices(self._legs, self._voices, self._audio_format)
        reply = _Reply(
            self._legs, self._state, self._clock, clauses, audio_format, spare, on_line, on_setback
        )
        try:
            async with relayed(reply, reply.pieces()) as chunks:
                yield chunks
        finally:
            await spare.aclose()

    async def aclose(self) -> None:
        """Give back every leg's voice."""
        voices = [*self._voices.values()]
        self._voices.clear()
        for voice in voices:
            await voice.aclose()


class _Voices:
    """The voices that one reply may use: the session's, and others where those fail.

    What changes here: who was used, opened, distrusted and kept; the session's voices, in `aclose`.
    """

    def __init__(
        self, legs: Sequence[Leg[TextToSpeech]], session: dict[str, Voice], audio_format: AudioFormat | None
    ) -> None:
        self._legs = {leg.name: leg for leg in legs}
        self._session = session
        self._audio_format = audio_format
        self._used: set[str] = set()
        self._opened: list[Voice] = []
        self._kept = dict(session)
        self._distrusted: list[Voice] = []

    def of(self, leg: str, *, is_again: bool) -> Voice:
        """Return the session's voice; one on another line, if that was used in this reply."""
        if is_again or leg in self._used:
            voice = self._legs[leg].provider.open(self._audio_format)
            self._opened.append(voice)
            return voice
        self._used.add(leg)
        return self._session[leg]

    def keep(self, leg: str, voice: Voice) -> None:
        """Have the session speak with a voice from now on."""
        self._kept[leg] = voice

    def distrust(self, voice: Voice) -> None:
        """Have nobody speak with a voice any more."""
        self._distrusted.append(voice)

    async def aclose(self) -> None:
        """Give back what is not kept, and have others in the place of what is not to be."""
        for leg, voice in self._kept.items():
            if leg not in self._session:
                continue  # The session has given its voices back.
            if any(voice is bad for bad in self._distrusted):
                voice = self._legs[leg].provider.open(self._audio_format)
            if voice is not self._session[leg]:
                self._opened.append(self._session[leg])
                self._session[leg] = voice
        with anyio.move_on_after(_CLOSE_S, shield=True):
            for voice in self._opened:
                if all(voice is not kept for kept in self._session.values()):
                    await voice.aclose()


class _Reply(Relay[TextToSpeech, SpeechChunk]):
    """One reply.

    What changes here: how much of it was spoken, in `pieces`.
    """

    role = ProviderRole.TTS
    first_wait = Wait.TTS_FIRST_AUDIO
    stall_wait = Wait.TTS_STALL
    ahead = 4

    def __init__(
        self,
        legs: Sequence[Leg[TextToSpeech]],
        state: FailoverState,
        clock: Clock,
        clauses: AsyncIterator[str],
        audio_format: AudioFormat,
        voices: _Voices,
        on_line: OnLine | None,
        on_setback: OnSetback | None,
    ) -> None:
        super().__init__(legs, state, clock, on_setback)
        self._text = SharedText(clauses, clock, self.changed)
        self._audio_format = audio_format
        self._voices = voices
        self._on_line = on_line
        self._said_s = 0.0
        self._begun_to = 0
        self._ahead_words: list[SpokenWord] = []

    def start(self, tasks: TaskGroup) -> None:
        """Take the text, and have it spoken."""
        tasks.start_soon(self._text.run)
        super().start(tasks)

    async def pieces(self) -> AsyncGenerator[SpeechChunk, None]:
        """Yield the audio, each word with the chunk by which it has begun."""
        while (chunk := await self.next()) is not None:
            self.went_on()
            yield self._placed(chunk)
        if self._ahead_words:
            yield SpeechChunk(b"", tuple(self._ahead_words))
        if self._text.problem is not None:
            raise self._text.problem

    def source(self, leg: Leg[TextToSpeech], *, is_again: bool) -> Source[SpeechChunk]:
        """Return what speaks what has not begun to sound."""
        return Speech(
            self._voices.of(leg.name, is_again=is_again),
            self._text,
            self.clock,
            self._audio_format,
            place=self._unspoken(),
            said_s=self._said_s,
            on_line=self._on_line,
            on_change=self.changed,
        )

    def owed_since_s(self, attempt: Attempt[TextToSpeech, SpeechChunk]) -> float | None:
        """Return since when there should have been audio, or the end."""
        owed_s = None if attempt.is_full else _speech(attempt).owed_since_s()
        return None if owed_s is None else max(owed_s, attempt.quiet_since_s)

    def is_piece(self, piece: SpeechChunk) -> bool:
        """Return whether there is anything in it."""
        return bool(piece.audio or piece.words)

    def wrong_end(self, attempt: Attempt[TextToSpeech, SpeechChunk]) -> ProviderError | None:
        """Return what is wrong with an end before the text's, or without a sound."""
        speech = _speech(attempt)
        if not speech.is_told_the_end:
            problem = "it ended before the text did"
        elif speech.audio_s == 0 and has_words(self._text.text[speech.place :]):
            problem = "it ended without a sound"
        else:
            return None
        phase = "stream" if speech.audio_s else "first_result"
        return ProviderUnavailable(
            f"speaking by {attempt.leg.name}: {problem}", provider=attempt.leg.name, phase=phase
        )

    def leads(self, attempt: Attempt[TextToSpeech, SpeechChunk]) -> None:
        """Go on with another voice; words that have not begun, it tells of itself."""
        self._voices.keep(attempt.leg.name, _speech(attempt).voice)
        self._ahead_words.clear()

    def lost(self, attempt: Attempt[TextToSpeech, SpeechChunk]) -> None:
        """Have the next reply spoken on another line."""
        self._voices.distrust(_speech(attempt).voice)

    async def until_begun(self) -> None:
        """Return when there is something to say."""
        await self._text.begun.wait()

    def _placed(self, chunk: SpeechChunk) -> SpeechChunk:
        assert self.leader is not None
        speech = _speech(self.leader)
        offset_ms = round(speech.said_s * 1000)
        self._said_s += self._audio_format.duration_s(len(chunk.audio))
        self._ahead_words += [
            replace(
                word,
                text_start=word.text_start + speech.place,
                text_end=word.text_end + speech.place,
                start_ms=word.start_ms + offset_ms,
            )
            for word in chunk.words
        ]
        begun_ms = self._said_s * 1000 - BEGUN_MS
        begun = tuple(word for word in self._ahead_words if word.start_ms <= begun_ms)
        self._ahead_words = [word for word in self._ahead_words if word.start_ms > begun_ms]
        self._begun_to = max([self._begun_to, *(word.text_end for word in begun)])
        return SpeechChunk(chunk.audio, begun)

    def _unspoken(self) -> int:
        """Return where the text begins that has not begun to sound."""
        if self.leader is None:
            return 0
        speech = _speech(self.leader)
        used_s = self._said_s - speech.said_s
        if speech.words_end is not None or used_s == 0:
            return next_word(self._text.text, max(self._begun_to, speech.place))
        return clause_in_progress(speech.clauses, used_s)


def _speech(attempt: Attempt[TextToSpeech, SpeechChunk]) -> Speech:
    assert isinstance(attempt.source, Speech)
    return attempt.source
