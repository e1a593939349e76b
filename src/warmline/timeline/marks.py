"""The instants of a turn, and which of them can only come after which."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

__all__ = ["CAUSES", "Mark", "comes_after"]


class Mark(enum.Enum):
    """An instant on a turn's timeline."""

    SPEECH_STARTED = "speech_started"
    """The first sample of the user's speech arrived."""

    SPEECH_ENDED = "speech_ended"
    """The last sample of the user's speech that could be heard arrived."""

    SILENCE_REACHED = "silence_reached"
    """The silence was long enough, or the client said that the turn is over."""

    TRANSCRIPT_FINAL = "transcript_final"
    """The recogniser's last word on the turn."""

    TEXT_RECEIVED = "text_received"
    """A typed turn arrived."""

    REPLY_REQUESTED = "reply_requested"
    """The client asked for a reply, or the agent began one of its own accord."""

    RINGING = "ringing"
    """The call was not answered yet, and its greeting was asked for."""

    ANSWERED = "answered"
    """The person answered the call, and could hear from then on."""

    DRAFT_BEGUN = "draft_begun"
    """The reply was begun on the guess that the turn is over, or for a call that was still ringing."""

    TURN_COMMITTED = "turn_committed"
    """The turn is over and will be answered."""

    RETRIEVAL_STARTED = "retrieval_started"
    RETRIEVAL_DONE = "retrieval_done"
    """Passages, or the word that there are none; missing if the answer did not wait for them."""

    LLM_STARTED = "llm_started"
    """The model was asked."""

    LLM_FIRST_TEXT = "llm_first_text"
    """The model's first piece of text."""

    FIRST_CLAUSE = "first_clause"
    """Enough text to say."""

    TTS_STARTED = "tts_started"
    """The synthesiser was asked for the first clause."""

    TTS_FIRST_AUDIO = "tts_first_audio"
    AUDIO_SENT = "audio_sent"
    """The first audio was handed to the channel; a draft's is held until the turn is committed."""

    AUDIO_PLAYED = "audio_played"
    """The first sample left the person's loudspeaker, as reported; or was sent, as reckoned."""

    LLM_DONE = "llm_done"
    """The model's stream ended; speech began long before, and nothing waits for it."""

    TTS_DONE = "tts_done"
    """The last of the reply's audio was made."""

    BARGE_IN = "barge_in"
    """The user's speech was detected during the reply."""

    PLAYOUT_DONE = "playout_done"
    """The last sample was played, or playing was stopped."""


CAUSES: Final[Mapping[Mark, tuple[Mark, ...]]] = {
    Mark.SPEECH_STARTED: (),
    Mark.TEXT_RECEIVED: (),
    Mark.REPLY_REQUESTED: (),
    Mark.RINGING: (),
    Mark.ANSWERED: (),
    Mark.SPEECH_ENDED: (Mark.SPEECH_STARTED,),
    Mark.DRAFT_BEGUN: (Mark.SPEECH_STARTED, Mark.RINGING),
    Mark.SILENCE_REACHED: (Mark.SPEECH_ENDED,),
    Mark.TRANSCRIPT_FINAL: (Mark.SPEECH_ENDED,),
    Mark.TURN_COMMITTED: (
        Mark.SILENCE_REACHED,
        Mark.TRANSCRIPT_FINAL,
        Mark.TEXT_RECEIVED,
        Mark.REPLY_REQUESTED,
        Mark.ANSWERED,
    ),
    Mark.RETRIEVAL_STARTED: (Mark.SPEECH_STARTED, Mark.TEXT_RECEIVED, Mark.REPLY_REQUESTED),
    Mark.RETRIEVAL_DONE: (Mark.RETRIEVAL_STARTED,),
    Mark.LLM_STARTED: (
        Mark.SPEECH_STARTED,
        Mark.TEXT_RECEIVED,
        Mark.REPLY_REQUESTED,
        Mark.DRAFT_BEGUN,
        Mark.RETRIEVAL_DONE,
    ),
    Mark.LLM_FIRST_TEXT: (Mark.LLM_STARTED,),
    Mark.FIRST_CLAUSE: (Mark.LLM_FIRST_TEXT,),
    Mark.TTS_STARTED: (Mark.FIRST_CLAUSE,),
    Mark.TTS_FIRST_AUDIO: (Mark.TTS_STARTED,),
    Mark.AUDIO_SENT: (Mark.TTS_FIRST_AUDIO, Mark.TURN_COMMITTED),
    Mark.AUDIO_PLAYED: (Mark.AUDIO_SENT,),
    Mark.LLM_DONE: (Mark.LLM_STARTED,),
    Mark.TTS_DONE: (Mark.TTS_STARTED,),
    Mark.BARGE_IN: (Mark.TURN_COMMITTED,),
    Mark.PLAYOUT_DONE: (Mark.AUDIO_SENT, Mark.AUDIO_PLAYED),
}
"""What each mark is an effect of. At least one cause must be on the timeline before it, and none
that is there may be later."""


def comes_after(effect: Mark, cause: Mark) -> bool:
    """Return whether `effect` is never earlier than `cause`, whenever both happen."""
    return any(parent is cause or comes_after(parent, cause) for parent in CAUSES[effect])
