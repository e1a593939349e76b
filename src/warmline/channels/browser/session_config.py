"""The Realtime session object: what a client may set of it, and what that means for a session."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from warmline.core.formats import AudioFormat, Encoding
from warmline.errors import RemoteProtocolError
from warmline.interfaces.channel import TurnSettings

__all__ = ["SessionConfig", "SessionPatch"]


class PcmFormat(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="audio/pcm"):
    """pcm16, little-endian, mono."""

    rate: Annotated[int, msgspec.Meta(ge=8000, le=48_000)] = 24_000


class PcmuFormat(msgspec.Struct, frozen=True, tag_field="type", tag="audio/pcmu"):
    """G.711 mu-law at 8 kHz."""


class PcmaFormat(msgspec.Struct, frozen=True, tag_field="type", tag="audio/pcma"):
    """G.711 A-law at 8 kHz."""


_Format = PcmFormat | PcmuFormat | PcmaFormat


class ServerVad(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="server_vad"):
    """End the turn by silence."""

    threshold: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.5
    prefix_padding_ms: Annotated[int, msgspec.Meta(ge=0, le=5000)] = 300
    silence_duration_ms: Annotated[int, msgspec.Meta(ge=100, le=10_000)] = 500
    create_response: bool = True
    interrupt_response: bool = True
    idle_timeout_ms: int | None = None


class SemanticVad(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="semantic_vad"
):
    """Taken as `ServerVad` with its default silence."""

    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


class InputPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`audio.input`."""

    format: _Format | UnsetType = UNSET
    noise_reduction: Any = UNSET
    transcription: Any = UNSET
    turn_detection: ServerVad | SemanticVad | UnsetType | None = UNSET


class OutputPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`audio.output`."""

    format: _Format | UnsetType = UNSET
    voice: Any = UNSET
    speed: Annotated[float, msgspec.Meta(ge=0.25, le=1.5)] | UnsetType = UNSET


class AudioPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`audio`."""

    input: InputPatch = InputPatch()
    output: OutputPatch = OutputPatch()


class SessionPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`session.update`'s `session`; fields that are left out do not change."""

    type: Literal["realtime"]
    model: Any = UNSET
    id: Any = UNSET
    object: Any = UNSET
    expires_at: Any = UNSET
    output_modalities: list[Literal["audio", "text"]] | UnsetType = UNSET
    instructions: str | UnsetType | None = UNSET
    audio: AudioPatch = AudioPatch()
    tools: list[dict[str, Any]] | UnsetType | None = UNSET
    tool_choice: Any = UNSET
    parallel_tool_calls: Any = UNSET
    max_output_tokens: Any = UNSET
    truncation: Any = UNSET
    tracing: Any = UNSET
    prompt: Any = UNSET
    include: Any = UNSET
    reasoning: Any = UNSET


_KEPT: Final = (
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_output_tokens",
    "truncation",
    "tracing",
    "prompt",
    "include",
    "reasoning",
)
"""Fields that come back as they were set, and have no effect here."""


class SessionConfig:
    """One session's object.

    What changes here: everything but the id and the model, and only in `update`.
    """

    def __init__(self, session_id: str, model: str, expires_at: int, turns: TurnSettings, instructions: str):
        """Begin with the operator's choices; `expires_at` is in seconds since 1970."""
        self._fixed = {"id": session_id, "model": model, "expires_at": expires_at}
        self._defaults = turns
        self._instructions = instructions
        self._modality: Literal["audio", "text"] = "audio"
        self._input: _Format = PcmFormat()
        self._output: _Format = PcmFormat()
        self._vad: ServerVad | SemanticVad | None = ServerVad(
            threshold=turns.speech_threshold,
            silence_duration_ms=turns.silence_ms,
            create_response=turns.replies_by_itself,
            interrupt_response=turns.can_be_interrupted,
        )
        self._voice: Any = "default"
        self._speed = 1.0
        self._audio_kept: dict[str, Any] = {"noise_reduction": None, "transcription": {"model": "default"}}
        self._kept: dict[str, Any] = {
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "truncation": "auto",
            "tracing": None,
            "prompt": None,
            "include": None,
        }

    @property
    def input_format(self) -> AudioFormat:
        """What the client sends."""
        return _audio_format(self._input)

    @property
    def output_format(self) -> AudioFormat | None:
        """What the client plays, or None if it wants text alone."""
        return _audio_format(self._output) if self._modality == "audio" else None

    @property
    def modality(self) -> Literal["audio", "text"]:
        """What replies are made of."""
        return self._modality

    @property
    def instructions(self) -> str:
        """How the agent should behave."""
        return self._instructions

    @property
    def turns(self) -> TurnSettings:
        """How turns are taken."""
        match self._vad:
            case None:
                return TurnSettings(detects_turns=False, replies_by_itself=False)
            case SemanticVad():
                return TurnSettings(
                    replies_by_itself=self._vad.create_response,
                    can_be_interrupted=self._vad.interrupt_response,
                    speech_threshold=self._defaults.speech_threshold,
                    silence_ms=self._defaults.silence_ms,
                )
            case ServerVad():
                return TurnSettings(
                    replies_by_itself=self._vad.create_response,
                    can_be_interrupted=self._vad.interrupt_response,
                    speech_threshold=self._vad.threshold,
                    silence_ms=self._vad.silence_duration_ms,
                )

    def update(self, patch: SessionPatch, *, has_spoken: bool) -> None:
        """Take a client's changes, all or none.

        Args:
            patch: What it sent.
            has_spoken: Whether a reply's audio was sent already; the voice is settled then.

        Raises:
            RemoteProtocolError: a change is not possible.
        """
        if patch.output_modalities is not UNSET and len(patch.output_modalities) != 1:
            raise RemoteProtocolError(
                'output_modalities is ["audio"] or ["text"], not both',
                code="invalid_value",
                param="session.output_modalities",
            )
        output = patch.audio.output
        if has_spoken and (
            output.voice not in (UNSET, self._voice) or output.format not in (UNSET, self._output)
        ):
            raise RemoteProtocolError(
                "The voice and its format can't change once the agent has spoken",
                code="cannot_update_voice",
                param="session.audio.output",
            )
        if patch.output_modalities is not UNSET:
            self._modality = patch.output_modalities[0]
        if patch.instructions is not UNSET:
            self._instructions = patch.instructions or ""
        if patch.audio.input.format is not UNSET:
            self._input = patch.audio.input.format
        if patch.audio.input.turn_detection is not UNSET:
            self._vad = patch.audio.input.turn_detection
        for name in self._audio_kept:
            value = getattr(patch.audio.input, name)
            if value is not UNSET:
                self._audio_kept[name] = value
        if output.format is not UNSET:
            self._output = output.format
        if output.voice is not UNSET:
            self._voice = output.voice
        if output.speed is not UNSET:
            self._speed = output.speed
        for name in _KEPT:
            value = getattr(patch, name)
            if value is not UNSET:
                self._kept[name] = value

    def to_json(self) -> dict[str, Any]:
        """Return the session as the wire has it."""
        return {
            "type": "realtime",
            "object": "realtime.session",
            **self._fixed,
            "output_modalities": [self._modality],
            "instructions": self._instructions,
            **self._kept,
            "audio": {
                "input": {"format": self._input, **self._audio_kept, "turn_detection": self._vad},
                "output": {"format": self._output, "voice": self._voice, "speed": self._speed},
            },
        }


def _audio_format(wire: _Format) -> AudioFormat:
    match wire:
        case PcmFormat(rate=rate_hz):
            return AudioFormat(Encoding.PCM16, rate_hz)
        case PcmuFormat():
            return AudioFormat(Encoding.PCMU, 8000)
        case PcmaFormat():
            return AudioFormat(Encoding.PCMA, 8000)
