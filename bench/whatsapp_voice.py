"""What the voice's preset does to a voice note, for `whatsapp.py`."""

from __future__ import annotations

import statistics
from typing import Any, Final

import anyio.to_thread
from phone_house import House

from warmline.audio.voice_notes import encode
from warmline.cli.simulated import settings_with
from warmline.core.clock import SystemClock
from warmline.core.formats import PCM_24K
from warmline.server.assembly import open_providers, session_settings
from warmline.server.services.knowledge import load_knowledge
from warmline.session.correspondence import Correspondence

__all__ = ["SPEECH_MS", "presets"]

CLOCK: Final = SystemClock()
SPEECH_MS: Final = {"quality": 400.0, "speed": 75.0}
"""To the first audio. For flash it is ElevenLabs' figure. For multilingual v2 there is none; its turbo models
take about 300 ms by its help pages (article 19954594946705), and were announced as 25 % faster in English
than multilingual v2."""

_ANSWERS: Final = {
    "short": "We open at nine.",
    "long": "We open at nine in the morning, from Monday to Friday, and at ten on Saturdays. On Sundays and "
    "on public holidays we are closed. If you come by car, you can park behind the building.",
}


async def presets(there: House, times: int) -> list[dict[str, Any]]:
    """Return how long a voice note takes to be made with each preset.

    Args:
        there: Whose voice.
        times: That each is made.
    """
    rows: list[dict[str, Any]] = []
    for preset, speech_ms in SPEECH_MS.items():
        await there.script("elevenlabs", speech_ms=speech_ms)
        settings = settings_with(None, [f'elevenlabs.preset="{preset}"'], {})(there.found)
        knowledge = await load_knowledge(settings)
        async with open_providers(settings, knowledge) as providers:
            voice = Correspondence(providers, session_settings(settings), CLOCK)
            await voice.speak(_ANSWERS["short"], PCM_24K)
            for name, text in _ANSWERS.items():
                spoken_ms, made_ms = [], []
                for _ in range(times):
                    began_s = CLOCK.now_s()
                    pcm = await voice.speak(text, PCM_24K)
                    spoken_ms.append((CLOCK.now_s() - began_s) * 1000)
                    await anyio.to_thread.run_sync(encode, pcm, PCM_24K.rate_hz)
                    made_ms.append((CLOCK.now_s() - began_s) * 1000)
                rows.append({
                    "preset": preset,
                    "answer": f"{name}, {PCM_24K.duration_s(len(pcm)):.1f} s",
                    "model_ms": speech_ms,
                    "spoken_ms": round(statistics.median(spoken_ms)),
                    "note_ms": round(statistics.median(made_ms)),
                })
    for quality, speed in zip(rows[:2], rows[2:], strict=True):
        quality["less_percent"] = 0
        speed["less_percent"] = round((1 - speed["spoken_ms"] / quality["spoken_ms"]) * 100)
    return rows
