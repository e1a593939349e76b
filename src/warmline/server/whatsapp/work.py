"""The life of one message, from its webhook to its answer: steps of a job, on a thread of its own.

Each step is done once; what it came to is kept by the engine, and what was understood, answered and
spoken in the store, so that a job that is cut short anywhere pays for nothing twice. A message that
may or may not have been sent is not sent again before WhatsApp has had time to tell of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from anyio.from_thread import BlockingPortal

from warmline.channels.whatsapp.failure_kinds import GraphFailureKind
from warmline.channels.whatsapp.incoming import IncomingMessage, MessageKind
from warmline.channels.whatsapp.messages import template_message, text_message, voice_note_message
from warmline.channels.whatsapp.splitting import split_text
from warmline.channels.whatsapp.window import is_open
from warmline.server.whatsapp.agent import MessageAgent
from warmline.server.whatsapp.engine import JobEngine
from warmline.server.whatsapp.policy import ASIDE, MessagePolicy
from warmline.server.whatsapp.sending import Sending
from warmline.server.whatsapp.settling import WINDOW_CLOSED, settle
from warmline.server.whatsapp.timing import JobTiming, timing
from warmline.server.whatsapp.tries import INPUT, Mistake, Tries, Undone
from warmline.store.messages import Forgotten, Job, JobState, Messages
from warmline.store.outbox import Outbox

__all__ = ["MessageWork"]

_log = logging.getLogger(__name__)


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
        *,
        confirm_scale: float = 1.0,
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
            confirm_scale: How long a message that may have been sent is waited for, as a multiple of what
                `warmline.channels.whatsapp.retrying` says.
        """
        self._tries = Tries(engine, portal, messages, now_s)
        self._sending = Sending(engine, self._tries, agent, outbox, now_s, confirm_scale=confirm_scale)
        self._engine = engine
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
        if job is None or job.is_forgotten:
            return
        spent = JobTiming(job.received_s, self._now_s)
        if job.state is JobState.QUEUED and job.runs == 1:
            spent.note("queue", job.received_s, self._now_s())
        with timing(spent):
            self._through(job)
        _log.info("whatsapp.job_timed", extra={"job": job_id, "spans": spent.told()})

    def _through(self, job: Job) -> None:
        """Do all steps, whatever comes."""
        job_id = job.id
        try:
            message = IncomingMessage.from_json(job.message)
            # What is kept by the engine: a setting that is changed meanwhile must not change the steps.
            plan = self._engine.step("begin", lambda: self._begin(job, message))
            state, reason = self._do(job, message, *plan)
        except Forgotten:
            return
        except Undone as undone:
            state, reason = JobState.FAILED, undone.reason
        except Exception as bug:  # noqa: BLE001 - it ends this job, and no other
            mistake = Mistake.of(bug)
            _log.error("whatsapp.job_failed", extra={"job": job_id, "mistake": str(mistake)})
            state, reason = JobState.FAILED, f"a mistake of warmline's own: {mistake}"
        try:
            self._engine.step("end", lambda: self._end(job_id, state, reason))
        except Exception as problem:  # noqa: BLE001 - as above
            mistake = Mistake.of(problem)
            _log.error("whatsapp.job_not_ended", extra={"job": job_id, "mistake": str(mistake)})
            why = f"it could not be gone on with ({mistake}): replay it"
            self._end(job_id, JobState.FAILED, why)

    def _begin(self, job: Job, message: IncomingMessage) -> tuple[bool, str, list[str]]:
        """Return whether the answer is spoken, the template, and the jobs whose answers are held."""
        self._messages.change(job.id, state=JobState.WORKING)
        return self._policy.speaks_to(message), self._policy.template, self._held_for(job)

    def _do(
        self, job: Job, message: IncomingMessage, speaks: bool, template: str, held: Sequence[str]
    ) -> tuple[JobState, str]:
        if message.kind in (MessageKind.REACTION, MessageKind.NOTICE):
            return JobState.IGNORED, f"a {message.type} wants no answer"
        self._deliver_held(held, template)
        # No step: nothing waits for it, and a job that is gone on with shows again that it is.
        self._tries.beside(self._agent.mark_read, message)
        if message.kind in (MessageKind.MEDIA, MessageKind.OTHER) and not message.text:
            self._say(job, message, self._policy.not_readable)
            return JobState.ANSWERED, f"a message of type {message.type}: it was asked for words"
        try:
            is_to_forget = self._tries.step("hear", lambda: self._hear(job, message))
            text = self._kept(job.id).heard or ""
            if not text.strip():
                self._say(job, message, self._policy.not_understood)
                return JobState.ANSWERED, "no words were heard in it"
            if is_to_forget:
                self._engine.step("forget", lambda: self._messages.forget(job.user_key, up_to=job))
                self._say(job, message, self._policy.forgotten)
                return JobState.ANSWERED, "everything said before was deleted, as was asked for"
            answer = self._answered(job, message, text)
            reason = self._spoken(job, message, answer) if speaks else ""
        except Undone as undone:
            words = self._policy.not_understood if undone.kind == INPUT else self._policy.apology
            return JobState.FAILED, self._apologised(job, message, words, undone.reason)
        return self._deliver(job, message, template, reason)

    def _hear(self, job: Job, message: IncomingMessage) -> bool:
        """Understand the person's words; return whether they ask to be forgotten."""
        heard = self._kept(job.id).heard
        if heard is None:
            is_spoken = message.kind is MessageKind.AUDIO
            heard = self._tries.on_loop(self._agent.hear, message) if is_spoken else message.text
            self._messages.change(job.id, heard=heard)
        return self._policy.is_to_forget(heard)

    def _answered(self, job: Job, message: IncomingMessage, text: str) -> str:
        def answer() -> None:
            if self._kept(job.id).answer is None:
                before = self._messages.history(job, self._policy.history)
                said = self._tries.on_loop(self._agent.answer, message, before, text)
                self._messages.change(job.id, answer=said)

        self._tries.step("answer", answer)
        return self._kept(job.id).answer or ""

    def _spoken(self, job: Job, message: IncomingMessage, answer: str) -> str:
        """Speak the answer; return why it is written instead, if so."""

        def speak() -> None:
            if not self._outbox.note_count(job.id):
                self._outbox.keep_notes(job.id, self._tries.on_loop(self._agent.speak, message, answer))

        try:
            self._tries.step("speak", speak)
        except Undone as undone:
            return f"written, because it could not be spoken: {undone.reason}"
        return ""

    def _deliver(
        self, job: Job, message: IncomingMessage, template: str, reason: str = ""
    ) -> tuple[JobState, str]:
        """Send the answer that is kept; return what became of it."""
        may_send, spoken = self._engine.step("look", lambda: self._look(job))
        if not may_send:
            return self._hold(job, message, template)
        texts = [] if spoken else split_text(self._kept(job.id).answer or "")
        count = spoken or len(texts)
        if not count:
            return JobState.FAILED, self._apologised(
                job, message, self._policy.apology, "the answer was empty"
            )
        for part in range(count):
            try:
                self._send_part(job, message, part, texts[part] if texts else None)
            except Undone as undone:
                if undone.kind == GraphFailureKind.WINDOW_CLOSED.value and not part:
                    return self._hold(job, message, template)
                why = f"part {part + 1} of {count} could not be sent: {undone.reason}"
                return (JobState.PARTLY if part else JobState.FAILED), why
        return JobState.ANSWERED, reason

    def _look(self, job: Job) -> tuple[bool, int]:
        """Return whether anything may be sent, and in how many voice notes."""
        return self._is_window_open(job), self._outbox.note_count(job.id)

    def _send_part(self, job: Job, message: IncomingMessage, part: int, text: str | None) -> None:
        """Send a part of an answer, written or as the note that is kept; the first quotes the question.

        Raises:
            Undone: it could not be sent.
        """
        reply_to = message.id if not part else ""

        def body(send_id: str, media_id: str) -> dict[str, Any]:
            if text is not None:
                return text_message(message.to, text, callback_data=send_id, reply_to=reply_to)
            return voice_note_message(message.to, media_id, callback_data=send_id, reply_to=reply_to)

        self._sending.send(job, part, body, has_note=text is None)

    def _hold(self, job: Job, message: IncomingMessage, template: str) -> tuple[JobState, str]:
        """Keep the answer until the person writes again; ask them to, if there is a template for that."""
        why = WINDOW_CLOSED
        language = self._policy.template_language
        if not template:
            return JobState.HELD, why

        def body(send_id: str, _: str) -> dict[str, Any]:
            return template_message(message.to, template, language, callback_data=send_id)

        try:
            self._sending.send(job, ASIDE, body)
        except Undone as undone:
            return JobState.HELD, f"{why}; the template could not be sent: {undone.reason}"
        return JobState.HELD, f"{why}; the template {template} was sent"

    def _deliver_held(self, held: Sequence[str], template: str) -> None:
        """Send what was held for a person who has written again."""
        for each in held:
            earlier = self._messages.get(each)
            if earlier is None or earlier.is_forgotten:
                continue
            try:
                state, reason = self._deliver(earlier, IncomingMessage.from_json(earlier.message), template)
            except Forgotten:
                continue
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
            except Undone as undone:
                return f"{reason}; and they could not be told: {undone.reason}"
        return reason

    def _say(self, job: Job, message: IncomingMessage, words: str) -> None:
        """Write something that is no answer.

        Raises:
            Undone: it could not be sent.
        """
        if not self._engine.step("window", lambda: self._is_window_open(job)):
            raise Undone(GraphFailureKind.WINDOW_CLOSED.value, "24 hours have passed since they wrote")
        self._sending.send(
            job, ASIDE, lambda send_id, _: text_message(message.to, words, callback_data=send_id)
        )

    def _is_window_open(self, job: Job) -> bool:
        last_s = self._messages.last_sent_s(job.user_key, job.phone_number_id)
        return is_open(last_s or job.received_s, self._now_s())

    def _kept(self, job_id: str) -> Job:
        job = self._messages.get(job_id)
        assert job is not None, "rows stay"
        if job.is_forgotten:
            raise Forgotten(job_id)
        return job

    def _end(self, job_id: str, state: JobState, reason: str) -> None:
        finished_s = None if state is JobState.HELD else self._now_s()
        self._messages.change(job_id, state=state, reason=reason, finished_s=finished_s)
        settle(job_id, self._messages, self._outbox)
        _log.info("whatsapp.job_over", extra={"job": job_id, "state": state.value})
