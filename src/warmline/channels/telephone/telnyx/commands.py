"""What can be asked of Telnyx for a call, as values. No I/O.

A command that comes a second time with the same `command_id`, for the same call and within a minute, is
ignored: it is sent again without fear, and a name such as `answer` of the call's own makes it happen once
however often its reason is delivered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec

from warmline.channels.telephone.telnyx.client_state import encode_client_state
from warmline.channels.telephone.telnyx.media import codec_name
from warmline.core.formats import PCMU_8K, AudioFormat, Encoding
from warmline.pool.http import HttpRequest

__all__ = [
    "Detection",
    "Legs",
    "RejectCause",
    "Stream",
    "TelnyxCommand",
    "answer",
    "dial",
    "hangup",
    "playback_start",
    "playback_stop",
    "record_start",
    "record_stop",
    "reject",
    "send_dtmf",
    "speak",
    "streaming_start",
    "streaming_stop",
    "transfer",
]

RejectCause = Literal["CALL_REJECTED", "USER_BUSY", "NOT_FOUND", "TEMPORARILY_UNAVAILABLE"]
Legs = Literal["self", "opposite", "both"]
Detection = Literal["premium", "detect", "detect_beep", "detect_words", "greeting_end", "disabled"]

_SPOKEN: Final = 3000
"""Characters that one text may have."""


@dataclass(frozen=True, slots=True)
class TelnyxCommand:
    """One command."""

    name: str
    """Such as `answer`."""

    path: str
    """From the base URL on."""

    parameters: Mapping[str, Any]
    """What its body holds, the command's id among it."""

    @property
    def command_id(self) -> str:
        """What Telnyx knows it by if it comes again."""
        return str(self.parameters["command_id"])

    def request(self) -> HttpRequest:
        """Return the request; the same each time."""
        return HttpRequest(
            "POST",
            self.path,
            (("content-type", "application/json"),),
            msgspec.json.encode(self.parameters),
        )


@dataclass(frozen=True, slots=True)
class Stream:
    """The media stream that is asked for: the person's voice to us, ours to them."""

    url: str
    """`wss://`; whoever knows it can speak in the call, so that it holds a secret."""

    audio_format: AudioFormat = PCMU_8K
    """Both ways. Telnyx converts between PCMU and PCMA alone; where it can't, the person's audio comes in
    the call's own codec."""

    auth_token: str = ""
    """Comes back in the handshake's headers; `answer` has no field for it."""

    target_legs: Legs | None = None
    """Who hears us; None leaves it to Telnyx."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    """Come back when the stream starts; only `streaming_start` has a field for them."""

    def fields(self) -> dict[str, Any]:
        """Return the fields that all commands with a stream have."""
        codec = codec_name(self.audio_format)
        return {
            "stream_url": self.url,
            "stream_track": "inbound_track",
            "stream_codec": codec,
            # The default, mp3, takes files: what is sent as RTP payload would be dropped without a word.
            "stream_bidirectional_mode": "rtp",
            "stream_bidirectional_codec": codec,
            **_given(
                stream_bidirectional_target_legs=self.target_legs,
                stream_bidirectional_sampling_rate=(
                    self.audio_format.rate_hz if self.audio_format.encoding is Encoding.PCM16 else None
                ),
            ),
        }


def answer(
    call_control_id: str, *, command_id: str, stream: Stream | None = None, client_state: str = ""
) -> TelnyxCommand:
    """Take an incoming call.

    Args:
        call_control_id: Whose.
        command_id: What the command is known by.
        stream: The media stream to begin with.
        client_state: Comes with every later event of this leg.

    Raises:
        ValueError: the stream has a token or parameters, which this command can't carry.
    """
    if stream is not None and (stream.auth_token or stream.parameters):
        raise ValueError(
            "answering takes neither a stream's token nor its parameters: put a secret into its URL's path, "
            "or answer without a stream and use streaming_start"
        )
    return _action(
        call_control_id,
        "answer",
        command_id,
        client_state=client_state,
        **(stream.fields() if stream else {}),
    )


def hangup(call_control_id: str, *, command_id: str) -> TelnyxCommand:
    """End a call that was answered, or one of ours that still rings."""
    return _action(call_control_id, "hangup", command_id)


def reject(call_control_id: str, *, command_id: str, cause: RejectCause = "CALL_REJECTED") -> TelnyxCommand:
    """Refuse an incoming call; the caller hears a tone, and pays nothing."""
    return _action(call_control_id, "reject", command_id, cause=cause)


def playback_start(
    call_control_id: str,
    *,
    command_id: str,
    audio_url: str = "",
    media_name: str = "",
    audio: bytes = b"",
    is_repeated: bool = False,
    client_state: str = "",
) -> TelnyxCommand:
    """Play a recording, mp3 or WAV: one at an address, one that was uploaded, or these bytes.

    Raises:
        ValueError: it is not exactly one of the three.
    """
    if [bool(audio_url), bool(media_name), bool(audio)].count(True) != 1:
        raise ValueError("a recording is played from an address, by its name, or from bytes: give one")
    return _action(
        call_control_id,
        "playback_start",
        command_id,
        audio_url=audio_url,
        media_name=media_name,
        playback_content=audio,
        audio_type="wav" if audio.startswith(b"RIFF") else None,
        loop="infinity" if is_repeated else None,
        client_state=client_state,
    )


def playback_stop(
    call_control_id: str, *, command_id: str, which: Literal["current", "all"] = "all"
) -> TelnyxCommand:
    """Stop what is played; what is queued behind it as well, unless it is the current one alone."""
    return _action(call_control_id, "playback_stop", command_id, stop=which)


def speak(
    call_control_id: str,
    text: str,
    *,
    command_id: str,
    voice: str,
    language: str = "",
    client_state: str = "",
) -> TelnyxCommand:
    """Have Telnyx say a text.

    Args:
        call_control_id: Whose.
        text: No more than 3,000 characters.
        command_id: What the command is known by.
        voice: As `<Provider>.<Model>.<Voice>`, such as `Telnyx.KokoroTTS.af`.
        language: Such as `en-GB`; some voices have only one.
        client_state: Comes with the events of this text.

    Raises:
        ValueError: the text is empty or too long.
    """
    if not 0 < len(text) <= _SPOKEN:
        raise ValueError(f"a text to be spoken has 1 to {_SPOKEN} characters")
    return _action(
        call_control_id,
        "speak",
        command_id,
        payload=text,
        payload_type="text",
        voice=voice,
        language=language,
        client_state=client_state,
    )


def streaming_start(
    call_control_id: str, stream: Stream, *, command_id: str, client_state: str = ""
) -> TelnyxCommand:
    """Begin a media stream, on a call that was answered."""
    parameters = [{"name": name, "value": value} for name, value in stream.parameters.items()]
    return _action(
        call_control_id,
        "streaming_start",
        command_id,
        **stream.fields(),
        stream_auth_token=stream.auth_token,
        custom_parameters=parameters,
        client_state=client_state,
    )


def streaming_stop(call_control_id: str, *, command_id: str, stream_id: str = "") -> TelnyxCommand:
    """End a media stream, or all that the call has."""
    return _action(call_control_id, "streaming_stop", command_id, stream_id=stream_id)


def transfer(
    call_control_id: str,
    to: str,
    *,
    command_id: str,
    from_number: str = "",
    timeout_s: int | None = None,
    client_state: str = "",
) -> TelnyxCommand:
    """Connect the person with somebody else; `CallBridged` says when that was answered.

    Args:
        call_control_id: Whose.
        to: A number in international form, or a SIP address.
        command_id: What the command is known by.
        from_number: Who is seen to call; the person by default.
        timeout_s: How long it rings there, 5 to 600 seconds.
        client_state: Comes with the events of the new leg.
    """
    state = encode_client_state(client_state) if client_state else None
    fields = _given(to=to, timeout_secs=timeout_s, target_leg_client_state=state)
    return _action(call_control_id, "transfer", command_id, **fields, **_given(**{"from": from_number}))


def send_dtmf(
    call_control_id: str, digits: str, *, command_id: str, duration_ms: int | None = None
) -> TelnyxCommand:
    """Press keys.

    Args:
        call_control_id: Whose.
        digits: 0 to 9, A to D, `*`, `#`; `w` waits for half a second, `W` for one.
        command_id: What the command is known by.
        duration_ms: Of each key, 100 to 500; 250 by default.
    """
    return _action(call_control_id, "send_dtmf", command_id, digits=digits, duration_millis=duration_ms)


def record_start(
    call_control_id: str,
    *,
    command_id: str,
    channels: Literal["single", "dual"] = "dual",
    file_format: Literal["mp3", "wav"] = "mp3",
    has_beep: bool = False,
) -> TelnyxCommand:
    """Begin to record; `RecordingSaved` says where it is, some time after the end."""
    return _action(
        call_control_id,
        "record_start",
        command_id,
        channels=channels,
        format=file_format,
        play_beep=has_beep or None,
    )


def record_stop(call_control_id: str, *, command_id: str) -> TelnyxCommand:
    """End a recording."""
    return _action(call_control_id, "record_stop", command_id)


def dial(
    to: str,
    *,
    from_number: str,
    connection_id: str,
    command_id: str,
    stream: Stream | None = None,
    timeout_s: int | None = None,
    time_limit_s: int | None = None,
    detection: Detection | None = None,
    webhook_url: str = "",
    client_state: str = "",
) -> TelnyxCommand:
    """Call somebody.

    Args:
        to: A number in international form, or a SIP address.
        from_number: One of ours.
        connection_id: The Call Control application's id.
        command_id: What the command is known by.
        stream: The media stream, which begins when the call is answered.
        timeout_s: How long it rings, 5 to 600 seconds; 30 by default.
        time_limit_s: After which the call ends; 4 hours by default.
        detection: Whether it is found out that a machine answers.
        webhook_url: Where its events go; the application's by default.
        client_state: Comes with every event of this leg.

    Raises:
        ValueError: the stream has parameters, which this command can't carry.
    """
    if stream is not None and stream.parameters:
        raise ValueError("dialling takes no parameters of a stream: use client_state, or the URL's path")
    fields = _given(
        to=to,
        connection_id=connection_id,
        timeout_secs=timeout_s,
        time_limit_secs=time_limit_s,
        answering_machine_detection=detection,
        webhook_url=webhook_url,
        stream_auth_token=stream.auth_token if stream else None,
        client_state=encode_client_state(client_state) if client_state else None,
        command_id=command_id,
        **{"from": from_number},
    )
    return TelnyxCommand("dial", "/calls", fields | (stream.fields() if stream else {}))


def _action(
    call_control_id: str, name: str, command_id: str, *, client_state: str = "", **fields: Any
) -> TelnyxCommand:
    path = f"/calls/{quote(call_control_id, safe='')}/actions/{name}"
    state = encode_client_state(client_state) if client_state else None
    return TelnyxCommand(name, path, _given(**fields, client_state=state, command_id=command_id))


def _given(**fields: Any) -> dict[str, Any]:
    """Return the fields that say something."""
    return {name: value for name, value in fields.items() if value not in (None, "", b"", [])}
