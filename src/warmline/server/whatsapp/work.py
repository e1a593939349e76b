"""The life of one message, from its webhook to its answer: steps of a job, on a thread of its own.

Each step is done once; what it came to is kept by the engine, and what was understood, answered and
spoken in the store, so that a job that is cut short anywhere pays for nothing twice. A message that
may or may not have been sent is not sent again before WhatsApp has had time to tell of it.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any, Final, ParamSpec

from anyio.from_thread import BlockingPortal

from warmline.channels.whatsapp.failure_kinds import GraphFailureKind
from warmline.channels.whatsapp.failures import GraphFailure, GraphUnavailable, status_failure
from warmline.channels.whatsapp.incoming import IncomingMessage, MessageKind
from warmline.channels.whatsapp.messages import template_message, text_message, voice_note_message
from warmline.channels.whatsapp.retrying import Confirm, Pause, Wait, next_step
from warmline.channels.whatsapp.splitting import split_text
from warmline.channels.whatsapp.window import is_open
from warmline.errors import InputError, ProviderError
from warmline.server.whatsapp.agent import MessageAgent
from warmline.server.whatsapp.engine import JobEngine, Stopping
from warmline.server.whatsapp.policy import MessagePolicy
from warmline.store.messages import Job, JobState, Messages
from warmline.store.outbox import Outbox, SendState

__all__ = ["PAUSE", "MessageWork"]

_log = logging.getLogger(__name__)

PAUSE: Final = "whatsapp"
"""What stands still while the token is no good."""

_LOOK_S: Final = 0.25
"""How often a job that waits for something else looks whether it has come."""

_AGAIN_S: Final = (1.0, 4.0, 15.0)
"""When a provider that did not answer is asked again; failover has tried each leg by then."""

_ASIDE: Final = 900
"""The part of a message that is no answer: an apology, or a template."""

_P = ParamSpec("_P")
_Outcome = tuple[str, Any, float]
"""What a step came to: a kind of failure or `done`, the reason or the result, and a number from 0 to 1."""

_DONE: Final = "done"
_INPUT: Final = "input"
_PROVIDER: Final = "provider"
_REFUSED: Final = "provider_refused"


@dataclass
class _Undone(Exception):
    """A step that can't be done; never leaves this module."""

    kind: str
    reason: str


class MessageWork:
    """Does jobs; called on the engine's threads, several at once. Keeps nothing between them."""

    def __init__(
        self,
        engine: JobEngine,
        portal: BlockingPortal,
        agent: MessageAgent,
        messages: Messages,
        outbox: Outbox,
        policy: MessagePolicy,
        now_s: Callable[[], float],
    ) -> None:
        """Prepare.

        Args:
            engine: Keeps what is done.
            portal: To the event loop.
            agent: Lives there.
            messages: The messages.
            outbox: What is sent.
            policy: The operator's choices.
            now_s: The wall clock, in seconds since 1970.
        """
        self._engine = engine
        self._portal = portal
        self._agent = agent
        self._messages = messages
        self._outbox = outbox
        self._policy = policy
        self._now_s = now_s

    def __call__(self, job_id: str) -> None:
        """Do a job, or the rest of it.

        Raises:
            Stopping: the process ends; the rest is done by the next one.
        """
        job = self._messages.get(job_id)
        if job is None or job.message == "{}":
            return  # Forgotten meanwhile.
        try:
            message = IncomingMessage.from_json(job.message)
            # What is kept by the engine: a setting that is changed meanwhile must not change the steps.
            speaks, template = self._engine.step("begin", lambda: self._begin(message, job_id))
            state, reason = self._do(job, message, speaks=speaks, template=template)
        except _Undone as undone:
            state, reason = JobState.FAILED, undone.reason
        except Exception as bug:  # noqa: BLE001 - it ends this job, and no other
            _log.exception("whatsapp.job_failed", extra={"job": job_id})
            state, reason = JobState.FAILED, f"a mistake of warmline's own: {type(bug).__name__}; see the log"
        self._engine.step("end", lambda: self._end(job_id, state, reason))

    def _begin(self, message: IncomingMessage, job_id: str) -> tuple[bool, str]:
        self._messages.change(job_id, state=JobState.WORKING)
        return self._policy.speaks_to(message), self._policy.template

    def _do(self, job: Job, message: IncomingMessage, *, speaks: bool, template: str) -> tuple[JobState, str]:
        if message.kind in (MessageKind.REACTION, MessageKind.NOTICE):
            return JobState.IGNORED, f"a {message.type} wants no answer"
        self._deliver_held(job, template)
        self._try_best("mark read", self._agent.mark_read, message)
        if message.kind in (MessageKind.MEDIA, MessageKind.OTHER) and not message.text:
            self._say(job, message, self._policy.not_readable)
            return JobState.ANSWERED, f"a message of type {message.type}: it was asked for words"
        try:
            text = self._heard(job, message)
            if not text.strip():
                self._say(job, message, self._policy.not_understood)
                return JobState.ANSWERED, "no words were heard in it"
            if self._engine.step("wants to be forgotten", lambda: self._policy.is_to_forget(text)):
                self._engine.step("forget", lambda: self._messages.forget(job.user_key, up_to=job))
                self._say(job, message, self._policy.forgotten)
                return JobState.ANSWERED, "everything said before was deleted, as was asked for"
            answer = self._answered(job, message, text)
            reason = self._spoken(job, message, answer) if speaks else ""
        except _Undone as undone:
            words = self._policy.not_understood if undone.kind == _INPUT else self._policy.apology
            return JobState.FAILED, self._apologised(job, message, words, undone.reason)
        return self._deliver(job, message, template, reason)

    def _heard(self, job: Job, message: IncomingMessage) -> str:
        """Return the person's words.

        Raises:
            _Undone: they could not be understood.
        """
        if message.kind is not MessageKind.AUDIO:
            self._engine.step("heard", lambda: self._messages.change(job.id, heard=message.text))
            return message.text

        def hear() -> None:
            if self._kept(job.id).heard is None:
                self._messages.change(job.id, heard=self._on_loop(self._agent.hear, message))

        self._tried("hear", hear)
        return self._kept(job.id).heard or ""

    def _answered(self, job: Job, message: IncomingMessage, text: str) -> str:
        def answer() -> None:
            if self._kept(job.id).answer is None:
                before = self._messages.history(job, self._policy.history)
                said = self._on_loop(self._agent.answer, message, before, text)
                self._messages.change(job.id, answer=said)

        self._tried("answer", answer)
        return self._kept(job.id).answer or ""

    def _spoken(self, job: Job, message: IncomingMessage, answer: str) -> str:
        """Speak the answer; return why it is written instead, if so."""

        def speak() -> None:
            if not self._outbox.note_count(job.id):
                self._outbox.keep_notes(job.id, self._on_loop(self._agent.speak, message, answer))

        try:
            self._tried("speak", speak)
        except _Undone as undone:
            return f"written, because it could not be spoken: {undone.reason}"
        return ""

    def _deliver(
        self, job: Job, message: IncomingMessage, template: str, reason: str = ""
    ) -> tuple[JobState, str]:
        """Send the answer that is kept; return what became of it."""
        if not self._engine.step("window", lambda: self._is_window_open(job)):
            return self._hold(job, message, template)
        spoken = self._engine.step("count", lambda: self._outbox.note_count(job.id))
        texts = [] if spoken else split_text(self._kept(job.id).answer or "")
        count = spoken or len(texts)
        if not count:
            return JobState.FAILED, self._apologised(
                job, message, self._policy.apology, "the answer was empty"
            )
        for part in range(count):
            try:
                self._send_part(job, message, part, texts[part] if texts else None)
            except _Undone as undone:
                if undone.kind == GraphFailureKind.WINDOW_CLOSED.value and not part:
                    return self._hold(job, message, template)
                why = f"part {part + 1} of {count} could not be sent: {undone.reason}"
                return (JobState.PARTLY if part else JobState.FAILED), why
        self._engine.step("tidy", lambda: self._outbox.drop_notes(job.id))
        return JobState.ANSWERED, reason

    def _send_part(self, job: Job, message: IncomingMessage, part: int, text: str | None) -> None:
        """Send a part of an answer, written or as the note that is kept.

        Raises:
            _Undone: it could not be sent.
        """
        reply_to = message.id if not part else ""
        self._engine.step(f"intend {part}", lambda: self._intend(job.id, part))

        def body(send_id: str, media_id: str) -> dict[str, Any]:
            if text is not None:
                return text_message(message.to, text, callback_data=send_id, reply_to=reply_to)
            return voice_note_message(message.to, media_id, callback_data=send_id, reply_to=reply_to)

        if text is None:
            self._tried(f"upload {part}", lambda: self._upload(job, part))
        self._tried_to_send(job, part, body)

    def _upload(self, job: Job, part: int) -> None:
        send = self._outbox.intend(job.id, part)
        note = self._outbox.note(job.id, part)
        if send.state is SendState.READY and not send.media_id and note is not None:
            self._outbox.uploaded(send.id, self._on_loop(self._agent.upload, job.phone_number_id, note))

    def _tried_to_send(self, job: Job, part: int, body: Callable[[str, str], dict[str, Any]]) -> None:
        """Send, so that it arrives once.

        Raises:
            _Undone: it does not arrive.
        """
        tries = 0
        while True:
            outcome = self._attempt(f"send {part}", tries, lambda: self._send(job, part, body))
            if outcome[0] == _DONE:
                return
            tries = self._after(outcome, tries, f"send {part}", sending=True, confirm=(job.id, part))

    def _send(self, job: Job, part: int, body: Callable[[str, str], dict[str, Any]]) -> None:
        send = self._outbox.intend(job.id, part)
        if send.state is SendState.ACCEPTED:
            return
        if send.state is SendState.FAILED:
            raise status_failure(send.error_code, send.error_title)
        if send.state is SendState.CALLING or not self._outbox.begin_call(send.id, self._now_s()):
            raise GraphUnavailable(
                "sending a message at WhatsApp: an earlier try was cut short",
                kind=GraphFailureKind.UNKNOWN_OUTCOME,
                phase="first_result",
            )
        try:
            message_id = self._on_loop(self._agent.send, job.phone_number_id, body(send.id, send.media_id))
        except GraphFailure as failure:
            if failure.kind is not GraphFailureKind.UNKNOWN_OUTCOME:
                self._outbox.take_back(send.id)
            raise
        self._outbox.accepted(send.id, message_id, self._now_s())

    def _is_told_of(self, job_id: str, part: int, within_s: float) -> bool:
        """Wait for a status of a message that may have been sent; if none comes, let it be sent again."""
        deadline_s = self._now_s() + within_s
        while True:
            send = self._outbox.intend(job_id, part)
            if send.state is not SendState.CALLING:
                return True
            if self._now_s() >= deadline_s:
                self._outbox.take_back(send.id)
                return False
            self._engine.pause(_LOOK_S)

    def _hold(self, job: Job, message: IncomingMessage, template: str) -> tuple[JobState, str]:
        """Keep the answer until the person writes again; ask them to, if there is a template for that."""
        why = "nothing may be sent 24 hours after their last message: it is sent when they write again"
        language = self._policy.template_language
        if not template:
            return JobState.HELD, why

        def body(send_id: str, _: str) -> dict[str, Any]:
            return template_message(message.to, template, language, callback_data=send_id)

        try:
            self._engine.step("intend template", lambda: self._intend(job.id, _ASIDE))
            self._tried_to_send(job, _ASIDE, body)
        except _Undone as undone:
            return JobState.HELD, f"{why}; the template could not be sent: {undone.reason}"
        return JobState.HELD, f"{why}; the template {template} was sent"

    def _deliver_held(self, job: Job, template: str) -> None:
        """Send what was held for this person, who has written again."""
        held = self._engine.step("held", lambda: self._held_for(job))
        for each in held:
            earlier = self._messages.get(each)
            if earlier is None or earlier.message == "{}":
                continue
            state, reason = self._deliver(earlier, IncomingMessage.from_json(earlier.message), template)
            if state is not JobState.HELD:
                self._engine.step("end held", lambda: self._end(each, state, reason))  # noqa: B023 - done now

    def _held_for(self, job: Job) -> list[str]:
        held = self._messages.listed(states=[JobState.HELD], user_key=job.user_key)
        return [
            each.id
            for each in sorted(held, key=lambda each: each.sent_s)
            if each.phone_number_id == job.phone_number_id
        ]

    def _apologised(self, job: Job, message: IncomingMessage, words: str, reason: str) -> str:
        """Say that it failed; return why it did, and why that could not be said, if so."""
        if words:
            try:
                self._say(job, message, words)
            except _Undone as undone:
                return f"{reason}; and they could not be told: {undone.reason}"
        return reason

    def _say(self, job: Job, message: IncomingMessage, words: str) -> None:
        """Write something that is no answer.

        Raises:
            _Undone: it could not be sent.
        """
        if not self._engine.step("window", lambda: self._is_window_open(job)):
            raise _Undone(GraphFailureKind.WINDOW_CLOSED.value, "24 hours have passed since they wrote")
        self._engine.step("intend words", lambda: self._intend(job.id, _ASIDE))
        self._tried_to_send(
            job, _ASIDE, lambda send_id, _: text_message(message.to, words, callback_data=send_id)
        )

    def _tried(self, name: str, act: Callable[[], None]) -> None:
        """Do a step, again where that may help.

        Raises:
            _Undone: it can't be done.
        """
        tries = 0
        while True:
            outcome = self._attempt(name, tries, act)
            if outcome[0] == _DONE:
                return
            tries = self._after(outcome, tries, name)

    def _try_best(self, name: str, act: Callable[_P, Any], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Do what the answer does not depend on; only a token that is no good stops it."""
        outcome = self._attempt(name, 0, lambda: self._on_loop(act, *args, **kwargs))
        if outcome[0] == GraphFailureKind.TOKEN.value:
            self._after(outcome, 0, name)

    def _attempt(self, name: str, tries: int, act: Callable[[], object]) -> _Outcome:
        named = f"{name}, again {tries}" if tries else name
        return self._engine.step(named, lambda: _outcome(act))

    def _after(
        self,
        outcome: _Outcome,
        tries: int,
        name: str,
        *,
        sending: bool = False,
        confirm: tuple[str, int] | None = None,
    ) -> int:
        """Wait for what has to be waited for after a failure; return how many tries count by now.

        Raises:
            _Undone: no other try will help.
        """
        kind, reason, chance = outcome
        if kind == _PROVIDER and tries < len(_AGAIN_S):
            self._engine.wait(f"wait for {name} {tries}", _AGAIN_S[tries], self._now_s)
            return tries + 1
        if kind in (_PROVIDER, _INPUT, _REFUSED):
            raise _Undone(kind, reason)
        match next_step(GraphFailureKind(kind), tries + 1, sending=sending, chance=chance):
            case Wait(seconds=seconds):
                self._engine.wait(f"wait for {name} {tries}", seconds, self._now_s)
            case Pause():
                self._engine.step("pause", lambda: self._stand_still(reason))
                self._engine.step("resume", self._until_resumed)
                return tries
            case Confirm(within_s=within_s) if confirm is not None:
                job_id, part = confirm
                self._engine.step(f"confirm {part} {tries}", lambda: self._is_told_of(job_id, part, within_s))
            case _:
                raise _Undone(kind, reason)
        return tries + 1

    def _stand_still(self, reason: str) -> None:
        if self._messages.pause(PAUSE, reason, self._now_s()):
            _log.error("whatsapp.stands_still", extra={"problem": reason})

    def _until_resumed(self) -> None:
        while self._messages.pause_reason(PAUSE) is not None:
            self._engine.pause(4 * _LOOK_S)

    def _is_window_open(self, job: Job) -> bool:
        last_s = self._messages.last_sent_s(job.user_key, job.phone_number_id)
        return is_open(last_s or job.received_s, self._now_s())

    def _intend(self, job_id: str, part: int) -> None:
        self._outbox.intend(job_id, part)

    def _kept(self, job_id: str) -> Job:
        job = self._messages.get(job_id)
        assert job is not None, "rows stay"
        return job

    def _end(self, job_id: str, state: JobState, reason: str) -> None:
        finished_s = None if state is JobState.HELD else self._now_s()
        self._messages.change(job_id, state=state, reason=reason, finished_s=finished_s)
        _log.info("whatsapp.job_over", extra={"job": job_id, "state": state.value, "reason": reason})

    def _on_loop(self, act: Callable[_P, Any], *args: _P.args, **kwargs: _P.kwargs) -> Any:
        """Do something on the event loop.

        Raises:
            Stopping: the process ends.
        """
        self._engine.check()
        try:
            return self._portal.call(lambda: act(*args, **kwargs))
        except CancelledError:
            raise Stopping from None
        except RuntimeError:
            self._engine.check()
            raise


def _outcome(act: Callable[[], object]) -> _Outcome:
    """Return what a step comes to, as it is kept."""
    chance = random.random()
    try:
        return _DONE, act(), chance
    except GraphFailure as failure:
        return failure.kind.value, str(failure), chance
    except InputError as problem:
        return _INPUT, str(problem), chance
    except ProviderError as problem:
        return (_PROVIDER if problem.retryable else _REFUSED), str(problem), chance
