"""Embeddings and transcriptions, against the simulated OpenAI over real TLS."""

import io
import wave

import numpy as np
import pytest

from warmline.errors import InputError, ProviderRejected, ProviderUnavailable
from warmline.providers.openai.embeddings import OpenAiEmbeddings
from warmline.providers.openai.embeddings_protocol import EmbeddingSettings
from warmline.providers.openai.transcriptions import OpenAiTranscriptions
from warmline.providers.openai.transcriptions_protocol import TranscriptionSettings
from warmline.simulators.openai.embeddings import Embeddings

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

SMALL = EmbeddingSettings("text-embedding-3-small")


async def test_each_text_has_its_vector(openai):
    """Alike where the texts are."""
    async with openai.http() as lines:
        vectors = await OpenAiEmbeddings(lines, SMALL).embed([
            "When do you open?",
            "What are your opening hours?",
            "A cat sat on a mat.",
        ])
        assert vectors.shape == (3, 1536)
        assert vectors.dtype == np.float32
        assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
        assert (await OpenAiEmbeddings(lines, SMALL).embed([])).shape[0] == 0


async def test_more_texts_than_a_request_may_have_are_asked_for_in_several(openai, monkeypatch):
    """And one that fails is asked for again by itself."""

    def vectors(_, texts, size):
        return np.array([[float(text)] * size for text in texts], dtype="<f4")

    monkeypatch.setattr(Embeddings, "_vectors", vectors)
    openai.fault("500")
    settings = EmbeddingSettings("text-embedding-3-small", dimensions=2)
    async with openai.http() as lines:
        found = await OpenAiEmbeddings(lines, settings).embed([str(number) for number in range(5000)])
    np.testing.assert_array_equal(found[:, 0], np.arange(5000, dtype=np.float32))
    assert openai.asked("/embeddings") == 4


@pytest.mark.parametrize(
    ("fault", "texts", "kind"),
    [
        ("429", ["x"], ProviderUnavailable),
        ("quota", ["x"], ProviderRejected),
        ("drop;times=0", ["x"], ProviderUnavailable),
        ("", ["x", ""], ProviderRejected),
    ],
)
async def test_a_failure_is_the_providers(openai, fault, texts, kind):
    if fault:
        openai.fault(fault)
    async with openai.http() as lines:
        with pytest.raises(kind):
            await OpenAiEmbeddings(lines, SMALL).embed(texts)


def recording():
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes(bytes(16_000))
    return file.getvalue()


async def test_a_recording_is_written_down_whatever_it_is_called(openai):
    """The far end reads the form as a browser's."""
    openai.simulator.script.transcript = "Bitte öffnen."
    async with openai.http() as lines:
        transcriber = OpenAiTranscriptions(lines, TranscriptionSettings("gpt-transcribe"))
        for name in ("a.wav", 'Anruf "Müller"\r\nx: y; .wav'):
            assert await transcriber.transcribe(recording(), name, "de") == "Bitte öffnen."


async def test_a_recording_that_can_not_be_used(openai):
    """One that is too large is not even sent."""
    async with openai.http() as lines:
        transcriber = OpenAiTranscriptions(lines, TranscriptionSettings("gpt-transcribe"))
        with pytest.raises(ProviderRejected, match="corrupted"):
            await transcriber.transcribe(b"RIFF, or so it says", "a.wav")
        with pytest.raises(InputError, match="cut it into parts"):
            await transcriber.transcribe(bytes(26 * 1024 * 1024), "a.wav")
    assert openai.asked("/audio/transcriptions") == 1
