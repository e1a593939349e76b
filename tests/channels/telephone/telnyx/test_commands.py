"""Commands to Telnyx; its own library is asked to send the same."""

import json
from urllib.parse import unquote

import httpx
import pytest
from pydantic import TypeAdapter
from telnyx import Telnyx
from telnyx.types import CallDialParams, calls

from warmline.channels.telephone.telnyx import commands, sound_commands
from warmline.channels.telephone.telnyx.commands import Stream
from warmline.core.formats import PCM_16K, PCMA_8K

pytestmark = pytest.mark.unit

CALL = "v3:AbC_-/9+="
STREAM = Stream("wss://agent.example/media/secret")
FULL = Stream(
    "wss://agent.example/media", PCM_16K, auth_token="secret", target_legs="both", parameters={"agent": "7"}
)

COMMANDS = [
    (
        commands.answer(CALL, command_id="a", stream=STREAM, client_state="lobby"),
        "answer",
        calls.ActionAnswerParams,
        {
            "stream_url": "wss://agent.example/media/secret",
            "stream_track": "inbound_track",
            "stream_codec": "PCMU",
            "stream_bidirectional_mode": "rtp",
            "stream_bidirectional_codec": "PCMU",
            "client_state": "bG9iYnk=",
        },
    ),
    (commands.answer(CALL, command_id="a"), "answer", calls.ActionAnswerParams, {}),
    (commands.hangup(CALL, command_id="a"), "hangup", calls.ActionHangupParams, {}),
    (
        commands.reject(CALL, command_id="a", cause="USER_BUSY"),
        "reject",
        calls.ActionRejectParams,
        {"cause": "USER_BUSY"},
    ),
    (
        sound_commands.playback_start(CALL, command_id="a", audio_url="https://x/a.wav", is_repeated=True),
        "start_playback",
        calls.ActionStartPlaybackParams,
        {"audio_url": "https://x/a.wav", "loop": "infinity"},
    ),
    (
        sound_commands.playback_start(CALL, command_id="a", audio=b"RIFFxx"),
        "start_playback",
        calls.ActionStartPlaybackParams,
        {"playback_content": "UklGRnh4", "audio_type": "wav"},
    ),
    (
        sound_commands.playback_stop(CALL, command_id="a"),
        "stop_playback",
        calls.ActionStopPlaybackParams,
        {"stop": "all"},
    ),
    (
        sound_commands.speak(
            CALL, "We are closed.", command_id="a", voice="Telnyx.KokoroTTS.af", language="en-GB"
        ),
        "speak",
        calls.ActionSpeakParams,
        {
            "payload": "We are closed.",
            "payload_type": "text",
            "voice": "Telnyx.KokoroTTS.af",
            "language": "en-GB",
        },
    ),
    (
        commands.streaming_start(CALL, FULL, command_id="a"),
        "start_streaming",
        calls.ActionStartStreamingParams,
        {
            "stream_url": "wss://agent.example/media",
            "stream_track": "inbound_track",
            "stream_codec": "L16",
            "stream_bidirectional_mode": "rtp",
            "stream_bidirectional_codec": "L16",
            "stream_bidirectional_sampling_rate": 16000,
            "stream_bidirectional_target_legs": "both",
            "stream_auth_token": "secret",
            "custom_parameters": [{"name": "agent", "value": "7"}],
        },
    ),
    (
        commands.streaming_stop(CALL, command_id="a", stream_id="s"),
        "stop_streaming",
        calls.ActionStopStreamingParams,
        {"stream_id": "s"},
    ),
    (
        commands.transfer(
            CALL, "+15550003", command_id="a", from_number="+15550001", timeout_s=20, client_state="x"
        ),
        "transfer",
        calls.ActionTransferParams,
        {"to": "+15550003", "from": "+15550001", "timeout_secs": 20, "target_leg_client_state": "eA=="},
    ),
    (
        commands.send_dtmf(CALL, "1w2#", command_id="a", duration_ms=300),
        "send_dtmf",
        calls.ActionSendDtmfParams,
        {"digits": "1w2#", "duration_millis": 300},
    ),
    (
        sound_commands.record_start(CALL, command_id="a", has_beep=True),
        "start_recording",
        calls.ActionStartRecordingParams,
        {"channels": "dual", "format": "mp3", "play_beep": True},
    ),
    (
        sound_commands.transcription_start(CALL, command_id="a", language="de"),
        "start_transcription",
        calls.ActionStartTranscriptionParams,
        {
            "transcription_engine": "Google",
            "transcription_engine_config": {
                "transcription_engine": "Google",
                "language": "de",
                "interim_results": True,
            },
            "transcription_tracks": "inbound",
        },
    ),
    (
        sound_commands.transcription_stop(CALL, command_id="a"),
        "stop_transcription",
        calls.ActionStopTranscriptionParams,
        {},
    ),
    (sound_commands.record_stop(CALL, command_id="a"), "stop_recording", calls.ActionStopRecordingParams, {}),
]


class _Theirs:
    """Telnyx's library, and what it would have sent."""

    def __init__(self):
        self.requests = []
        transport = httpx.MockTransport(self._answer)
        self.client = Telnyx(
            api_key="KEY",
            base_url="https://far.end/v2",
            max_retries=0,
            http_client=httpx.Client(transport=transport),
        )

    def _answer(self, request):
        self.requests.append((request.url.raw_path.decode(), json.loads(request.content)))
        return httpx.Response(200, json={"data": {"result": "ok"}})


def renamed(parameters):
    return {{"from": "from_"}.get(name, name): value for name, value in parameters.items()}


@pytest.mark.parametrize(("command", "method", "params", "fields"), COMMANDS)
def test_a_command_is_what_telnyxs_library_would_send(command, method, params, fields):
    """The same path, with the call's id escaped, and the same body, of fields that it has types for."""
    request = command.request()
    sent = json.loads(request.body)
    assert sent == {**fields, "command_id": "a"}
    assert command.command_id == "a"
    theirs = _Theirs()
    getattr(theirs.client.calls.actions, method)(CALL, **renamed(sent))
    [(path, theirs_sent)] = theirs.requests
    # It leaves some characters as they are which may be either way.
    assert unquote(path) == unquote("/v2" + request.path)
    assert request.path.count("/") == path.count("/") - 1
    assert theirs_sent == sent
    assert set(renamed(sent)) <= set(params.__annotations__)
    TypeAdapter(params).validate_python(renamed(sent))


def test_dialling_is_what_telnyxs_library_would_send():
    """With a stream that begins when somebody answers."""
    command = commands.dial(
        "+15550002",
        from_number="+15550001",
        connection_id="7267",
        command_id="a",
        stream=Stream("wss://x", PCMA_8K, auth_token="secret"),
        timeout_s=25,
        time_limit_s=600,
        detection="premium",
        webhook_url="https://x/hooks",
        client_state="lobby",
    )
    sent = json.loads(command.request().body)
    assert sent == {
        "to": "+15550002",
        "from": "+15550001",
        "connection_id": "7267",
        "command_id": "a",
        "timeout_secs": 25,
        "time_limit_secs": 600,
        "answering_machine_detection": "premium",
        "webhook_url": "https://x/hooks",
        "client_state": "bG9iYnk=",
        "stream_url": "wss://x",
        "stream_track": "inbound_track",
        "stream_codec": "PCMA",
        "stream_bidirectional_mode": "rtp",
        "stream_bidirectional_codec": "PCMA",
        "stream_auth_token": "secret",
    }
    theirs = _Theirs()
    theirs.client.calls.dial(**renamed(sent))
    assert theirs.requests == [("/v2/calls", sent)]
    assert set(renamed(sent)) <= set(CallDialParams.__annotations__)


def test_a_command_that_is_sent_again_is_the_same():
    """Telnyx knows it by its id."""
    command = commands.answer(CALL, command_id="leg-answer", stream=STREAM)
    assert command.request() == command.request()
    assert not command.request().is_idempotent, "the client sends it again itself"


@pytest.mark.parametrize(
    "stream", [FULL, Stream("wss://x", auth_token="s"), Stream("wss://x", parameters={"a": "b"})]
)
def test_answering_does_not_drop_a_secret_without_a_word(stream):
    """It has no field for it; anybody could speak in the call."""
    with pytest.raises(ValueError, match="URL's path"):
        commands.answer(CALL, command_id="a", stream=stream)


def test_what_can_be_known_to_be_refused_is_not_sent():
    """It would be found out in the middle of a call."""
    with pytest.raises(ValueError, match="give one"):
        sound_commands.playback_start(CALL, command_id="a")
    with pytest.raises(ValueError, match="3000"):
        sound_commands.speak(CALL, "a" * 3001, command_id="a", voice="v")
    with pytest.raises(ValueError, match="client_state"):
        commands.dial("+1", from_number="+2", connection_id="c", command_id="a", stream=FULL)
