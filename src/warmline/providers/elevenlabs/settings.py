"""How a voice should sound, and how fast it should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["PRESETS", "Preset", "SpeechSettings", "VoiceSettings"]


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """What ElevenLabs calls voice settings; each figure is 0..1 but for the speed."""

    stability: float = 0.5
    similarity_boost: float = 0.75
    style: float = 0.0
    """Above 0 it takes longer."""

    use_speaker_boost: bool = True
    """On, it takes longer."""

    speed: float = 1.0
    """0.7 to 1.2."""

    def as_json(self) -> dict[str, Any]:
        """Return them as the wire has them."""
        return {
            "stability": self.stability,
            "similarity_boost": self.similarity_boost,
            "style": self.style,
            "use_speaker_boost": self.use_speaker_boost,
            "speed": self.speed,
        }


@dataclass(frozen=True, slots=True)
class Preset:
    """A model and the settings that go with it."""

    model: str
    voice_settings: VoiceSettings


PRESETS: Final[Mapping[str, Preset]] = {
    "quality": Preset("eleven_multilingual_v2", VoiceSettings(0.5, 0.75, use_speaker_boost=True)),
    "speed": Preset("eleven_flash_v2_5", VoiceSettings(0.35, 0.6, use_speaker_boost=False)),
}
"""The earlier systems' figures: `speed` made a reply's speech in 15 to 30 % less time."""


@dataclass(frozen=True, slots=True)
class SpeechSettings:
    """Which voice speaks, and how."""

    voice_id: str
    model: str
    voice_settings: VoiceSettings
    language_code: str = ""
    """ISO 639-1; empty leaves it to the model."""

    keep_alive_s: float = 60.0
    """How often a call's socket is kept open where nothing is said; below the far end's 180 s."""

    first_audio_s: float = 4.0
    """How long the first audio of a reply may take before it is asked for another way."""

    stall_s: float = 4.0
    """How long audio that is still owed may be late."""
