"""Whole recordings at the simulated Deepgram, over real TLS."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.simulators.far_ends import far_ends
from warmline.audio.recordings import wav_file
from warmline.audio.voice_notes import encode
from warmline.core.formats import PCM_16K
from warmline.errors import InputError, ProviderRejected, ProviderUnavailable, RemoteProtocolError
from warmline.interfaces.transcriber import Transcriber
from warmline.providers.deepgram.protocol import PROJECTS
from warmline.providers.deepgram.transcriptions import DeepgramTranscriptions
from warmline.providers.deepgram.transcriptions_protocol import (
    TranscriptionSettings,
    transcript,
    transcription_request,
)
from warmline.simulators.running import KEY
from warmline.simulators.script import Script

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

SENTENCE = "The library is open on Monday."
NOTE = encode(bytes(32_000), 16_000)
HEADERS = {"authorization": f"Token {KEY}"}


def query(request):
    return parse_qsl(urlsplit(request.path).query)


async def test_a_voice_note_is_sent_as_it_is_and_written_down():
    """Deepgram reads what WhatsApp sends, and WAV as well."""
    async with far_ends("deepgram", sentences=[SENTENCE]) as ends:
        endpoint = await ends.endpoint(HEADERS, PROJECTS)
        transcriber: Transcriber = DeepgramTranscriptions(endpoint, TranscriptionSettings())
        spoken = await ends.simulator.speech.spoken(SENTENCE, PCM_16K)
        pcm = bytes(9_600) + spoken.audio + bytes(6_400)
        for recording, name in ((encode(pcm, 16_000), "note.ogg"), (wav_file(pcm, PCM_16K), "note.wav")):
            assert "library" in (await transcriber.transcribe(recording, name)).lower()


async def test_a_recording_that_can_not_be_used():
    """An empty one is not even sent."""
    async with far_ends("deepgram") as ends:
        endpoint = await ends.endpoint(HEADERS, PROJECTS)
        transcriber = DeepgramTranscriptions(endpoint, TranscriptionSettings())
        await transcriber.check_key()
        with pytest.raises(ProviderRejected, match="corrupt"):
            await transcriber.transcribe(b"no recording at all", "note.ogg")
        with pytest.raises(InputError, match=r"note\.ogg: it is empty"):
            await transcriber.transcribe(b"", "note.ogg")
        assert [each.path.partition("?")[0] for each in ends.simulator.requests][-1] == "/v1/listen"


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("401", ProviderRejected, "DEEPGRAM_API_KEY"),
        ("quota", ProviderRejected, "credit"),
        ("429", ProviderUnavailable, "ask for a higher one"),
    ],
)
async def test_a_deepgram_that_fails_is_told_as_such(fault, kind, words):
    """And what to do about it."""
    async with far_ends("deepgram", Script(key=KEY, transcript="Hello.")) as ends:
        endpoint = await ends.endpoint(HEADERS)
        ends.fault(fault)
        with pytest.raises(kind, match=words):
            await DeepgramTranscriptions(endpoint, TranscriptionSettings()).transcribe(NOTE, "note.ogg")


def test_a_recording_is_asked_for_as_a_stream_is():
    """In the same language, with the same key terms."""
    settings = TranscriptionSettings("nova-3", "en-GB", ("Warmline", "tea & cake"))
    assert query(transcription_request(b"x", "n", "", settings)) == [
        ("model", "nova-3"),
        ("language", "en-GB"),
        ("smart_format", "true"),
        ("keyterm", "Warmline"),
        ("keyterm", "tea & cake"),
    ]
    assert ("language", "de") in query(transcription_request(b"x", "n", "de", settings))
    unknown = query(transcription_request(b"x", "n", "", TranscriptionSettings(language="")))
    assert ("detect_language", "true") in unknown
    assert "language" not in dict(unknown)


@pytest.mark.parametrize(
    ("live", "model", "language"),
    [
        (("nova-3-medical", "en-US"), "nova-3-medical", "en-US"),
        (("flux-general-en", "en"), "nova-3", "en"),
        (("flux-general-multi", "multi"), "nova-3", "multi"),
        (("flux-general-multi", "es"), "nova-3", "es"),
    ],
)
def test_where_flux_hears_streams_nova_hears_recordings(live, model, language):
    """Flux takes none."""
    found = TranscriptionSettings.as_live(live[0], live[1], ("term",))
    assert (found.model, found.language, found.keyterms) == (model, language, ("term",))


def test_every_channel_is_written_down():
    """And what is no transcript is told."""
    channels = [{"alternatives": [{"transcript": text}]} for text in ("One.", "", "Two.")]
    body = json.dumps({"results": {"channels": [*channels, {"alternatives": []}]}}).encode()
    assert transcript(body) == "One.\nTwo."


@given(st.binary(max_size=60))
def test_any_answer_is_a_transcript_or_none(body):
    """And nothing else goes wrong with it."""
    with pytest.raises(RemoteProtocolError):
        transcript(body)
