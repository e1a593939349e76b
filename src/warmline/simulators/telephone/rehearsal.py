"""What a script's words sound like, before anybody has to wait for them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import anyio.to_thread
import soundfile

from warmline.core.formats import AudioFormat, Encoding
from warmline.errors import InputError
from warmline.simulators.recordings import pcm16
from warmline.simulators.speech import Speech
from warmline.simulators.telephone.codec import RATE_HZ
from warmline.simulators.telephone.steps import Say, Step

__all__ = ["rehearsed", "spoken"]

_FORMAT: Final = AudioFormat(Encoding.PCM16, RATE_HZ)


async def rehearsed(steps: Sequence[Step], speech: Speech) -> dict[Say, bytes]:
    """Return each spoken step as pcm16 at 8 kHz.

    Raises:
        InputError: a recording can't be read, or nothing is said.
    """
    return {step: await _recording(step, speech) for step in steps if isinstance(step, Say)}


async def spoken(text: str, speech: Speech) -> bytes:
    """Return a text as pcm16 at 8 kHz; nothing for a text without a word."""
    return (await speech.spoken(text, _FORMAT)).audio


async def _recording(step: Say, speech: Speech) -> bytes:
    pcm = await spoken(step.text, speech) if step.text else await anyio.to_thread.run_sync(_read, step)
    if not pcm:
        raise InputError(f"preparing what is said: nothing can be heard of {step.text or step.recording!r}")
    return pcm


def _read(step: Say) -> bytes:
    try:
        if step.audio:
            return pcm16(step.audio, RATE_HZ)
        path = Path(step.recording)
        return _recorded(path, path.stat().st_mtime_ns)
    except (OSError, soundfile.LibsndfileError) as problem:
        raise InputError(f"reading recording {step.recording or 'that was given'}: {problem}") from problem


@functools.lru_cache(maxsize=16)
def _recorded(path: Path, changed_ns: int) -> bytes:
    """Return a file's samples; many callers may say the same, and a file that has changed is read again."""
    del changed_ns
    return pcm16(path.read_bytes(), RATE_HZ)
