"""What can be asked of Telnyx for a call itself and its media stream, as values. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from warmline.channels.telephone.telnyx.client_state import encode_client_state
from warmline.channels.telephone.telnyx.command import TelnyxCommand, action, given
from warmline.channels.telephone.telnyx.media import codec_name
from warmline.core.formats import PCMU_8K, AudioFormat, Encoding

__all__ = [
    "Detection",
    "Legs",
    "RejectCause",
    "Stream",
    "answer",
    "dial",
    "hangup",
    "reject",
    "send_dtmf",
    "streaming_start",
    "streaming_stop",
    "transfer",
]

RejectCause = Literal["CALL_REJECTED", "USER_BUSY", "NOT_FOUND", "TEMPORARILY_UNAVAILABLE"]
Legs = Literal["self", "opposite", "both"]
Detection = Literal["premium", "detect", "detect_beep", "detect_words", "greeting_end", "disabled"]


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
            **given(
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
    return action(
        call_control_id,
        "answer",
        command_id,
        client_state=client_state,
        **(stream.fields() if stream else {}),
    )


def hangup(call_control_id: str, *, command_id: str) -> TelnyxCommand:
    """End a call that was answered, or one of ours that still rings."""
    return action(call_control_id, "hangup", command_id)


def reject(call_control_id: str, *, command_id: str, cause: RejectCause = "CALL_REJECTED") -> TelnyxCommand:
    """Refuse an incoming call; the caller hears a tone, and pays nothing."""
    return action(call_control_id, "reject", command_id, cause=cause)


def streaming_start(
    call_control_id: str, stream: Stream, *, command_id: str, client_state: str = ""
) -> TelnyxCommand:
    """Begin a media stream, on a call that was answered."""
    parameters = [{"name": name, "value": value} for name, value in stream.parameters.items()]
    return action(
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
    return action(call_control_id, "streaming_stop", command_id, stream_id=stream_id)


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
    fields = given(to=to, timeout_secs=timeout_s, target_leg_client_state=state)
    return action(call_control_id, "transfer", command_id, **fields, **given(**{"from": from_number}))


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
    return action(call_control_id, "send_dtmf", command_id, digits=digits, duration_millis=duration_ms)


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
    fields = given(
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
