"""Between a wire's audio format and the pcm16 that is worked on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from warmline.audio import g711
from warmline.audio.resample import StreamResampler
from warmline.core.formats import PCM_16K, AudioFormat, Encoding

__all__ = ["FormatEncoder", "Pcm16kDecoder", "pcm16_decoder"]

_DECODE: Final[Mapping[Encoding, Callable[[bytes], bytes]]] = {
    Encoding.PCMU: g711.decode_pcmu,
    Encoding.PCMA: g711.decode_pcma,
}
_ENCODE: Final[Mapping[Encoding, Callable[[bytes], bytes]]] = {
    Encoding.PCMU: g711.encode_pcmu,
    Encoding.PCMA: g711.encode_pcma,
}


def pcm16_decoder(encoding: Encoding) -> Callable[[bytes], bytes] | None:
    """Return what makes pcm16 of samples, at the rate that they have; None for those that are pcm16."""
    return _DECODE.get(encoding)


class Pcm16kDecoder:
    """Turns a stream of any `AudioFormat` into 16 kHz pcm16.

    Pieces may be of any length, even half a sample. A stream that is 16 kHz pcm16 already is
    handed through without a copy.

    What changes here: the filter's memory and the half sample, in `convert`.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        self._decode = pcm16_decoder(audio_format.encoding)
        self._resampler = (
            None
            if audio_format.rate_hz == PCM_16K.rate_hz
            else StreamResampler(audio_format.rate_hz, PCM_16K.rate_hz)
        )
        self._half_sample = b""

    def convert(self, audio: bytes) -> bytes:
        """Return the next piece at 16 kHz; it may be empty."""
        if self._decode is not None:
            audio = self._decode(audio)
        elif self._half_sample or len(audio) & 1:
            audio = self._half_sample + audio
            whole = len(audio) & ~1
            self._half_sample = audio[whole:]
            audio = audio[:whole]
        return audio if self._resampler is None else self._resampler.convert(audio)

    def flush(self) -> bytes:
        """Return what the filter still holds, and be ready for another stream."""
        self._half_sample = b""
        return b"" if self._resampler is None else self._resampler.flush()


class FormatEncoder:
    """Turns a stream of whole pcm16 samples at `from_hz` into an `AudioFormat`.

    What changes here: the filter's memory, in `convert` and `flush`.
    """

    def __init__(self, from_hz: int, audio_format: AudioFormat) -> None:
        self._encode = _ENCODE.get(audio_format.encoding)
        self._resampler = StreamResampler(from_hz, audio_format.rate_hz)

    def convert(self, pcm: bytes) -> bytes:
        """Return the next piece; it may be empty."""
        return self._written(self._resampler.convert(pcm))

    def flush(self) -> bytes:
        """Return what the filter still holds, and be ready for another stream."""
        return self._written(self._resampler.flush())

    def _written(self, pcm: bytes) -> bytes:
        return pcm if self._encode is None else self._encode(pcm)
