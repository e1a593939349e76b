"""What Telnyx can be asked to play, say, record and write down, as values. No I/O."""

from __future__ import annotations

from typing import Any, Final, Literal

from warmline.channels.telephone.telnyx.command import TelnyxCommand, action

__all__ = [
    "playback_start",
    "playback_stop",
    "record_start",
    "record_stop",
    "speak",
    "transcription_start",
    "transcription_stop",
]

_SPOKEN: Final = 3000
"""Characters that one text may have."""


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
    return action(
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
    return action(call_control_id, "playback_stop", command_id, stop=which)


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
    return action(
        call_control_id,
        "speak",
        command_id,
        payload=text,
        payload_type="text",
        voice=voice,
        language=language,
        client_state=client_state,
    )


def record_start(
    call_control_id: str,
    *,
    command_id: str,
    channels: Literal["single", "dual"] = "dual",
    file_format: Literal["mp3", "wav"] = "mp3",
    has_beep: bool = False,
) -> TelnyxCommand:
    """Begin to record; `RecordingSaved` says where it is, some time after the end."""
    return action(
        call_control_id,
        "record_start",
        command_id,
        channels=channels,
        format=file_format,
        play_beep=has_beep or None,
    )


def record_stop(call_control_id: str, *, command_id: str) -> TelnyxCommand:
    """End a recording."""
    return action(call_control_id, "record_stop", command_id)


def transcription_start(call_control_id: str, *, command_id: str, language: str) -> TelnyxCommand:
    """Have what the person says written down from now on; `WordsTranscribed` tells it.

    Google's engine is asked for, Telnyx' default: it tells words before they are final, which some of the
    others don't.

    Args:
        call_control_id: Whose.
        command_id: What the command is known by.
        language: What is spoken, as ISO 639-1.
    """
    engine = "Google"
    config: dict[str, Any] = {"transcription_engine": engine, "language": language, "interim_results": True}
    return action(
        call_control_id,
        "transcription_start",
        command_id,
        transcription_engine=engine,
        transcription_engine_config=config,
        transcription_tracks="inbound",
    )


def transcription_stop(call_control_id: str, *, command_id: str) -> TelnyxCommand:
    """End that."""
    return action(call_control_id, "transcription_stop", command_id)
