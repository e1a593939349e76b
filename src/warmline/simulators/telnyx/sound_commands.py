"""What Telnyx's call control can be asked to play, say, record, gather and write down."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from warmline.simulators.telnyx.command import Command, Legs

__all__ = [
    "Gather",
    "GatherUsingAudio",
    "GatherUsingSpeak",
    "PlaybackStart",
    "PlaybackStop",
    "RecordStart",
    "RecordStop",
    "Speak",
    "TranscriptionConfig",
    "TranscriptionStart",
    "TranscriptionStop",
]


class PlaybackStart(Command, frozen=True, kw_only=True):
    """Play a file to the person."""

    audio_url: str | None = None
    media_name: str | None = None
    playback_content: str | None = None
    audio_type: Literal["mp3", "wav"] = "mp3"
    loop: Annotated[int, msgspec.Meta(ge=1, le=100)] | Literal["infinity"] = 1
    overlay: bool = False
    stop: Literal["current", "all"] | None = None
    target_legs: Legs = "self"
    cache_audio: bool = True


class PlaybackStop(Command, frozen=True, kw_only=True):
    """Stop what is played to the person."""

    stop: Literal["current", "all"] = "all"
    overlay: bool = False


class Speak(Command, frozen=True, kw_only=True):
    """Say a text to the person."""

    payload: Annotated[str, msgspec.Meta(min_length=1, max_length=3000)]
    voice: str
    payload_type: Literal["text", "ssml"] = "text"
    language: str | None = None
    stop: Literal["current", "all"] | None = None
    target_legs: Legs = "self"
    loop: Annotated[int, msgspec.Meta(ge=1, le=100)] | Literal["infinity"] = 1
    service_level: Literal["basic", "premium"] = "premium"
    voice_settings: dict[str, Any] | None = None


class RecordStart(Command, frozen=True, kw_only=True):
    """Record both sides."""

    channels: Literal["single", "dual"]
    format: Literal["wav", "mp3"]
    max_length: Annotated[int, msgspec.Meta(ge=0, le=14_400)] = 0
    timeout_secs: int = 0
    play_beep: bool = False
    trim: Literal["trim-silence"] | None = None
    recording_track: Literal["both", "inbound", "outbound"] = "both"
    custom_file_name: str | None = None
    transcription: bool = False


class RecordStop(Command, frozen=True, kw_only=True):
    """Record no more."""

    recording_id: str | None = None


class Gather(Command, kw_only=True, frozen=True):
    """Which keys are waited for."""

    minimum_digits: Annotated[int, msgspec.Meta(ge=1, le=128)] = 1
    maximum_digits: Annotated[int, msgspec.Meta(ge=1, le=128)] = 128
    maximum_tries: Annotated[int, msgspec.Meta(ge=1, le=128)] = 3
    timeout_millis: Annotated[int, msgspec.Meta(ge=1)] = 60_000
    inter_digit_timeout_millis: Annotated[int, msgspec.Meta(ge=1)] = 5_000
    terminating_digit: str = "#"
    valid_digits: str = "0123456789#*"


class GatherUsingAudio(Gather, frozen=True, kw_only=True):
    """Play a file, and wait for keys."""

    audio_url: str | None = None
    media_name: str | None = None
    invalid_audio_url: str | None = None
    invalid_media_name: str | None = None


class GatherUsingSpeak(Gather, frozen=True, kw_only=True):
    """Say a text, and wait for keys."""

    payload: Annotated[str, msgspec.Meta(min_length=1, max_length=3000)]
    voice: str
    payload_type: Literal["text", "ssml"] = "text"
    invalid_payload: str | None = None
    language: str | None = None
    service_level: Literal["basic", "premium"] = "premium"
    voice_settings: dict[str, Any] | None = None


class TranscriptionConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How Google's engine is to listen; what is not about interim results is of no consequence here."""

    transcription_engine: str = "Google"
    interim_results: bool = False
    """Whether words are told before they are final."""

    language: str = "en"
    hints: tuple[str, ...] = ()
    model: str = "default"
    enable_speaker_diarization: bool = False
    max_speaker_count: int = 0
    min_speaker_count: int = 0
    profanity_filter: bool = False
    speech_context: tuple[dict[str, Any], ...] = ()
    use_enhanced: bool = False


class TranscriptionStart(Command, frozen=True, kw_only=True):
    """Write down what the person says."""

    transcription_engine: str = "Google"
    transcription_engine_config: TranscriptionConfig = TranscriptionConfig()
    transcription_tracks: Literal["inbound", "outbound", "both"] = "inbound"


class TranscriptionStop(Command, frozen=True, kw_only=True):
    """Write down no more."""
