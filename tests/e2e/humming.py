"""Sound for scripted far ends, which take any sound for speech."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Final

from warmline.audio.recordings import write_wav

_RATE_HZ: Final = 16_000


def hum(path: Path, *parts_s: float) -> Path:
    """Write a recording of sound and silence in turn, so many seconds each; return its path."""
    wave: list[int] = []
    for index, part_s in enumerate(parts_s):
        loudness = 0 if index % 2 else 8_000
        samples = range(round(part_s * _RATE_HZ))
        wave += [round(loudness * math.sin(2 * math.pi * 180 * n / _RATE_HZ)) for n in samples]
    write_wav(path, struct.pack(f"<{len(wave)}h", *wave), rate_hz=_RATE_HZ)
    return path
