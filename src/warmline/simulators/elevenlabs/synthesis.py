"""From text to pieces of audio, when the provider would have made them, with their alignment."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import anyio
import anyio.to_thread
import numpy as np
import soundfile

from warmline.core.clock import SystemClock
from warmline.core.formats import AudioFormat, Encoding
from warmline.interfaces.tts import SpokenWord
from warmline.simulators.script import Script
from warmline.simulators.speech import Speech, Spoken

__all__ = ["OutputFormat", "Piece", "output_format", "synthesise"]

_PIECE_S: Final = 0.25
_RATES_HZ: Final = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_NAMES: Final = frozenset(
    "ulaw_8000 alaw_8000 mp3_22050_32 mp3_24000_48 mp3_44100_32 mp3_44100_64 mp3_44100_96 mp3_44100_128 "
    "mp3_44100_192 opus_48000_32 opus_48000_64 opus_48000_96 opus_48000_128 opus_48000_192".split()
) | {f"{kind}_{rate_hz}" for kind in ("pcm", "wav") for rate_hz in _RATES_HZ}
_CLOCK: Final = SystemClock()


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """What `output_format` asks for."""

    name: str
    audio_format: AudioFormat
    container: str = ""
    """`mp3`, `ogg` or `wav`; empty for bare samples."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some audio, and the characters that are spoken in it."""

    audio: bytes
    alignment: dict[str, Any] | None
    """Times count from the first sample of this piece."""


def output_format(name: str, *, is_streamed: bool = True) -> OutputFormat | None:
    """Return what a name such as `pcm_16000` stands for; None if it is none, or none for a stream."""
    kind, _, rest = name.partition("_")
    if name not in _NAMES or (is_streamed and kind == "wav"):
        return None
    encodings = {"ulaw": Encoding.PCMU, "alaw": Encoding.PCMA}
    audio_format = AudioFormat(encodings.get(kind, Encoding.PCM16), int(rest.split("_")[0]))
    return OutputFormat(name, audio_format, {"opus": "ogg", "mp3": "mp3", "wav": "wav"}.get(kind, ""))


async def synthesise(
    speech: Speech,
    script: Script,
    text: str,
    wanted: OutputFormat,
    *,
    aligns_each_piece: bool = False,
    since_s: float | None = None,
) -> AsyncIterator[Piece]:
    """Yield a text's audio, the first piece after the provider's own delay.

    Args:
        speech: Speaks.
        script: Its delays.
        text: What to say; nothing comes of a text without a word.
        wanted: The format; with a container there is one piece.
        aligns_each_piece: Whether each piece carries its own characters, or the first one all.
        since_s: When the text was there, if it was before now.
    """
    due_s = (since_s if since_s is not None else _CLOCK.now_s()) + script.speech_ms / 1000
    spoken = await speech.spoken(text, wanted.audio_format)
    if not spoken.audio:
        return
    if wanted.container:
        audio = await anyio.to_thread.run_sync(_contained, spoken.audio, wanted)
        await anyio.sleep(max(due_s - _CLOCK.now_s(), 0.0))
        yield Piece(audio, _alignment(text, spoken, wanted.audio_format, 0.0, None))
        return
    size = script.chunk_bytes or wanted.audio_format.size_bytes(_PIECE_S)
    for begin in range(0, len(spoken.audio), size):
        await anyio.sleep(max(due_s - _CLOCK.now_s(), 0.0))
        audio = spoken.audio[begin : begin + size]
        from_s = wanted.audio_format.duration_s(begin)
        until_s = wanted.audio_format.duration_s(begin + len(audio))
        if aligns_each_piece:
            alignment = _alignment(text, spoken, wanted.audio_format, from_s, until_s)
        else:
            alignment = _alignment(text, spoken, wanted.audio_format, 0.0, None) if begin == 0 else None
        yield Piece(audio, alignment)
        due_s += (until_s - from_s) / script.speech_speed


def _alignment(
    text: str, spoken: Spoken, audio_format: AudioFormat, from_s: float, until_s: float | None
) -> dict[str, Any] | None:
    """Return the characters that begin within a stretch; times from its beginning."""
    starts = _character_starts(text, spoken.words, audio_format.duration_s(len(spoken.audio)) * 1000)
    ends = [*starts[1:], audio_format.duration_s(len(spoken.audio)) * 1000]
    chosen = [
        index
        for index, start_ms in enumerate(starts)
        if start_ms >= from_s * 1000 and (until_s is None or start_ms < until_s * 1000)
    ]
    if not chosen:
        return None
    return {
        "chars": [text[index] for index in chosen],
        "charStartTimesMs": [round(starts[index] - from_s * 1000) for index in chosen],
        "charDurationsMs": [round(ends[index] - starts[index]) for index in chosen],
    }


def _character_starts(text: str, words: tuple[SpokenWord, ...], length_ms: float) -> list[float]:
    """Return when each character begins: words where they are, characters evenly within them."""
    places = [0, *(word.text_start for word in words), len(text)]
    times = [0.0, *(float(word.start_ms) for word in words), length_ms]
    return [float(start) for start in np.interp(np.arange(len(text)), places, times)]


def _contained(pcm: bytes, wanted: OutputFormat) -> bytes:
    samples = np.frombuffer(pcm, dtype="<i2")
    file = io.BytesIO()
    kind, subtype = {"ogg": ("OGG", "OPUS"), "mp3": ("MP3", None), "wav": ("WAV", "PCM_16")}[wanted.container]
    soundfile.write(file, samples, wanted.audio_format.rate_hz, format=kind, subtype=subtype)
    return file.getvalue()
