"""What ElevenLabs tells of its voices, its models and an account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["MODELS", "SETTINGS", "SOCKET_MODELS", "models", "subscription", "voice", "voices"]

MODELS: Final[Mapping[str, int]] = {
    "eleven_flash_v2_5": 40_000,
    "eleven_flash_v2": 30_000,
    "eleven_turbo_v2_5": 40_000,
    "eleven_turbo_v2": 30_000,
    "eleven_multilingual_v2": 10_000,
    "eleven_v3": 5_000,
}
"""Characters in one request, by model."""

SOCKET_MODELS: Final = frozenset(MODELS) - {"eleven_v3"}

SETTINGS: Final = {
    "stability": 0.5,
    "similarity_boost": 0.75,
    "style": 0.0,
    "use_speaker_boost": True,
    "speed": 1.0,
}


def voice(name: str) -> dict[str, Any]:
    """Return what is told of a voice."""
    return {
        "voice_id": name,
        "name": "Simulated",
        "category": "premade",
        "labels": {"accent": "synthetic"},
        "description": "The voice of this machine",
        "preview_url": None,
        "available_for_tiers": [],
        "settings": SETTINGS,
    }


def voices(names: Sequence[str]) -> dict[str, Any]:
    """Return the one page of all voices."""
    return {"voices": [voice(name) for name in names], "has_more": False, "total_count": len(names)}


def models() -> list[dict[str, Any]]:
    """Return what is told of all models."""
    return [
        {
            "model_id": name,
            "name": name.replace("_", " ").title(),
            "can_do_text_to_speech": True,
            "maximum_text_length_per_request": limit,
            "languages": [{"language_id": "en", "name": "English"}],
        }
        for name, limit in MODELS.items()
    ]


def subscription(voice_count: int) -> dict[str, Any]:
    """Return what is told of the account."""
    return {
        "tier": "creator",
        "character_count": 0,
        "character_limit": 100_000,
        "max_character_limit_extension": None,
        "can_extend_character_limit": False,
        "allowed_to_extend_character_limit": False,
        "voice_limit": 30,
        "can_use_instant_voice_cloning": True,
        "can_use_professional_voice_cloning": True,
        "voice_slots_used": voice_count,
        "professional_voice_slots_used": 0,
        "professional_voice_limit": 1,
        "voice_add_edit_counter": 0,
        "status": "active",
    }
