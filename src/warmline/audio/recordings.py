"""Recordings in files: any common format in, 16 kHz mono pcm16 out; WAV out."""

from __future__ import annotations

import io
import itertools
import wave
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, Final

import numpy as np
import soundfile

from warmline.audio.conversion import pcm16_decoder
from warmline.audio.resample import StreamResampler
from warmline.core.formats import PCM_16K, AudioFormat, Encoding
from warmline.errors import InputError

__all__ = ["decode_recording", "read_recording", "wav_file", "write_wav"]

_BLOCK_FRAMES: Final = 65_536
_RATES_HZ: Final = range(1_000, 384_001)
"""Rates that a recording of speech can have; anything else is a damaged header."""

_MOST_CHANNELS: Final = 16
"""More would make blocks of it large."""

_SUBTYPES: Final[Mapping[Encoding, str]] = {
    Encoding.PCM16: "PCM_16",
    Encoding.PCMU: "ULAW",
    Encoding.PCMA: "ALAW",
}


def read_recording(path: Path, *, limit_s: float = 3600.0) -> bytes:
    """Return a recording as 16 kHz mono pcm16, its channels mixed.

    WAV, FLAC, Ogg (Vorbis, Opus), MP3 and what else libsndfile reads; M4A, AAC, WebM, AMR and
    the rest when PyAV is installed.

    Raises:
        InputError: the file is not there, is no recording, is empty, or lasts over `limit_s`.
    """
    if not path.is_file():
        raise InputError(f"reading recording {path}: there is no such file")
    if path.stat().st_size == 0:
        raise InputError(f"reading recording {path}: the file is empty")
    return _read(str(path), str(path), limit_s)


def decode_recording(content: bytes, name: str, *, limit_s: float = 3600.0) -> bytes:
    """Return a file's content as `read_recording` does; slow, so not for the event loop.

    A minute of Opus takes 0.2 to 0.4 s of one core, and the interpreter's lock is free for most of it.

    Args:
        content: Of any format; what it is shows in its first bytes.
        name: For people: what errors call it.
        limit_s: What it may last; no more than that is decoded.

    Raises:
        InputError: it is no recording, is empty, or lasts over `limit_s`.
    """
    if not content:
        raise InputError(f"reading recording {name}: it is empty")
    return _read(io.BytesIO(content), name, limit_s)


def write_wav(path: Path, pcm: bytes, *, rate_hz: int = PCM_16K.rate_hz) -> None:
    """Write mono pcm16 as a WAV file, replacing what was there.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        with path.open("wb") as file, wave.open(file, "wb") as recording:
            recording.setnchannels(1)
            recording.setsampwidth(2)
            recording.setframerate(rate_hz)
            recording.writeframes(pcm)
    except OSError as problem:
        raise InputError(f"writing recording {path}: {problem.strerror}") from problem


def wav_file(audio: bytes, audio_format: AudioFormat) -> bytes:
    """Return whole samples as a WAV file in the same encoding.

    They are bit for bit the same, but for mu-law's second zero, which becomes the first.
    """
    decode = pcm16_decoder(audio_format.encoding)
    samples = np.frombuffer(audio if decode is None else decode(audio), np.int16)
    file = io.BytesIO()
    subtype = _SUBTYPES[audio_format.encoding]
    soundfile.write(file, samples, audio_format.rate_hz, format="WAV", subtype=subtype)
    return file.getvalue()


def _read(source: str | io.BytesIO, name: str, limit_s: float) -> bytes:
    try:
        with soundfile.SoundFile(source) as recording:
            blocks: Iterator[Any] = recording.blocks(_BLOCK_FRAMES, dtype="float32", always_2d=True)
            return _mixed(name, recording.samplerate, recording.channels, blocks, limit_s)
    # TypeError: a name such as x.raw makes soundfile ask for a rate, since such files have no header.
    except (soundfile.LibsndfileError, TypeError) as problem:
        return _read_with_av(source, name, limit_s, problem)


def _mixed(name: str, rate_hz: int, channels: int, blocks: Iterator[Any], limit_s: float) -> bytes:
    """Mix, convert and join blocks of float samples, each shaped (frames, channels)."""
    if rate_hz not in _RATES_HZ or channels > _MOST_CHANNELS:
        raise InputError(
            f"reading recording {name}: its header says {rate_hz} Hz and {channels} channels; "
            "the file is damaged"
        )
    resampler = StreamResampler(rate_hz, PCM_16K.rate_hz)
    pieces: list[bytes] = []
    frames = 0
    for block in blocks:
        frames += len(block)
        if frames > limit_s * rate_hz:
            raise InputError(
                f"reading recording {name}: it lasts longer than {limit_s:g} s; cut it, or raise the limit"
            )
        mono = np.nan_to_num(block.mean(axis=1), nan=0.0, posinf=1.0, neginf=-1.0)
        samples = np.clip(np.rint(mono * 32_768.0), -32_768, 32_767).astype(np.int16)
        pieces.append(resampler.convert(samples.tobytes()))
    if frames == 0:
        raise InputError(f"reading recording {name}: it holds no sound")
    pieces.append(resampler.flush())
    return b"".join(pieces)


def _read_with_av(source: str | io.BytesIO, name: str, limit_s: float, problem: Exception) -> bytes:
    path = PurePath(name)
    try:
        import av
    except ImportError:
        raise InputError(
            f"reading recording {name}: it is not WAV, FLAC, Ogg or MP3 ({problem}); for other formats "
            f'pip install "warmline[media]", or convert it: ffmpeg -i {path.name} {path.stem}.wav'
        ) from problem
    if isinstance(source, io.BytesIO):
        source.seek(0)
    try:
        with av.open(source, "r") as container:
            if not container.streams.audio:
                raise InputError(f"reading recording {name}: it holds no sound")
            stream = container.streams.audio[0]
            # Channels are mixed here: libav's own mono is louder than their mean.
            converter = av.AudioResampler(format="fltp")
            blocks = (
                converted.to_ndarray().T
                for frame in itertools.chain(container.decode(stream), [None])
                for converted in converter.resample(frame)
            )
            return _mixed(name, stream.rate or 0, stream.channels, blocks, limit_s)
    except (av.error.FFmpegError, ValueError) as unreadable:
        raise InputError(
            f"reading recording {name}: {unreadable}; convert it: ffmpeg -i {path.name} {path.stem}.wav"
        ) from unreadable
