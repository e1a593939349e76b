"""A telephone call as a session's channel, whichever network it is on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from warmline.channels.telephone.keys import KeyCollector, keys_text
from warmline.channels.telephone.marking import Cut, MarkedPlayout, Outgoing, Played, SendAudio
from warmline.channels.telephone.media import (
    KeyPressed,
    MarkReached,
    MediaAudio,
    MediaEvent,
    MediaProblem,
    MediaSocket,
    MediaStarted,
    MediaStopped,
    MediaWire,
)
from warmline.channels.telephone.reordering import Reordering
from warmline.channels.telephone.sinks import MediaSink, StreamSink
from warmline.core.clock import Clock
from warmline.core.formats import AudioFormat
from warmline.interfaces.channel import (
    Conversation,
    EndReason,
    ReplyAudioDone,
    ReplyResumed,
    ReplyStarted,
    SessionEvent,
    Telephone,
)

__all__ = ["TelephoneChannel"]

_log = logging.getLogger(__name__)

_NORMAL: Final = 1000
"""RFC 6455: the connection has done what it was for. What the network makes of the call is asked of it
by a command, and not by this code."""


class TelephoneChannel:
    """One call. Implements `warmline.interfaces.channel.Channel`.

    It exists from before the phone is answered. What is played while there is no media stream waits for
    one; nothing is lost when a stream breaks off and is replaced. Where none is to be had, another sink can
    play it, and what the person says comes as words.

    What changes here: the stream (`_stream`, `_reordering`) in `connect`, `take`, `stream_lost` and at the
    end; what plays in its place (`_stand_in`), in `play_through`, `_start` and at the end; what was sent of
    replies, in `_playout`; the keys that were pressed; all on the event loop.
    """

    def __init__(
        self,
        wire: MediaWire,
        clock: Clock,
        *,
        telephone: Telephone | None = None,
        on_event: Callable[[SessionEvent], None] | None = None,
        holds_back: bool = False,
    ) -> None:
        """Prepare; there is no stream yet.

        Args:
            wire: How this call's stream is written.
            clock: The session's.
            telephone: What else the call can do.
            on_event: Told of everything the session says, when the channel has done its part.
            holds_back: Whether nothing is said, and nobody is heard, before `let_in` either: it is still to
                be found out who answered.
        """
        self.end_reason: EndReason | None = None
        """Why the session ended; None before that."""

        self._wire = wire
        self._clock = clock
        self._telephone = telephone
        self._on_event = on_event or _nothing
        self._conversation: Conversation | None = None
        self._stream: StreamSink | None = None
        self._stand_in: MediaSink | None = None
        self._reordering: Reordering | None = None
        """Of the stream that has started; None if there is none."""

        self._input_format = wire.output_format
        self._playout = MarkedPlayout(wire.output_format)
        self._keys = KeyCollector()
        self._keys_timer: asyncio.TimerHandle | None = None
        self._is_ringing = True
        self._holds_back = holds_back

    @property
    def telephone(self) -> Telephone | None:
        """What it can do beside speech, if somebody said so."""
        return self._telephone

    @property
    def input_format(self) -> AudioFormat:
        """As the stream says; until it starts, what it is asked for."""
        return self._input_format

    @property
    def output_format(self) -> AudioFormat | None:
        """What the far end was asked to take."""
        return self._wire.output_format

    @property
    def reports_playout(self) -> bool:
        """By marks."""
        return True

    @property
    def least_lead_s(self) -> float:
        """What plays in place of a media stream may need more than the session's own choice."""
        return self._sink.least_lead_s if self._sink is not None else 0.0

    @property
    def is_ringing(self) -> bool:
        """True until a media stream has started, or something plays in its place, and nobody is held back."""
        return self._is_ringing

    @property
    def is_streaming(self) -> bool:
        """Whether there is a media stream that has started, and not ended."""
        return self._reordering is not None

    def attach(self, conversation: Conversation) -> None:
        """Say whose channel it is; before the person speaks, or what they say is lost."""
        self._conversation = conversation
        if not self._is_ringing:
            conversation.answered()

    def let_in(self) -> None:
        """Let whoever answered hear and be heard, if the channel `holds_back`."""
        self._holds_back = False
        if self._sink is not None:
            self._answer()

    def connect(self, socket: MediaSocket) -> None:
        """Take a socket on which a media stream is about to start; the one before is forgotten."""
        self.stream_lost()
        self._stream = StreamSink(self._wire, socket)

    def play_through(self, sink: MediaSink) -> None:
        """Play through `sink` until a media stream starts, which closes it; there is none now.

        Nobody's audio comes in then: what the person says is told by `heard_words` and `pressed`.
        """
        if self.end_reason is not None:
            sink.close(_NORMAL, self.end_reason.value)
            return
        self._stand_in = sink
        self._begin()

    def receive(self, message: bytes) -> MediaEvent | None:
        """Take one text message from the socket; return what it says, or None if that is nothing.

        Raises:
            RemoteProtocolError: it is no such message, and changed nothing. With the code
                `unsupported_codec` the stream will not start.
        """
        event = self._wire.decode(message)
        if event is not None:
            self.take(event)
        return event

    def take(self, event: MediaEvent) -> None:
        """Take what a message said, for one that was decoded by `wire` already."""
        match event:
            case MediaAudio():
                if self._reordering is not None and self._conversation is not None:
                    for audio in self._reordering.push(event):
                        self._conversation.receive_audio(audio)
            case MarkReached(name=name):
                self.mark_reached(name)
            case MediaStarted():
                self._start(event)
            case KeyPressed(digit=digit):
                self.pressed(digit)
            case MediaProblem(code=code, title=title):
                _log.warning("media.refused", extra={"code": code, "title": title})
            case MediaStopped():
                # Mostly the call is over, too; whoever made the channel is told that by the network.
                self.stream_lost()

    def stream_lost(self) -> None:
        """Note that the stream is gone while the call goes on; `connect` brings another.

        What was not played yet is played there.
        """
        self._flush()
        self._stream = None

    # What is told of a call beside its stream, or in place of one.

    def heard_words(self, text: str, *, is_final: bool) -> None:
        """Take words that the network recognised: final ones are a turn, others may silence the agent."""
        if self._conversation is None or self._is_ringing or not text.strip():
            return
        if is_final:
            self._conversation.receive_text(text.strip())
        elif self._playout.is_playing:
            self._conversation.barge_in()

    def pressed(self, digit: str) -> None:
        """Take a key that the person pressed."""
        self._cancel_keys()
        now_s = self._clock.now_s()
        keys = self._keys.press(digit, now_s)
        if keys:
            self._tell_keys(keys)
        elif (due_at_s := self._keys.due_at_s) is not None:
            loop = asyncio.get_running_loop()
            self._keys_timer = loop.call_later(due_at_s - now_s, self._take_keys)

    def mark_reached(self, name: str) -> None:
        """Note that everything in front of a mark was played."""
        for played in self._playout.reached(name, self._clock.now_s()):
            self._report(played)

    def sound_changed(self, *, is_sounding: bool) -> None:
        """Note that playing goes on from here, or that nothing sounds just now."""
        self._playout.sounds(is_on=is_sounding, now_s=self._clock.now_s())

    # The session's side.

    def send(self, event: SessionEvent) -> None:
        """Note what concerns the sound; a telephone shows nothing."""
        match event:
            case ReplyStarted(reply_id=reply_id, item_id=item_id):
                self._playout.begin(reply_id, item_id)
            case ReplyResumed(reply_id=reply_id, item_id=item_id, from_ms=from_ms, until_ms=until_ms):
                self._playout.resume(reply_id, item_id, from_ms, until_ms)
            case ReplyAudioDone(reply_id=reply_id):
                self._send(self._playout.complete(reply_id))
            case _:
                pass
        self._on_event(event)

    def play(self, reply_id: str, audio: bytes) -> None:
        """Send audio of a reply, with marks between."""
        self._send(self._playout.add(reply_id, audio, self._clock.now_s()))

    def stop_playout(self, reply_id: str) -> None:
        """Have everything dropped that is not played, and report how much of the reply was."""
        stop = self._playout.stop(reply_id, self._clock.now_s())
        if stop.is_needed and self._sink is not None:
            self._sink.clear()
        for cut in stop.cuts:
            # The session is still inside the stop; it takes the figure when that is done.
            asyncio.get_running_loop().call_soon(self._report_cut, cut)

    def close(self, reason: EndReason) -> None:
        """Close the stream; the call is hung up by whoever made the channel."""
        if self.end_reason is not None:
            return
        self.end_reason = reason
        self._cancel_keys()
        sinks, self._stream, self._stand_in = (self._stream, self._stand_in), None, None
        self._reordering = None
        for sink in sinks:
            if sink is not None:
                sink.close(_NORMAL, reason.value)

    def _start(self, started: MediaStarted) -> None:
        if self.end_reason is not None:
            return
        self._input_format = started.audio_format
        self._reordering = Reordering(started.audio_format)
        stand_in, self._stand_in = self._stand_in, None
        if stand_in is not None:
            stand_in.close(_NORMAL, "a media stream has started")
        self._begin()

    @property
    def _sink(self) -> MediaSink | None:
        """What plays now; None if nothing does."""
        return self._stream if self.is_streaming else self._stand_in

    def _begin(self) -> None:
        """Go on through the sink that there is now."""
        self._send(self._playout.unplayed())
        if not self._holds_back:
            self._answer()

    def _answer(self) -> None:
        if self._is_ringing:
            self._is_ringing = False
            if self._conversation is not None:
                self._conversation.answered()

    def _flush(self) -> None:
        """End the stream's audio with what waits for its turn."""
        reordering, self._reordering = self._reordering, None
        if reordering is not None and self._conversation is not None:
            for audio in reordering.flush():
                self._conversation.receive_audio(audio)

    def _send(self, sends: list[Outgoing]) -> None:
        sink = self._sink
        if sink is None:
            return
        for send in sends:
            if isinstance(send, SendAudio):
                sink.play(send.audio)
            else:
                sink.mark(send.name, is_last=send.is_last)

    def _report(self, played: Played) -> None:
        conversation = self._conversation
        if conversation is None:
            return
        if played.is_first:
            conversation.playout_started(played.reply_id, played.began_at_s)
        if played.is_whole:
            conversation.playout_finished(played.reply_id)
        else:
            conversation.playout_progressed(played.reply_id, played.played_ms)

    def _report_cut(self, cut: Cut) -> None:
        # One that goes on already has its place from the session.
        if self._conversation is not None and self._playout.is_cut(cut.reply_id):
            self._conversation.playout_truncated(cut.item_id, cut.played_ms)

    def _take_keys(self) -> None:
        self._keys_timer = None
        # The timer's clock and ours may differ by a hair.
        due_at_s = self._keys.due_at_s
        if due_at_s is not None and (keys := self._keys.take_due(max(due_at_s, self._clock.now_s()))):
            self._tell_keys(keys)

    def _tell_keys(self, keys: str) -> None:
        if self._conversation is not None:
            self._conversation.receive_text(keys_text(keys))

    def _cancel_keys(self) -> None:
        timer, self._keys_timer = self._keys_timer, None
        if timer is not None:
            timer.cancel()


def _nothing(_: SessionEvent) -> None:
    """Do nothing."""
