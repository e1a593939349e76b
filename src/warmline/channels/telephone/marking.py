"""What was sent of replies, with marks between, and what of it was played. No I/O; instants are arguments.

A mark comes back when the audio in front of it was played, or was dropped by a clear. It is the only
thing that a telephone network tells of its playing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from warmline.core.formats import AudioFormat

__all__ = ["Cut", "MarkedPlayout", "Outgoing", "Played", "SendAudio", "SendMark", "Stop"]

_FRAME_S: Final = 0.02
"""The shortest audio that a message may hold, with Telnyx."""

_NOTICED_S: Final = _FRAME_S / 2
"""How long after its place a mark is met, on average: networks play frame by frame."""

_MARKED_S: Final = 0.2
"""From one mark to the next: how far a report of playing may lag, and one message for ten frames."""

_ROUNDING_MS: Final = 2.0
"""Places in a reply are told in whole milliseconds."""

_KEPT: Final = 8
"""Replies whose sound may still have to be stopped."""

_KEPT_PIECES: Final = 3_000
"""A minute of frames at least: what a network that returns no marks costs."""


@dataclass(frozen=True, slots=True)
class SendAudio:
    """Audio to be played behind what was sent before; 20 ms or more of it."""

    audio: bytes


@dataclass(frozen=True, slots=True)
class SendMark:
    """A mark behind what was sent before."""

    name: str
    is_last: bool = False
    """It stands at the end of a reply."""


Outgoing = SendAudio | SendMark


@dataclass(frozen=True, slots=True)
class Played:
    """So much of a reply is known to have been heard."""

    reply_id: str
    played_ms: int
    """Of the reply's sound."""

    is_first: bool
    """It was not known before that it is heard at all, or again after it was resumed."""

    is_whole: bool
    """That was its end."""

    began_at_s: float | None = None
    """If it is the first: about when its sound began, by the clock that instants are told by."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A reply was stopped after so much was heard."""

    reply_id: str
    item_id: str
    played_ms: int


@dataclass(frozen=True, slots=True)
class Stop:
    """What stopping comes to."""

    is_needed: bool
    """Something was sent that is not known to have been played."""

    cuts: Sequence[Cut]


@dataclass(slots=True)
class _Reply:
    reply_id: str
    item_id: str
    heard_ms: float = 0.0
    sent_ms: float = 0.0
    """How far into the reply's sound was sent."""

    until_ms: int | None = None
    """Where its sound ends; None if that will be said."""

    carried: bytes = b""
    """Less than a message may hold."""

    sent_at_s: float | None = None
    """When the first of it was sent, since it began or was resumed; None if other sound stood in front."""

    from_ms: float = 0.0
    """Where it began, or was resumed."""

    unmarked_bytes: int = 0
    """Sent behind the last mark."""

    has_sound: bool = False
    """Something came of it since it began, or was resumed."""

    is_marked: bool = False
    is_complete: bool = False
    is_reported: bool = False
    """As being heard, since it began or was resumed."""

    is_over: bool = False
    """Its end was heard, or it was stopped."""


@dataclass(slots=True)
class _Piece:
    """What was sent, and not reported as played yet."""

    reply: _Reply
    audio: bytes
    """Empty for a mark alone."""

    end_ms: float
    mark: str = ""
    is_last: bool = False

    def outgoing(self) -> list[Outgoing]:
        sends: list[Outgoing] = [SendAudio(self.audio)] if self.audio else []
        return [*sends, SendMark(self.mark, self.is_last)] if self.mark else sends


class MarkedPlayout:
    """A far end that plays replies one behind the other and returns marks.

    Of each reply, a mark stands behind its first 20 ms, about every 200 ms, and at its end. All that is
    not known to have been played is kept, so that it can be sent again on another stream.

    What changes here: pieces are added in `add` and `complete`, and go in `reached` and `stop`; what is
    known of a reply changes with them.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        """Prepare, for audio of one format."""
        self._format = audio_format
        self._frame_bytes = audio_format.size_bytes(_FRAME_S)
        self._marked_bytes = audio_format.size_bytes(_MARKED_S)
        self._replies: deque[_Reply] = deque(maxlen=_KEPT)
        self._pieces: deque[_Piece] = deque(maxlen=_KEPT_PIECES)
        self._marks = 0
        self._known_at_s: float | None = None
        """When it was known how far the reply that sounds is; None while that is not known."""

    @property
    def is_playing(self) -> bool:
        """Whether something was sent that is not known to have been played."""
        return bool(self._pieces)

    def begin(self, reply_id: str, item_id: str) -> None:
        """Expect a reply's sound."""
        self._replies.append(_Reply(reply_id, item_id))

    def resume(self, reply_id: str, item_id: str, from_ms: int, until_ms: int | None) -> None:
        """Expect more of a reply that was stopped: its sound from `from_ms` on, in milliseconds.

        Args:
            reply_id: Whose.
            item_id: Its.
            from_ms: Where it goes on.
            until_ms: Where it ends, if that is known; else `complete` says so.
        """
        found = self._find(reply_id)
        if found is not None:
            self._replies.remove(found)
        self._replies.append(_Reply(reply_id, item_id, from_ms, from_ms, until_ms, from_ms=from_ms))

    def add(self, reply_id: str, audio: bytes, now_s: float) -> list[Outgoing]:
        """Return what is to be sent for more of a reply's sound, whole samples."""
        reply = self._find(reply_id)
        if reply is None or reply.is_over:
            return []
        self._notice_dryness(reply, now_s)
        if not reply.has_sound:
            reply.sent_at_s = None if self._pieces else now_s
        reply.has_sound = True
        sends = self._cut_up(reply, audio)
        fed_ms = reply.sent_ms + self._ms(len(reply.carried))
        if reply.until_ms is not None and fed_ms >= reply.until_ms - _ROUNDING_MS:
            sends += self.complete(reply_id)
        return sends

    def complete(self, reply_id: str) -> list[Outgoing]:
        """Return what is to be sent when nothing more of a reply comes."""
        reply = self._find(reply_id)
        if reply is None or reply.is_over or reply.is_complete or not reply.has_sound:
            return []
        reply.is_complete = True
        tail, reply.carried = reply.carried, b""
        reply.sent_ms += self._ms(len(tail))
        if tail:
            tail += self._format.encoding.silent_byte * (self._frame_bytes - len(tail))
        return self._send(_Piece(reply, tail, reply.sent_ms, self._next_mark(), is_last=True))

    def reached(self, mark: str, now_s: float) -> list[Played]:
        """Return what a mark that came back tells; nothing if it stood behind what was cleared."""
        if not mark or all(piece.mark != mark for piece in self._pieces):
            return []
        played: dict[str, Played] = {}
        name = ""
        while name != mark:
            piece = self._pieces.popleft()
            name = piece.mark
            reply = piece.reply
            reply.heard_ms = piece.end_ms
            before = played.get(reply.reply_id)
            is_first = not reply.is_reported or (before is not None and before.is_first)
            began_at_s = before.began_at_s if before is not None else None
            if not reply.is_reported:
                began_at_s = _began_at_s(reply.sent_at_s, now_s, (piece.end_ms - reply.from_ms) / 1000)
            reply.is_reported = True
            reply.is_over = reply.is_over or piece.is_last
            played[reply.reply_id] = Played(
                reply.reply_id, round(piece.end_ms), is_first, piece.is_last, began_at_s
            )
        # With nothing left to play, what is sent next begins at an instant that nobody knows.
        self._known_at_s = now_s if self._pieces else None
        return list(played.values())

    def stop(self, reply_id: str, now_s: float) -> Stop:
        """Drop everything that is not played yet, and tell how much was heard.

        That is where the last mark stood, and as much further as there was time for, but no further than
        was sent. Replies that stand in front of this one are over as well; one behind it is to be stopped
        by itself.
        """
        was_playing = self.is_playing
        self._reckon(now_s)
        self._pieces.clear()
        self._known_at_s = None
        cuts = []
        for reply in self._replies if self._find(reply_id) else ():
            if reply.has_sound and not reply.is_over:
                cuts.append(Cut(reply.reply_id, reply.item_id, round(reply.heard_ms)))
            reply.is_over = True
            reply.carried = b""
            if reply.reply_id == reply_id:
                break
        return Stop(was_playing, cuts)

    def sounds(self, *, is_on: bool, now_s: float) -> None:
        """Take a far end's word that playing goes on from here, or that nothing sounds just now."""
        self._reckon(now_s)
        self._known_at_s = now_s if is_on and self._pieces else None

    def unplayed(self) -> list[Outgoing]:
        """Return everything that is not known to have been played, for a stream that has heard none of it."""
        self._known_at_s = None
        return [send for piece in self._pieces for send in piece.outgoing()]

    def is_cut(self, reply_id: str) -> bool:
        """Whether a reply was stopped, or has ended, and was not resumed."""
        reply = self._find(reply_id)
        return reply is None or reply.is_over

    def _reckon(self, now_s: float) -> None:
        """Take for heard what there was time for since it was known how far the reply that sounds is."""
        if self._pieces and self._known_at_s is not None:
            reply = self._pieces[0].reply
            reply.heard_ms = min(reply.heard_ms + (now_s - self._known_at_s) * 1000, reply.sent_ms)

    def _notice_dryness(self, reply: _Reply, now_s: float) -> None:
        """Reckon on from here if all that was sent of a reply must have been played by now."""
        if self._known_at_s is None or self._pieces[0].reply is not reply:
            return
        if reply.heard_ms + (now_s - self._known_at_s) * 1000 >= reply.sent_ms:
            reply.heard_ms = reply.sent_ms
            self._known_at_s = now_s

    def _cut_up(self, reply: _Reply, audio: bytes) -> list[Outgoing]:
        """Send as much as messages can be made of, and carry the rest over."""
        audio = reply.carried + audio
        sends: list[Outgoing] = []
        start = 0
        while len(audio) - start >= self._frame_bytes:
            until_mark = self._marked_bytes - reply.unmarked_bytes if reply.is_marked else 0
            piece = audio[start : start + max(until_mark, self._frame_bytes)]
            start += len(piece)
            reply.sent_ms += self._ms(len(piece))
            reply.unmarked_bytes += len(piece)
            has_mark = not reply.is_marked or reply.unmarked_bytes >= self._marked_bytes
            if has_mark:
                reply.is_marked = True
                reply.unmarked_bytes = 0
            sends += self._send(_Piece(reply, piece, reply.sent_ms, self._next_mark() if has_mark else ""))
        reply.carried = audio[start:]
        return sends

    def _send(self, piece: _Piece) -> list[Outgoing]:
        self._pieces.append(piece)
        return piece.outgoing()

    def _next_mark(self) -> str:
        self._marks += 1
        return str(self._marks)

    def _find(self, reply_id: str) -> _Reply | None:
        return next((reply for reply in self._replies if reply.reply_id == reply_id), None)

    def _ms(self, size_bytes: int) -> float:
        return self._format.duration_s(size_bytes) * 1000


def _began_at_s(sent_at_s: float | None, reached_at_s: float, played_s: float) -> float:
    """Return about when audio began to sound, from when it was sent and its mark came back.

    It was after the one, and so much before the other as was played in front of the mark. What is left
    between the two is the way there and the way back, which are taken to be as long as each other.
    """
    latest_s = reached_at_s - played_s - _NOTICED_S
    return latest_s if sent_at_s is None else sent_at_s + max(latest_s - sent_at_s, 0.0) / 2
