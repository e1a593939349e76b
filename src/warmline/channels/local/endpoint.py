"""A person at this machine's terminal as a session's channel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import anyio

from warmline.channels.local.speakers import Speaker
from warmline.core.formats import PCM_16K, PCM_24K, AudioFormat
from warmline.interfaces.channel import (
    Conversation,
    EndReason,
    ReplyAudioDone,
    ReplyResumed,
    ReplyStarted,
    SessionEvent,
)

__all__ = ["LocalChannel"]

_LOOK_S: Final = 0.01
"""How often the loudspeaker is asked how far it is, while a reply sounds."""


class LocalChannel:
    """Implements `warmline.interfaces.channel.Channel` on a `Speaker`.

    What changes here: the reply that sounds, and the audio of it that was handed over; `heard` grows
    when a reply is over.
    """

    def __init__(self, speaker: Speaker, on_event: Callable[[SessionEvent], None]) -> None:
        """Prepare; `run` watches the loudspeaker.

        Args:
            speaker: Not closed here.
            on_event: Told of everything the session says.
        """
        self.heard = bytearray()
        """All replies as far as they were played, 24 kHz pcm16, one behind the other."""

        self.end_reason: EndReason | None = None
        self._speaker = speaker
        self._on_event = on_event
        self._conversation: Conversation | None = None
        self._reply: ReplyStarted | None = None
        self._audio = bytearray()
        self._is_whole = False
        self._is_started = False
        self._from_s = 0.0

    @property
    def telephone(self) -> None:
        """It is none."""
        return None

    @property
    def input_format(self) -> AudioFormat:
        """16 kHz pcm16."""
        return PCM_16K

    @property
    def is_ringing(self) -> bool:
        """The person is here."""
        return False

    @property
    def output_format(self) -> AudioFormat | None:
        """24 kHz pcm16."""
        return PCM_24K

    @property
    def reports_playout(self) -> bool:
        """The loudspeaker is here, and can be asked."""
        return True

    @property
    def least_lead_s(self) -> float:
        """As the session has it."""
        return 0.0

    def attach(self, conversation: Conversation) -> None:
        """Say whose channel it is."""
        self._conversation = conversation

    async def run(self) -> None:
        """Report what is played, until cancelled."""
        while True:
            await anyio.sleep(_LOOK_S)
            if self._reply is not None and self._audio:
                self._look(self._reply)

    def send(self, event: SessionEvent) -> None:
        """Pass the event on."""
        if isinstance(event, ReplyStarted):
            self._keep()
            self._reply = event
            self._from_s = 0.0
        elif isinstance(event, ReplyResumed):
            self._reply = ReplyStarted(event.reply_id, event.item_id)
            self._from_s = event.from_ms / 1000
            self._is_whole = event.until_ms is not None
        elif isinstance(event, ReplyAudioDone):
            self._is_whole = True
        self._on_event(event)

    def play(self, reply_id: str, audio: bytes) -> None:
        """Play it."""
        self._audio += audio
        self._speaker.play(audio)

    def stop_playout(self, reply_id: str) -> None:
        """Be silent, and report how much had been heard."""
        reply, conversation = self._reply, self._conversation
        played_ms = round((self._from_s + self._keep()) * 1000)
        if reply is not None and conversation is not None:
            # The session is still inside the stop; it takes the figure when that is done.
            asyncio.get_running_loop().call_soon(conversation.playout_truncated, reply.item_id, played_ms)

    def close(self, reason: EndReason) -> None:
        """Note why the session ended."""
        self._keep()
        self.end_reason = reason

    def _look(self, reply: ReplyStarted) -> None:
        assert self._conversation is not None
        played_s = self._speaker.played_s
        if not self._is_started and played_s > 0:
            self._is_started = True
            self._conversation.playout_started(reply.reply_id)
        if self._is_whole and played_s >= PCM_24K.duration_s(len(self._audio)) - _LOOK_S:
            self._keep()
            self._conversation.playout_finished(reply.reply_id)

    def _keep(self) -> float:
        """End the reply that sounds; return the seconds of it that were heard."""
        total_s = PCM_24K.duration_s(len(self._audio))
        heard_s = min(self._speaker.played_s, total_s)
        self.heard += (
            self._audio[: PCM_24K.size_bytes(heard_s)] if total_s - heard_s > _LOOK_S else self._audio
        )
        self._speaker.stop()
        self._audio = bytearray()
        self._reply = None
        self._is_whole = self._is_started = False
        return heard_s
