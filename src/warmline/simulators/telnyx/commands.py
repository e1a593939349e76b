"""What can be asked of Telnyx's call control. A field that the command does not have is refused."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Final, Literal

import msgspec

from warmline.simulators.telnyx.command import Command, Legs
from warmline.simulators.telnyx.errors import Refused, unfit
from warmline.simulators.telnyx.sound_commands import (
    GatherUsingAudio,
    GatherUsingSpeak,
    PlaybackStart,
    PlaybackStop,
    RecordStart,
    RecordStop,
    Speak,
    TranscriptionStart,
    TranscriptionStop,
)

__all__ = [
    "ACTIONS",
    "Answer",
    "Bridge",
    "Dial",
    "HangUp",
    "Reject",
    "SendDtmf",
    "StreamOptions",
    "StreamingStart",
    "StreamingStop",
    "Transfer",
    "UpdateClientState",
    "parsed",
]

_StreamCodec = Literal["PCMU", "PCMA", "G722", "OPUS", "AMR-WB", "L16", "default"]
_SendCodec = Literal["PCMU", "PCMA", "G722", "OPUS", "AMR-WB", "L16"]
_NumberOrNumbers = str | list[str]
_GOOGLE: Final = ("Google", "A")
"""Two names of one engine."""

_UNUSED: Final = {
    # Known to Telnyx, of no consequence here; by the schemas of its official SDK, 4.189.
    "call": (
        "webhook_url_method webhook_urls webhook_urls_method webhook_retries_policies custom_headers "
        "sip_headers sound_modifications preferred_codecs deepfake_detection record record_channels "
        "record_format record_max_length record_timeout_secs record_track record_trim "
        "record_custom_file_name billing_group_id transcription transcription_config assistant "
        "conversation_relay_config send_silence_when_idle"
    ),
    "dial": (
        "answering_machine_detection_config bridge_intent conference_config dialogflow_config "
        "enable_dialogflow diversion from_display_name media_encryption park_after_unbridge "
        "prevent_double_bridge privacy retry_on_timeout route_to_mobile send_digits_on_answer "
        "sip_auth_password sip_auth_username sip_region sip_transport_protocol supervise_call_control_id "
        "supervisor_role audio_url media_name early_media mute_dtmf"
    ),
}


class StreamOptions(Command, kw_only=True, frozen=True):
    """How a call's sound is to be streamed."""

    stream_url: str | None = None
    stream_track: Literal["inbound_track", "outbound_track", "both_tracks"] = "inbound_track"
    stream_codec: _StreamCodec = "default"
    stream_bidirectional_mode: Literal["mp3", "rtp"] = "mp3"
    stream_bidirectional_codec: _SendCodec = "PCMU"
    stream_bidirectional_target_legs: Legs = "opposite"
    stream_bidirectional_sampling_rate: Literal[8000, 16000, 22050, 24000, 48000] = 8000

    @property
    def auth_token(self) -> str:
        """What the server is to know the stream by."""
        return ""

    @property
    def parameters(self) -> dict[str, str]:
        """What the server is told when the stream starts."""
        return {}


class Answer(StreamOptions, kw_only=True, frozen=True):
    """Take an incoming call. Its schema has no sampling rate; one that is sent is not heeded."""

    webhook_url: str | None = None


class HangUp(Command, frozen=True, kw_only=True):
    """End the call."""

    reason: str | None = None
    custom_headers: tuple[dict[str, str], ...] = ()


class Reject(Command, frozen=True, kw_only=True):
    """Don't take an incoming call."""

    cause: Literal["CALL_REJECTED", "USER_BUSY"]


class Parameter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A custom parameter of a stream."""

    name: str
    value: str


class StreamingStart(StreamOptions, kw_only=True, frozen=True):
    """Stream a call's sound to a server."""

    stream_url: str
    stream_auth_token: Annotated[str, msgspec.Meta(max_length=4000)] = ""
    custom_parameters: tuple[Parameter, ...] = ()
    dialogflow_config: dict[str, Any] | None = None
    enable_dialogflow: bool = False

    @property
    def auth_token(self) -> str:
        """What the server is to know the stream by."""
        return self.stream_auth_token

    @property
    def parameters(self) -> dict[str, str]:
        """What the server is told when the stream starts."""
        return {each.name: each.value for each in self.custom_parameters}


class StreamingStop(Command, frozen=True, kw_only=True):
    """End a stream; the call goes on."""

    stream_id: str | None = None


class Dial(StreamOptions, kw_only=True, frozen=True):
    """Call somebody."""

    connection_id: str
    from_: str = msgspec.field(name="from")
    to: _NumberOrNumbers
    webhook_url: str | None = None
    timeout_secs: Annotated[int, msgspec.Meta(ge=5, le=600)] = 30
    time_limit_secs: Annotated[int, msgspec.Meta(ge=30, le=14_400)] = 14_400
    stream_auth_token: Annotated[str, msgspec.Meta(max_length=4000)] = ""
    stream_establish_before_call_originate: bool = False
    answering_machine_detection: Literal[
        "disabled", "detect", "detect_beep", "detect_words", "greeting_end", "premium"
    ] = "disabled"
    link_to: str | None = None
    bridge_on_answer: bool = False

    @property
    def auth_token(self) -> str:
        """What the server is to know the stream by."""
        return self.stream_auth_token


class Transfer(Command, frozen=True, kw_only=True):
    """Call somebody, and put the person through to them."""

    to: str
    from_: str | None = msgspec.field(default=None, name="from")
    webhook_url: str | None = None
    timeout_secs: Annotated[int, msgspec.Meta(ge=5, le=600)] = 30
    time_limit_secs: Annotated[int, msgspec.Meta(ge=30, le=14_400)] = 14_400
    target_leg_client_state: str | None = None
    answering_machine_detection: Literal[
        "disabled", "detect", "detect_beep", "detect_words", "greeting_end", "premium"
    ] = "disabled"


class SendDtmf(Command, frozen=True, kw_only=True):
    """Press keys; `w` waits half a second, and `W` a whole one."""

    digits: Annotated[str, msgspec.Meta(pattern="^[0-9A-DwW*#]+$")]
    duration_millis: Annotated[int, msgspec.Meta(ge=100, le=500)] = 250


class Bridge(Command, frozen=True, kw_only=True):
    """Put two people through to each other."""

    call_control_id: str
    """The other one's."""

    hold_after_unbridge: bool = False
    mute_dtmf: Legs | Literal["none"] = "none"
    park_after_unbridge: str | None = None
    play_ringtone: bool = False
    ringtone: str | None = None
    prevent_double_bridge: bool = False
    queue: str | None = None
    video_room_id: str | None = None
    video_room_context: str | None = None


class UpdateClientState(Command, kw_only=True, frozen=True):
    """Have another state echoed from now on."""

    client_state: str


ACTIONS: Final[dict[str, type[Command]]] = {
    "answer": Answer,
    "bridge": Bridge,
    "client_state_update": UpdateClientState,
    "gather_using_audio": GatherUsingAudio,
    "gather_using_speak": GatherUsingSpeak,
    "hangup": HangUp,
    "playback_start": PlaybackStart,
    "playback_stop": PlaybackStop,
    "record_start": RecordStart,
    "record_stop": RecordStop,
    "reject": Reject,
    "send_dtmf": SendDtmf,
    "speak": Speak,
    "streaming_start": StreamingStart,
    "streaming_stop": StreamingStop,
    "transcription_start": TranscriptionStart,
    "transcription_stop": TranscriptionStop,
    "transfer": Transfer,
}
"""By the last part of the path."""

_IGNORED: Final[dict[type[Command], frozenset[str]]] = {
    Answer: frozenset(_UNUSED["call"].split()),
    Dial: frozenset(f"{_UNUSED['call']} {_UNUSED['dial']}".split()),
    Transfer: frozenset(f"{_UNUSED['call']} {_UNUSED['dial']}".split()),
    Bridge: frozenset(name for name in _UNUSED["call"].split() if name.startswith("record")),
    RecordStart: frozenset({
        "transcription_engine",
        "transcription_language",
        "transcription_max_speaker_count",
        "transcription_min_speaker_count",
        "transcription_profanity_filter",
        "transcription_speaker_diarization",
    }),
}


def parsed(kind: type[Command], body: bytes) -> tuple[Command, dict[str, Any]]:
    """Return a command, and its body as it came.

    Raises:
        Refused: it is none.
    """
    try:
        fields = msgspec.json.decode(body or b"{}", type=dict[str, Any])
        ignored = _IGNORED.get(kind, frozenset())
        command = msgspec.convert({name: fields[name] for name in fields if name not in ignored}, kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise unfit(error) from error
    _check(command)
    return command, fields


def _check(command: Command) -> None:
    """Refuse what no schema says.

    Raises:
        Refused: fields don't go together, or hold what they can't.
    """
    if command.client_state is not None:
        try:
            base64.b64decode(command.client_state, validate=True)
        except binascii.Error:
            raise _bad("client_state must be base64", "/client_state") from None
    if isinstance(command, PlaybackStart):
        given = (command.audio_url, command.media_name, command.playback_content)
        if sum(each is not None for each in given) != 1:
            raise _bad("give one of audio_url, media_name, playback_content", "/audio_url")
    if isinstance(command, GatherUsingAudio) and (command.audio_url is None) == (command.media_name is None):
        raise _bad("give one of audio_url, media_name", "/audio_url")
    if isinstance(command, StreamOptions):
        _check_stream(command)
    if isinstance(command, TranscriptionStart):
        _check_transcription(command)


def _check_stream(options: StreamOptions) -> None:
    url = options.stream_url
    if url is not None and not url.startswith(("wss://", "ws://")):
        raise _bad("stream_url must be a WebSocket address", "/stream_url")
    for name in ("stream_codec", "stream_bidirectional_codec"):
        if getattr(options, name) in ("G722", "OPUS", "AMR-WB"):
            raise _bad(f"{getattr(options, name)} is not simulated; PCMU, PCMA and L16 are", f"/{name}")


def _check_transcription(command: TranscriptionStart) -> None:
    for engine, pointer in (
        (command.transcription_engine, "/transcription_engine"),
        (
            command.transcription_engine_config.transcription_engine,
            "/transcription_engine_config/transcription_engine",
        ),
    ):
        if engine not in _GOOGLE:
            raise _bad(f"{engine} is not simulated; Google is", pointer)
    if command.transcription_tracks != "inbound":
        raise _bad("what the agent says is not written down here; give inbound", "/transcription_tracks")


def _bad(detail: str, pointer: str) -> Refused:
    return Refused(422, "10015", "Bad Request", detail, pointer)
