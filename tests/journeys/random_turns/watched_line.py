"""A channel whose far end plays what it is sent, and which knows what was heard of each reply.

What must always hold of a session's sound, events and figures is checked here, as they come. Nothing
is raised in the session's calls: `problems` says what was wrong.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Final

from tests.journeys.random_turns.far_ends import SOUND, Chunks
from tests.journeys.random_turns.figures import counted, wrong_figures
from tests.journeys.random_turns.sounding import Heard, Reply
from warmline.core.formats import PCM_16K, PCMU_8K, AudioFormat
from warmline.interfaces.channel import (
    Conversation,
    EndReason,
    FloorChanged,
    PartialTranscript,
    ReplyAudioDone,
    ReplyDone,
    ReplyResumed,
    ReplyStarted,
    ReplyStatus,
    ReplyText,
    SessionEvent,
    SessionFailure,
    SpeechStarted,
    SpeechStopped,
    Telephone,
    TurnMeasured,
    UserTurn,
)
from warmline.testing.virtual_time import LoopClock
from warmline.timeline.report import TurnReport, TurnStatus
from warmline.turns.floor import TRANSITIONS, Floor

_SLACK_S: Final = 0.005
APOLOGY: Final = "Sorry, that went wrong."
_TOO_LATE_S: Final = 0.05
_MOVES: Final = {(before, after) for (before, _), after in TRANSITIONS.items()}

_STATUS: Final = {
    TurnStatus.COMPLETED: ReplyStatus.COMPLETED,
    TurnStatus.INTERRUPTED: ReplyStatus.INTERRUPTED,
    TurnStatus.CANCELLED: ReplyStatus.CANCELLED,
    TurnStatus.FAILED: ReplyStatus.FAILED,
}


class WatchedLine:
    """A channel; give it the session as `conversation` before it runs."""

    telephone: Telephone | None = None
    input_format: AudioFormat = PCM_16K
    is_ringing = False
    least_lead_s = 0.0

    def __init__(
        self,
        rng: random.Random,
        chunks: Chunks,
        *,
        says_text_alone: bool = False,
        is_telephone: bool = False,
        is_ringing: bool = False,
    ) -> None:
        self.reports_playout = rng.random() < 0.7
        self.input_format = PCMU_8K if is_telephone else PCM_16K
        self.sound = PCMU_8K if is_telephone else SOUND
        self.output_format: AudioFormat | None = None if says_text_alone else self.sound
        self.is_ringing = is_ringing
        self.never_reports = self.reports_playout and rng.random() < 0.1
        self.report_s = rng.choice((0.0, 0.01, 0.03, 0.08)) if self.reports_playout else 0.0
        self.progresses = rng.random() < 0.3
        self.truncates = self.reports_playout and rng.random() < 0.5
        self.tells_resumes = rng.random() < 0.5
        self.conversation: Conversation | None = None
        self.floor = Floor.OPEN
        self.problems: list[str] = []
        self.trace: list[tuple[float, object]] = []
        self.counts: Counter[str] = Counter()
        self.replies: dict[str, Reply] = {}
        self.current: Reply | None = None
        self.answers_by_itself = True
        self.is_requesting = False
        """Whether the client is just asking for a reply: one that only plays still is left to play on."""

        self.was_asked = False
        """Whether the client asked for an answer to the turn in progress."""

        self.awaits_reply_to: UserTurn | None = None
        self.spoken: dict[str, str] = {}
        """Spoken turns that are not over, by item, with the words so far."""

        self.unwanted: UserTurn | None = None
        """A spoken turn that nobody wants answered, just over."""

        self.turns: list[UserTurn] = []
        self.ended: EndReason | None = None
        self._chunks = chunks
        self._plays_until_s = 0.0
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def problem(self, text: str) -> None:
        self.problems.append(f"{LoopClock().now_s():.3f}: {text}")
        self.trace.append((LoopClock().now_s(), f"!!! {text}"))

    def answer(self, audio_format: AudioFormat) -> None:
        """Have the person pick up; the audio is in this format, whatever was expected."""
        assert self.conversation is not None
        self.trace.append((LoopClock().now_s(), f"answers, in {audio_format}"))
        self.is_ringing = False
        self.input_format = audio_format
        if self.output_format is not None:
            self.sound = self.output_format = PCMU_8K if audio_format == PCMU_8K else SOUND
        self.conversation.answered()
        self.counts["answered"] += 1

    def send(self, event: SessionEvent) -> None:
        self.trace.append((LoopClock().now_s(), event))
        if self.is_ringing and not (isinstance(event, SessionFailure) or event == FloorChanged(Floor.CLOSED)):
            self.problem(f"{type(event).__name__} while it rings")
        if self.ended is not None:
            self.problem(f"{type(event).__name__} after the end")
        if self.awaits_reply_to is not None and not isinstance(event, FloorChanged | ReplyStarted):
            self.problem(f"{self.awaits_reply_to} is not answered")
            self.awaits_reply_to = None
        match event:
            case FloorChanged(floor=floor):
                if (self.floor, floor) not in _MOVES:
                    self.problem(f"the floor moved from {self.floor} to {floor}")
                self.floor = floor
            case SpeechStarted(item_id=item_id):
                self.spoken.setdefault(item_id, "")
            case SpeechStopped():
                self.counts["pauses"] += 1
            case PartialTranscript(item_id=item_id, text=text):
                self.spoken[item_id] = text
            case UserTurn():
                self._end_turn(event)
            case ReplyStarted():
                self._begin(event)
            case ReplyText(reply_id=reply_id, delta=delta):
                if self.replies[reply_id].done is not None:
                    self.problem("words of a reply that was done")
                self.replies[reply_id].text += delta
            case ReplyResumed():
                self._resume(event)
            case ReplyAudioDone(reply_id=reply_id, duration_ms=duration_ms):
                self.replies[reply_id].whole_ms = duration_ms
                self.replies[reply_id].whole_at_s = LoopClock().now_s()
                self._expect_end(self.replies[reply_id])
            case ReplyDone():
                self._done(event)
            case TurnMeasured(report=report):
                self._measured(report)
            case SessionFailure(code=code):
                self.counts[code] += 1
            case _:
                pass

    def play(self, reply_id: str, audio: bytes) -> None:
        now_s = LoopClock().now_s()
        reply = self.replies.get(reply_id)
        if self.ended is not None or reply is None or reply is not self.current:
            self.problem("sound of a reply that is not the agent's turn")
            return
        if reply.is_stopped and reply.was_played:
            self.problem("sound of a reply that was stopped and not resumed")
        reply.is_stopped = False
        chunk = self._chunks.of(audio, self.sound)
        if chunk is None:
            self.problem("a piece of sound was put together wrongly")
            return
        self.trace.append((now_s, ("plays", chunk, len(audio))))
        samples = len(audio) // self.sound.encoding.sample_bytes
        if wrong := reply.send(chunk, samples):
            self.problem(wrong)
        begins_s = max(self._plays_until_s, now_s)
        if begins_s > reply.begins_s + reply.plays_s + 1e-6 or not reply.was_played:
            reply.from_s = reply.from_s + reply.plays_s
            reply.begins_s, reply.plays_s = begins_s, 0.0
        if not reply.was_played or reply.tells_start:
            self._report(reply, "started", begins_s)
            reply.tells_start = False
        reply.plays_s += samples / SOUND.rate_hz
        reply.was_played = True
        self._plays_until_s = begins_s + samples / SOUND.rate_hz
        if self.progresses and "progressed" not in self._timers and reply.position_s(now_s) > 0:
            self._report(reply, "progressed", now_s)
        self._expect_end(reply)

    def stop_playout(self, reply_id: str) -> None:
        now_s = LoopClock().now_s()
        self.trace.append((now_s, f"stop {reply_id}"))
        reply = self.replies.get(reply_id)
        if reply is None:
            self.problem("a stop of a reply that nobody knows")
            return
        self._cancel_timers()
        if any(
            other.is_left_playing and other.begins_s + other.plays_s > now_s
            for other in self.replies.values()
        ):
            self.counts["left playing"] += 1
        self._plays_until_s = now_s
        told_s = reply.begins_s + reply.plays_s + self.report_s
        if (
            self.reports_playout
            and not self.never_reports
            and reply.was_played
            and now_s > told_s + _TOO_LATE_S
        ) and reply.text.endswith(APOLOGY):
            self.problem(f"an apology kept the floor {now_s - told_s:.3f} s longer than it was heard")
        reply.is_stopped = True
        for each in self.replies.values():
            # A page has one loudspeaker: what an earlier reply left in it is dropped as well.
            each.stop(now_s)
        if self.truncates and reply.was_played:
            self._report(reply, "truncated", now_s)

    def close(self, reason: EndReason) -> None:
        self.ended = reason
        self._cancel_timers()
        self.trace.append((LoopClock().now_s(), reason))

    def heard_at(self, reply: Reply, now_s: float) -> Heard:
        """Return how much can be known to be heard: reports take their time."""
        at_s = reply.position_s(now_s)
        return Heard(
            reply.words_by(at_s - self.report_s - _SLACK_S),
            reply.words_by(at_s + _SLACK_S, at_most=True),
        )

    def _end_turn(self, turn: UserTurn) -> None:
        self.turns.append(turn)
        self.counts["turns"] += 1
        self.counts["telephone turns"] += self.input_format == PCMU_8K
        if not turn.spoken:
            self.awaits_reply_to = turn
            self.unwanted = None
            return
        said = self.spoken.pop(turn.item_id, "")
        if turn.text != said and turn.text:
            self.problem(f"the turn is {turn.text!r}, and {said!r} was recognised")
        if not turn.text:
            self.counts["no turn"] += 1
        is_wanted = self.answers_by_itself or self.was_asked
        self.was_asked = False
        self.unwanted = turn if turn.text and not is_wanted else None
        if turn.text and is_wanted:
            self.awaits_reply_to = turn

    def _begin(self, started: ReplyStarted) -> None:
        if self.current is not None:
            self.problem("a reply began while another was not over")
        if self.unwanted is not None and not self.is_requesting:
            self.problem(f"{self.unwanted} is answered, and nobody asked for that")
        self.current = Reply(started.reply_id, started.item_id)
        self.current.answers = self.awaits_reply_to
        self.awaits_reply_to = None
        self.replies[started.reply_id] = self.current
        self.counts["replies"] += 1

    def _resume(self, resumed: ReplyResumed) -> None:
        reply = self.replies[resumed.reply_id]
        self.counts["resumed"] += 1
        if not reply.is_stopped or reply is not self.current:
            self.problem("a reply was resumed that was not paused")
        reply.is_stopped = False
        from_s = resumed.from_ms / 1000
        starts_s = reply.word_starts_s
        at_s = reply.from_s
        if at_s >= reply.sent_s - _SLACK_S:
            starts_s.append(reply.sent_s)  # The next word had not been sent.
        reached = [start_s for start_s in starts_s if start_s <= at_s + _SLACK_S] or [0.0]
        surely = [start_s for start_s in starts_s if start_s <= at_s - self.report_s - _SLACK_S] or [0.0]
        if not any(abs(from_s - start_s) < 0.001 for start_s in [*starts_s, 0.0]):
            self.problem(f"it goes on at {from_s}, where no word begins")
        if not surely[-1] - 0.001 <= from_s <= reached[-1] + 0.001:
            self.problem(f"it goes on at {from_s}, and was stopped at {at_s}: {starts_s}")
        reply.rewind(from_s, LoopClock().now_s())
        reply.tells_start = self.tells_resumes
        if (timer := self._timers.pop("truncated", None)) is not None:
            timer.cancel()
        if resumed.until_ms is not None:
            reply.whole_ms = resumed.until_ms

    def _done(self, done: ReplyDone) -> None:
        reply = self.replies[done.reply_id]
        if reply.done is not None:
            self.problem("a reply was done twice")
        reply.done = done
        # What was told and never spoken is left out where an apology takes its place.
        if done.text != reply.text.strip() and not (
            done.status is ReplyStatus.FAILED or done.text.endswith(APOLOGY)
        ):
            self.problem(f"done with {done.text!r}, and {reply.text.strip()!r} was told")

    def _measured(self, report: TurnReport) -> None:
        reply = self.replies[report.reply_id]
        for wrong in wrong_figures(report):
            self.problem(wrong)
        if report.status is TurnStatus.PLAYING:
            return
        if reply.final is not None:
            reply.final = report  # Corrected: the far end has said how much was heard.
            return
        reply.final = report
        self.counts += counted(report)
        if reply is not self.current:
            self.problem("a reply was over that is not the agent's turn")
        self.current = None
        if reply.done is None:
            self.problem("a reply was over before it was done")
        elif not (reply.done.status is _STATUS[report.status] or reply.done.status is ReplyStatus.COMPLETED):
            self.problem(f"a reply was done as {reply.done.status}, and over as {report.status}")
        reply.is_left_playing = self.is_requesting and not reply.is_stopped
        self._check_heard(reply, report)

    def _check_heard(self, reply: Reply, report: TurnReport) -> None:
        words, heard = report.reply_text.split(), report.heard_text.split()
        if words[: len(heard)] != heard:
            self.problem(f"heard {heard}, which is not the beginning of {words}")
        if reply.sounded != words[: len(reply.sounded)]:
            self.problem(f"it sounded {reply.sounded}, which is not the beginning of {words}")
        heard_at_s = max(reply.begins_s + reply.plays_s, reply.whole_at_s)
        late_s = LoopClock().now_s() - heard_at_s - self.report_s
        is_told = (
            self.reports_playout and not self.never_reports and reply.was_played and not reply.is_stopped
        )
        if is_told and late_s > _SLACK_S and report.status is TurnStatus.COMPLETED:
            self.problem(f"it was over {late_s:.3f} s after its last sound was heard")
        if self.output_format is None or reply.is_left_playing:
            reply.heard = Heard(len(words), len(words))
        else:
            reply.heard = self.heard_at(reply, LoopClock().now_s())
            if report.status is TurnStatus.COMPLETED:
                reply.heard = Heard(len(words), reply.heard.most)
        if not reply.heard.least <= len(heard) <= reply.heard.most:
            self.problem(
                f"{report.status}: the context holds {len(heard)} words of {len(words)}, "
                f"{reply.heard.least} to {reply.heard.most} were heard"
            )

    def _expect_end(self, reply: Reply) -> None:
        if reply.whole_ms is not None and reply.was_played and reply.sent_s * 1000 >= reply.whole_ms - 1:
            self._report(reply, "finished", reply.begins_s + reply.plays_s)

    def _report(self, reply: Reply, what: str, at_s: float) -> None:
        if not self.reports_playout or self.never_reports or self.ended is not None:
            return
        conversation = self.conversation
        assert conversation is not None
        now_s = LoopClock().now_s()
        report: Callable[[], object]
        match what:
            case "started":
                report = lambda: conversation.playout_started(reply.reply_id)  # noqa: E731
            case "progressed":
                played_ms = int(reply.position_s(now_s) * 1000)
                report = lambda: conversation.playout_progressed(reply.reply_id, played_ms)  # noqa: E731
            case "truncated":
                stopped_ms = int(reply.position_s(now_s) * 1000)
                report = lambda: self._truncate(reply, stopped_ms)  # noqa: E731
            case _:
                report = lambda: conversation.playout_finished(reply.reply_id)  # noqa: E731
        if (before := self._timers.get(what)) is not None:
            before.cancel()
        delay_s = max(at_s - now_s, 0.0) + self.report_s
        self._timers[what] = asyncio.get_running_loop().call_later(delay_s, self._tell, what, report)

    def _tell(self, what: str, report: Callable[[], object]) -> None:
        self.trace.append((LoopClock().now_s(), f"reports {what}"))
        self._timers.pop(what, None)
        try:
            report()
        except Exception as error:  # noqa: BLE001 - the run is told of it
            self.problem(f"a report of playout raised {error!r}")

    def _truncate(self, reply: Reply, played_ms: int) -> None:
        assert self.conversation is not None
        if self.conversation.playout_truncated(reply.item_id, played_ms):
            self.counts["truncated"] += 1
            least = reply.words_by(played_ms / 1000 - 0.001)
            reply.heard = Heard(least, reply.words_by(played_ms / 1000 + 0.001, at_most=True))

    def _cancel_timers(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
