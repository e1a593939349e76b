"""What people are going to send, made before anybody has to wait for it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio.to_thread
import soundfile

from warmline.core.formats import PCM_16K
from warmline.errors import InputError
from warmline.simulators.recordings import pcm16k
from warmline.simulators.speech import Speech
from warmline.simulators.whatsapp.notes import SoundFacts, mp3_file, sound_facts, voice_note
from warmline.simulators.whatsapp.steps import Forward, SendImage, Speak, Step

__all__ = ["Prepared", "rehearsed"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that a person is going to send."""

    mime_type: str
    data: bytes
    facts: SoundFacts | None = None


def _png() -> bytes:
    """Return a grey dot."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0\x80")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


_IMAGE: Final = Prepared("image/png", _png())


async def rehearsed(steps: Sequence[Step], speech: Speech) -> list[Prepared | None]:
    """Return the file of each step, in their order; None for those that have none.

    Raises:
        InputError: a recording can't be read, or nothing can be heard of it.
    """
    return [await _prepared(step, speech) for step in steps]


async def _prepared(step: Step, speech: Speech) -> Prepared | None:
    if isinstance(step, SendImage):
        return _IMAGE
    if not isinstance(step, Speak):
        return None
    pcm = (await speech.spoken(step.text, PCM_16K)).audio if step.text else b""
    return await anyio.to_thread.run_sync(_file_of, step, pcm)


def _file_of(step: Speak, spoken: bytes) -> Prepared:
    recording = b"" if step.text else _read(step)
    wanted = ("MP3", "MPEG_LAYER_III") if isinstance(step, Forward) else ("OGG", "OPUS")
    if not recording or _kind_of(recording) != wanted:
        pcm = _pcm_of(step, recording) if recording else spoken
        if not pcm:
            raise InputError(f"preparing what is said: nothing can be heard of {_name_of(step)}")
        recording = mp3_file(pcm) if isinstance(step, Forward) else voice_note(pcm)
    mime_type = "audio/mpeg" if isinstance(step, Forward) else "audio/ogg; codecs=opus"
    return Prepared(mime_type, recording, sound_facts(recording))


def _read(step: Speak) -> bytes:
    try:
        return step.audio or Path(step.recording).read_bytes()
    except OSError as problem:
        raise InputError(f"reading recording {step.recording}: {problem.strerror or problem}") from problem


def _kind_of(recording: bytes) -> tuple[str, str]:
    try:
        found = soundfile.info(io.BytesIO(recording))
    except soundfile.LibsndfileError:
        return ("", "")
    return (found.format, found.subtype)


def _pcm_of(step: Speak, recording: bytes) -> bytes:
    try:
        return pcm16k(recording)
    except soundfile.LibsndfileError as problem:
        raise InputError(f"reading recording {_name_of(step)}: {problem}") from problem


def _name_of(step: Speak) -> str:
    return repr(step.text or step.recording or "that was given")
