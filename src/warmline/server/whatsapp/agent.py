"""What is done for a message on the event loop: asked of WhatsApp, and of who listens, answers and speaks."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread

from warmline.audio.voice_notes import NOTE_NAME, NOTE_TYPE, encode
from warmline.channels.whatsapp.client import GraphClient
from warmline.channels.whatsapp.failures import GraphFailure
from warmline.channels.whatsapp.incoming import IncomingMessage
from warmline.channels.whatsapp.media import recording_name
from warmline.channels.whatsapp.splitting import split_for_notes
from warmline.core.formats import PCM_24K
from warmline.core.loggable import loggable
from warmline.core.urgency import in_background
from warmline.interfaces.channel import SessionEvent
from warmline.interfaces.llm import Message, Role
from warmline.interfaces.transcriber import Transcriber
from warmline.server.whatsapp.policy import job_id_of
from warmline.server.whatsapp.timing import timed
from warmline.session.correspondence import Correspondence
from warmline.store.messages import Exchange
from warmline.store.outbox import Note

__all__ = ["MessageAgent", "Watching"]

_log = logging.getLogger(__name__)

_TYPING_S: Final = 20.0
"""WhatsApp shows that somebody is typing for 25 s."""


Watching = Callable[[str], Callable[[SessionEvent], None]]
"""Returns what is to be told of a session's events, by the session's id."""


class MessageAgent:
    """Does each thing once; tries nothing again, and keeps nothing. Everything stands behind live turns."""

    def __init__(
        self,
        client: GraphClient,
        transcriber: Transcriber,
        correspondence: Correspondence,
        *,
        watching: Watching,
        language: str,
        most_bytes: int,
        at_once: int,
    ) -> None:
        """Prepare.

        Args:
            client: WhatsApp.
            transcriber: Who listens.
            correspondence: Who answers and speaks.
            watching: Has a job's turn watched, by its id.
            language: What is spoken, as ISO 639-1; empty to find out.
            most_bytes: The largest recording that is taken.
            at_once: Messages that are listened to, answered or spoken at a time.
        """
        self._client = client
        self._transcriber = transcriber
        self._correspondence = correspondence
        self._watching = watching
        self._language = language
        self._most_bytes = most_bytes
        self._places = anyio.CapacityLimiter(at_once)
        # Opus takes all of a core: one is left to live turns where there are several.
        self._encoding = anyio.CapacityLimiter(max((os.cpu_count() or 1) - 1, 1))

    async def mark_read(self, message: IncomingMessage) -> None:
        """Show the person that it was read, and that an answer is being written; raises nothing."""
        with in_background(), timed("mark read"):
            try:
                await self._client.mark_read(message.phone_number_id, message.id, typing=True)
            except GraphFailure as failure:
                _log.info("whatsapp.typing_not_shown", extra=loggable(failure))

    async def hear(self, message: IncomingMessage) -> str:
        """Return what is said in a recording; it is downloaded, and kept nowhere.

        Raises:
            GraphFailure: it can't be had.
            InputError: it is too large, or no recording.
            ProviderError: it can't be understood now.
        """
        async with self._at_work(message):
            with timed("find file"):
                place = await self._client.media(message.media_id, message.phone_number_id)
            with timed("download"):
                recording = await self._client.download(place, self._most_bytes)
            name = recording_name(place.mime_type or message.mime_type)
            with timed("transcribe"):
                return await self._transcriber.transcribe(recording, name, self._language)

    async def answer(self, message: IncomingMessage, before: Sequence[Exchange], text: str) -> str:
        """Return what is said to a message.

        Raises:
            ProviderError: nobody could answer.
        """
        history = [
            said
            for each in before
            for said in (Message(Role.USER, each.heard), Message(Role.ASSISTANT, each.answer))
        ]
        async with self._at_work(message):
            with timed("retrieve and answer"):
                return await self._correspondence.answer(history, text, self._watching(job_id_of(message)))

    async def speak(self, message: IncomingMessage, text: str) -> list[Note]:
        """Return an answer as voice notes, each of which WhatsApp plays with a touch.

        Raises:
            ProviderError: nobody could speak it.
        """
        notes = []
        async with self._at_work(message):
            for part, spoken in enumerate(split_for_notes(text)):
                with timed("voice"):
                    pcm = await self._correspondence.speak(spoken, PCM_24K)
                with timed("encode"):
                    work = partial(encode, pcm, PCM_24K.rate_hz)
                    audio = await anyio.to_thread.run_sync(work, limiter=self._encoding)
                notes.append(Note(part, audio, PCM_24K.duration_s(len(pcm))))
        return notes

    async def upload(self, phone_number_id: str, note: Note) -> str:
        """Return the id of a note that is uploaded."""
        with in_background(), timed("upload file"):
            return await self._client.upload(phone_number_id, note.audio, NOTE_TYPE, NOTE_NAME)

    async def send(self, phone_number_id: str, body: dict[str, Any]) -> str:
        """Send a message; return its id."""
        with in_background(), timed("send message"):
            return await self._client.send(phone_number_id, body)

    async def check(self, phone_number_id: str) -> None:
        """Ask whether the token is good."""
        with in_background():
            await self._client.check(phone_number_id)

    @asynccontextmanager
    async def _at_work(self, message: IncomingMessage) -> AsyncIterator[None]:
        """Take one of the places, and show the person for how long it takes that somebody is typing."""
        problem: Exception | None = None
        with in_background():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._show_typing, message)
                with timed("wait for a place"):
                    await self._places.acquire()
                try:
                    yield
                except Exception as error:  # noqa: BLE001 - it is raised below, and not in a group
                    problem = error
                finally:
                    self._places.release()
                tasks.cancel_scope.cancel()
        if problem is not None:
            raise problem

    async def _show_typing(self, message: IncomingMessage) -> None:
        while True:
            await anyio.sleep(_TYPING_S)
            await self.mark_read(message)
