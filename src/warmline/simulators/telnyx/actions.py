"""What becomes of a command on a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import anyio

from warmline.simulators.telephone.states import CallState
from warmline.simulators.telnyx.call import TelnyxCall
from warmline.simulators.telnyx.command import Command
from warmline.simulators.telnyx.commands import (
    Answer,
    Bridge,
    HangUp,
    Reject,
    SendDtmf,
    StreamingStart,
    StreamingStop,
    Transfer,
    UpdateClientState,
)
from warmline.simulators.telnyx.errors import Refused
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

__all__ = ["Switchboard", "act"]

_PAUSES_S: Final = {"w": 0.5, "W": 1.0}


class Switchboard(Protocol):
    """Knows of the other legs."""

    def find(self, name: str) -> TelnyxCall | None:
        """Return a leg by its call control id; None if there is none."""
        ...

    def transfer(self, call: TelnyxCall, transfer: Transfer) -> None:
        """Begin to ring somebody for a person who is on another leg."""
        ...


def act(switchboard: Switchboard, call: TelnyxCall, command: Command, recording_url: str) -> None:
    """Begin to do what is asked; what comes of it is told by webhooks.

    Args:
        switchboard: For commands that are about two legs.
        call: The leg.
        command: What is asked.
        recording_url: Where its recording can be had.

    Raises:
        Refused: it can't be done.
    """
    call.check(may_ring=isinstance(command, Answer | Reject | HangUp | UpdateClientState))
    if call.has_seen(command.command_id):
        return
    _do(switchboard, call, command, recording_url)
    call.saw(command.command_id)


def _do(switchboard: Switchboard, call: TelnyxCall, command: Command, recording_url: str) -> None:
    if command.client_state is not None:
        call.client_state = command.client_state
    match command:
        case Answer():
            _answer(call, command)
        case Reject():
            _reject(call, command)
        case HangUp():
            call.end("normal_clearing", "server")
        case StreamingStart():
            _start_stream(call, command)
        case StreamingStop():
            call.start(call.stop_stream)
        case Transfer():
            switchboard.transfer(call, command)
        case Bridge():
            _bridge(switchboard, call, command)
        case SendDtmf():
            call.start(_press, call, command)
        case RecordStart() | RecordStop():
            _record(call, command, recording_url)
        case PlaybackStart() | PlaybackStop() | Speak():
            _announce(call, command)
        case GatherUsingAudio() | GatherUsingSpeak():
            call.start(_gather, call, command)
        case TranscriptionStart(transcription_engine_config=config):
            call.start_transcription(has_interim_results=config.interim_results)
        case TranscriptionStop():
            call.stop_transcription()


def _answer(call: TelnyxCall, command: Answer) -> None:
    if not call.is_incoming:
        raise Refused(422, "10015", "Bad Request", "Only an incoming call can be answered.")
    if call.state is CallState.ANSWERED:
        raise Refused(422, "10015", "Bad Request", "The call has been answered already.")
    if command.webhook_url:
        call.webhooks_to.url = command.webhook_url
    call.answer_with(command)


def _reject(call: TelnyxCall, command: Reject) -> None:
    if call.state is not CallState.RINGING or not call.is_incoming:
        raise Refused(
            422, "10015", "Bad Request", "Only a call that comes in, and still rings, can be rejected."
        )
    call.end({"CALL_REJECTED": "call_rejected", "USER_BUSY": "user_busy"}[command.cause], "server")


def _start_stream(call: TelnyxCall, command: StreamingStart) -> None:
    if call.has_stream:
        raise Refused(422, "10015", "Bad Request", "A call has one bidirectional stream at a time.")
    call.start(call.start_stream, command)


def _bridge(switchboard: Switchboard, call: TelnyxCall, command: Bridge) -> None:
    other = switchboard.find(command.call_control_id)
    if other is None:
        raise Refused(
            404, "10005", "Resource not found", "There is no such call to bridge with.", "/call_control_id"
        )
    other.check()
    call.bridge_with(other)


async def _press(call: TelnyxCall, command: SendDtmf) -> None:
    for key in command.digits:
        await anyio.sleep(_PAUSES_S.get(key, command.duration_millis / 1000))
        if key not in _PAUSES_S:
            call.digits_heard += key


def _record(call: TelnyxCall, command: RecordStart | RecordStop, url: str) -> None:
    if isinstance(command, RecordStop):
        call.save_recording()
    else:
        call.start_recording(command.channels, {command.format: url})


def _announce(call: TelnyxCall, command: PlaybackStart | PlaybackStop | Speak) -> None:
    phone = call.phone
    assert phone is not None  # the call was answered, or the command refused
    if command.stop is not None:
        call.announcements.stop(phone, is_current_only=command.stop == "current")
    if isinstance(command, Speak):
        call.start(call.announcements.play_text, phone, _words(command.payload), command.loop)
    elif isinstance(command, PlaybackStart):
        about: dict[str, Any] = {"overlay": command.overlay}
        if command.audio_url is not None:
            about["media_url"] = command.audio_url
        if command.media_name is not None:
            about["media_name"] = command.media_name
        play: Callable[[], Any] = lambda: call.announcements.play_file(  # noqa: E731
            phone,
            about,
            url=command.audio_url or "",
            content=command.playback_content or "",
            times=command.loop,
        )
        call.start(play)


async def _gather(call: TelnyxCall, command: GatherUsingAudio | GatherUsingSpeak) -> None:
    """Play, and wait for keys; a key cuts what is played off."""
    phone = call.phone
    assert phone is not None
    digits = ""
    pressed = anyio.Event()

    def take(digit: str) -> None:
        nonlocal digits, pressed
        if not digits:
            call.announcements.stop(phone)
        digits += digit
        pressed.set()
        pressed = anyio.Event()

    call.listen_for_digits(take)
    try:
        async with anyio.create_task_group() as tasks:
            if isinstance(command, GatherUsingSpeak):
                tasks.start_soon(call.announcements.play_text, phone, _words(command.payload))
            else:
                url = command.audio_url or ""
                play: Callable[[], Any] = lambda: call.announcements.play_file(phone, {}, url=url)  # noqa: E731
                tasks.start_soon(play)
            while not digits.endswith(command.terminating_digit) and len(digits) < command.maximum_digits:
                limit_ms = command.inter_digit_timeout_millis if digits else command.timeout_millis
                with anyio.move_on_after(limit_ms / 1000) as waiting:
                    await pressed.wait()
                if waiting.cancelled_caught:
                    break
            tasks.cancel_scope.cancel()
    finally:
        call.listen_for_digits(None)
    gathered = digits.removesuffix(command.terminating_digit)
    is_valid = len(gathered) >= command.minimum_digits and set(gathered) <= set(command.valid_digits)
    call.tell("call.gather.ended", {"digits": gathered, "status": "valid" if is_valid else "invalid"})


def _words(payload: str) -> str:
    """Return a text without the tags of SSML."""
    return " ".join(part.partition(">")[2] if ">" in part else part for part in payload.split("<")).strip()
