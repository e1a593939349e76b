"""What ElevenLabs is asked and told; what does not fit these is refused."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

__all__ = [
    "AUDIO_CHUNK",
    "SOCKET_MESSAGE",
    "SPEECH_REQUEST",
    "SocketMessage",
    "SpeechRequest",
    "VoiceSettings",
]

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class VoiceSettings(msgspec.Struct, frozen=True):
    """How a voice speaks; the voice's own way where nothing is said."""

    stability: _Share | None = None
    similarity_boost: _Share | None = None
    style: _Share | None = None
    use_speaker_boost: bool | None = None
    speed: Annotated[float, msgspec.Meta(ge=0.7, le=1.2)] | None = None


class SpeechRequest(msgspec.Struct, frozen=True):
    """The body of a request for speech."""

    text: str
    model_id: str = "eleven_multilingual_v2"
    language_code: str | None = None
    voice_settings: VoiceSettings | None = None
    previous_text: str | None = None
    next_text: str | None = None
    apply_text_normalization: Literal["auto", "on", "off"] = "auto"


class _GenerationConfig(msgspec.Struct, frozen=True):
    chunk_length_schedule: list[Annotated[float, msgspec.Meta(ge=50, le=500)]] | None = None


class SocketMessage(msgspec.Struct, frozen=True):
    """A message on either of the sockets for text as it comes."""

    text: str | None = None
    context_id: str | None = None
    voice_settings: VoiceSettings | None = None
    generation_config: _GenerationConfig | None = None
    flush: bool = False
    try_trigger_generation: bool = False
    close_context: bool = False
    close_socket: bool = False


class _AudioChunk(msgspec.Struct, frozen=True, tag_field="message_type", tag="input_audio_chunk"):
    audio_base_64: bytes
    commit: bool = False
    sample_rate: int | None = None
    previous_text: str | None = None


SPEECH_REQUEST: Final = msgspec.json.Decoder(SpeechRequest)
SOCKET_MESSAGE: Final = msgspec.json.Decoder(SocketMessage)
AUDIO_CHUNK: Final = msgspec.json.Decoder(_AudioChunk)
