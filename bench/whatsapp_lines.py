"""What connections cost the calls that are made for a voice message, for `whatsapp.py`."""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Final

import anyio
from cold import lines_to
from phone_house import House
from whatsapp_people import note, percentile

from warmline.audio.voice_notes import NOTE_NAME, NOTE_TYPE
from warmline.channels.whatsapp.addressee import Addressee
from warmline.channels.whatsapp.client import GraphClient, number_request
from warmline.channels.whatsapp.media import MediaPlace
from warmline.channels.whatsapp.media_lines import MediaLines
from warmline.channels.whatsapp.messages import text_message, voice_note_message
from warmline.cli.simulated import Simulated
from warmline.core.clock import SystemClock
from warmline.core.formats import PCM_24K
from warmline.interfaces.llm import LlmRequest, Message, Role
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.http import HttpRequest
from warmline.pool.lines import Lines
from warmline.providers.deepgram.transcriptions import DeepgramTranscriptions
from warmline.providers.deepgram.transcriptions_protocol import TranscriptionSettings
from warmline.providers.elevenlabs.rest import ElevenLabsRest
from warmline.providers.openai.chat import OpenAiChat, openai_headers
from warmline.providers.openai.protocol import ChatSettings
from warmline.server.services.voices import speech_settings
from warmline.server.settings import Settings
from warmline.simulators.whatsapp.webhooks import PHONE_NUMBER_ID

__all__ = ["connections"]

CLOCK: Final = SystemClock()
_TEXT: Final = "We open at nine."
_PEOPLE: Final = count(1)
_WARM: Final = 2

Call = Callable[[], Awaitable[float]]
"""Makes a call; returns milliseconds until what is waited for."""


@dataclass(frozen=True)
class Known:
    """What the calls are about."""

    message_id: str
    """That somebody sent."""

    media_id: str
    place: MediaPlace
    audio: bytes


async def connections(there: House, message_id: str, rounds: int, at_once: int) -> list[dict[str, Any]]:
    """Return what each call costs on warm lines and on a connection of its own, alone and many at once.

    Args:
        there: Who is called.
        message_id: That somebody sent.
        rounds: Times.
        at_once: How many are many.
    """
    await there.script("whatsapp", pair_burst=0, messages_per_s=0)
    await there.script("openai", first_token_ms=250.0, token_ms=12.0, reply=_TEXT)
    audio = note()
    async with lines_to(there.found) as lines, lines_to(there.found) as unpooled:
        graph = await _graph(lines, there.found, _WARM)
        media_id = await graph.upload(PHONE_NUMBER_ID, audio, NOTE_TYPE, NOTE_NAME)
        known = Known(message_id, media_id, await graph.media(media_id, PHONE_NUMBER_ID), audio)
        warm = await _calls(lines, there.found, known, _WARM)
        return [
            await _compared(name, call, partial(_alone, unpooled, there.found, known, name), rounds, at_once)
            for name, call in warm.items()
        ]


async def _compared(name: str, warm: Call, alone: Call, rounds: int, at_once: int) -> dict[str, Any]:
    """Return a row; the two take turns, so that both meet the same machine."""
    await _many(warm, at_once)
    one: dict[str, list[float]] = {"warm": [], "alone": []}
    many: dict[str, list[float]] = {"warm": [], "alone": []}
    for _ in range(rounds):
        for kind, call in (("warm", warm), ("alone", alone)):
            one[kind].append(await call())
            many[kind] += await _many(call, at_once)
    warm_ms, alone_ms = statistics.median(one["warm"]), statistics.median(one["alone"])
    warm_many_ms, alone_many_ms = statistics.median(many["warm"]), statistics.median(many["alone"])
    return {
        "call": name,
        "warm_ms": round(warm_ms),
        "new_ms": round(alone_ms),
        "ratio": round(alone_ms / warm_ms, 1),
        "at_once": at_once,
        "all_warm_ms": round(warm_many_ms),
        "p95": round(percentile(many["warm"], 0.95)),
        "all_new_ms": round(alone_many_ms),
        "all_ratio": round(alone_many_ms / warm_many_ms, 1),
    }


async def _many(call: Call, at_once: int) -> list[float]:
    took_ms: list[float] = []

    async def one() -> None:
        took_ms.append(await call())

    async with anyio.create_task_group() as tasks:
        for _ in range(at_once):
            tasks.start_soon(one)
    return took_ms


async def _alone(lines: Lines, found: Simulated, known: Known, name: str) -> float:
    """Make a call on a connection that is opened for it: nobody else knows of the endpoint it belongs to."""
    return await (await _calls(lines, found, known, 0))[name]()


async def _graph(lines: Lines, found: Simulated, warm: int) -> GraphClient:
    token, url = found.environment["WHATSAPP_TOKEN"], found.base_urls["whatsapp"]
    probe = number_request(PHONE_NUMBER_ID) if warm else None
    endpoint = await _lines(lines, "whatsapp", url, {"authorization": f"Bearer {token}"}, warm, probe)
    return GraphClient(endpoint, MediaLines(lines, token, (url,)))


async def _lines(
    lines: Lines,
    name: str,
    url: str,
    headers: Mapping[str, str],
    warm: int,
    probe: HttpRequest | None = None,
) -> HttpEndpoint:
    endpoint = await lines.endpoint(
        name, url, warm=warm, max_lines=20, idle_s=50.0, headers=headers, probe=probe if warm else None
    )
    if warm:
        await endpoint.pool.until_warm()
    return endpoint


async def _calls(lines: Lines, found: Simulated, known: Known, warm: int) -> Mapping[str, Call]:
    """Return the calls that are made for messages: eight of the Graph API's, and the providers'."""
    graph, number = await _graph(lines, found, warm), PHONE_NUMBER_ID
    keys, urls = found.environment, found.base_urls
    listening = DeepgramTranscriptions(
        await _lines(
            lines, "deepgram", urls["deepgram"], {"authorization": f"Token {keys['DEEPGRAM_API_KEY']}"}, warm
        ),
        TranscriptionSettings.as_live("nova-3", "en", ()),
    )
    model = OpenAiChat(
        await _lines(lines, "openai", urls["openai"], openai_headers(keys["OPENAI_API_KEY"]), warm),
        ChatSettings("gpt-5.4-mini"),
    )
    settings = Settings()
    voice = ElevenLabsRest(
        await _lines(
            lines, "elevenlabs", urls["elevenlabs"], {"xi-api-key": keys["ELEVENLABS_API_KEY"]}, warm
        ),
        speech_settings(settings.elevenlabs, settings.lines.tts_idle_s),
    )

    def to() -> Addressee:
        return Addressee(phone=f"1556{next(_PEOPLE):07}")

    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "ask for the number": lambda: graph.check(number),
        "mark as read": lambda: graph.mark_read(number, known.message_id),
        "show typing": lambda: graph.mark_read(number, known.message_id, typing=True),
        "find a file": lambda: graph.media(known.media_id, number),
        "download it": lambda: graph.download(known.place, 1_000_000),
        "upload a note": lambda: graph.upload(number, known.audio, NOTE_TYPE, NOTE_NAME),
        "send a note": lambda: graph.send(number, voice_note_message(to(), known.media_id)),
        "send a text": lambda: graph.send(number, text_message(to(), _TEXT)),
        "transcribe": lambda: listening.transcribe(known.audio, NOTE_NAME),
    }
    return {
        **{name: partial(_timed, call) for name, call in calls.items()},
        "model, first text": lambda: _first(model.stream(LlmRequest([Message(Role.USER, "When?")]))),
        "voice, first audio": lambda: _first(voice.synthesise(_TEXT, PCM_24K)),
    }


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    began_s = CLOCK.now_s()
    await call()
    return (CLOCK.now_s() - began_s) * 1000


async def _first(streaming: AbstractAsyncContextManager[AsyncIterator[object]]) -> float:
    """Return when the first piece comes; all are taken, so that the line can be used again."""
    began_s, took_ms = CLOCK.now_s(), 0.0
    async with streaming as pieces:
        async for _ in pieces:
            took_ms = took_ms or (CLOCK.now_s() - began_s) * 1000
    return took_ms
