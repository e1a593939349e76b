"""The Realtime protocol's server side, without a socket."""

import base64
import json
from itertools import pairwise

import pytest

from warmline.channels.browser.endpoint import BrowserChannel
from warmline.channels.browser.session_config import SessionConfig
from warmline.core.formats import PCM_24K, AudioFormat, Encoding
from warmline.interfaces.channel import (
    EndReason,
    ReplyAudioDone,
    ReplyDone,
    ReplyStarted,
    ReplyStatus,
    ReplyText,
    SessionFailure,
    SpeechStarted,
    SpeechStopped,
    TurnSettings,
    UserTurn,
)
from warmline.interfaces.llm import Message, Role

pytestmark = pytest.mark.unit


class Socket:
    """Keeps what is sent."""

    def __init__(self):
        self.sent = []
        self.closed = None

    def send(self, message):
        self.sent.append(json.loads(message))

    def close(self, code, reason):
        self.closed = (code, reason)

    def types(self):
        return [event["type"] for event in self.sent]


class Recorder:
    """A conversation that notes what it is told, and knows one item."""

    def __init__(self):
        self.calls = []
        self.answers = {}

    def find_message(self, item_id):
        return Message(Role.USER, "known") if item_id == "item_known" else None

    def __getattr__(self, name):
        def call(*args, **kwargs):
            self.calls.append((name, *args, *kwargs.values()))
            return self.answers.get(name, True)

        return call


class Client:
    """A channel with its two ends."""

    def __init__(self):
        self.socket = Socket()
        self.conversation = Recorder()
        config = SessionConfig("sess_1", "warmline", 2_000_000_000, TurnSettings(), "Be kind.")
        self.channel = BrowserChannel(self.socket, config, "sess_1", text_chars=20)
        self.channel.open(self.conversation)

    def says(self, kind, **fields):
        before = len(self.socket.sent)
        self.channel.receive(json.dumps({"type": kind, **fields}).encode())
        return self.socket.sent[before:]

    def error(self, kind, **fields):
        [event] = self.says(kind, **fields)
        assert event["type"] == "error"
        return event["error"]


@pytest.fixture
def client():
    return Client()


def test_first_event_is_the_session_with_the_operators_choices(client):
    """As the GA protocol has it."""
    [event] = client.socket.sent
    assert event["type"] == "session.created"
    session = event["session"]
    assert (session["type"], session["object"], session["id"]) == ("realtime", "realtime.session", "sess_1")
    assert session["instructions"] == "Be kind."
    assert session["output_modalities"] == ["audio"]
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 500


def test_session_update_changes_only_what_is_sent(client):
    """And the session follows."""
    [event] = client.says(
        "session.update",
        session={
            "type": "realtime",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcmu"},
                    "turn_detection": {"type": "server_vad", "silence_duration_ms": 800},
                },
                "output": {"format": {"type": "audio/pcm", "rate": 16000}},
            },
        },
    )
    assert event["type"] == "session.updated"
    assert event["session"]["instructions"] == "Be kind."
    assert event["session"]["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    [(call, settings, instructions)] = client.conversation.calls
    assert (call, settings.silence_ms, instructions) == ("configure", 800, "Be kind.")
    assert client.channel.output_format == AudioFormat(Encoding.PCM16, 16000)


def test_turn_detection_null_is_push_to_talk(client):
    """The client commits, and asks."""
    client.says("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
    [(_, settings, _)] = client.conversation.calls
    assert not settings.detects_turns
    assert not settings.replies_by_itself


def test_text_alone_means_no_audio(client):
    """Both at once is refused, as by the official server."""
    client.says("session.update", session={"type": "realtime", "output_modalities": ["text"]})
    assert client.channel.output_format is None
    error = client.error(
        "session.update", session={"type": "realtime", "output_modalities": ["text", "audio"]}
    )
    assert error["param"] == "session.output_modalities"


def test_voice_is_settled_once_the_agent_has_spoken(client):
    """A client that already plays 24 kHz must not get something else."""
    client.channel.send(ReplyStarted("resp_1", "item_1"))
    client.channel.play("resp_1", b"\0\0")
    patch = {"type": "realtime", "audio": {"output": {"format": {"type": "audio/pcmu"}}}}
    assert client.error("session.update", session=patch)["code"] == "cannot_update_voice"
    assert client.channel.output_format == PCM_24K


def test_audio_reaches_the_session_at_16_khz(client):
    """24 kHz in, 16 kHz on, after the filter's delay of a few milliseconds."""
    for _ in range(10):
        client.says("input_audio_buffer.append", audio=base64.b64encode(bytes(960)).decode())
    received = sum(len(call[1]) for call in client.conversation.calls)
    assert 10 * 640 - 160 <= received <= 10 * 640


def test_spoken_turn_is_told_in_the_protocols_order(client):
    """speech_started, speech_stopped, committed, item, transcription."""
    client.channel.send(SpeechStarted("item_1", 500))
    client.channel.send(SpeechStopped("item_1", 1500))
    client.channel.send(UserTurn("item_1", "when do you open", spoken=True, duration_s=1.0))
    assert client.socket.types()[1:] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    assert client.socket.sent[-1]["transcript"] == "when do you open"


def reply(client, status=ReplyStatus.COMPLETED):
    client.channel.send(ReplyStarted("resp_1", "item_2"))
    client.channel.send(ReplyText("resp_1", "At nine."))
    client.channel.play("resp_1", b"\x01\x02\x03\x04")
    client.channel.send(ReplyAudioDone("resp_1", 1))
    client.channel.send(ReplyDone("resp_1", "item_2", status, "At nine."))
    return client.socket.sent[1:]


def test_response_is_told_in_the_protocols_order(client):
    """From response.created to response.done, every id in its place."""
    events = reply(client)
    assert [e["type"] for e in events] == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    audio = next(e for e in events if e["type"] == "response.output_audio.delta")
    assert base64.b64decode(audio["delta"]) == b"\x01\x02\x03\x04"
    assert (audio["response_id"], audio["item_id"], audio["output_index"], audio["content_index"]) == (
        "resp_1", "item_2", 0, 0,
    )  # fmt: skip
    assert events[-1]["response"]["status"] == "completed"
    assert events[-1]["response"]["output"][0]["content"] == [
        {"type": "output_audio", "transcript": "At nine."}
    ]


def test_every_event_has_an_id_of_its_own(client):
    """Even the audio's, which are written from a template."""
    reply(client)
    ids = [event["event_id"] for event in client.socket.sent]
    assert len(set(ids)) == len(ids)
    numbers = [int(event_id.rsplit("_", 1)[1]) for event_id in ids]
    assert all(after == before + 1 for before, after in pairwise(numbers))


@pytest.mark.parametrize(
    ("status", "wire", "reason"),
    [
        (ReplyStatus.INTERRUPTED, "cancelled", "turn_detected"),
        (ReplyStatus.CANCELLED, "cancelled", "client_cancelled"),
    ],
)
def test_a_stopped_response_says_why(client, status, wire, reason):
    """The item is left incomplete."""
    done = reply(client, status)[-1]["response"]
    assert (done["status"], done["status_details"]["reason"]) == (wire, reason)
    assert done["output"][0]["status"] == "incomplete"


def test_text_responses_have_text_events(client):
    """output_text in place of output_audio."""
    client.says("session.update", session={"type": "realtime", "output_modalities": ["text"]})
    client.channel.send(ReplyStarted("resp_1", "item_2"))
    client.channel.send(ReplyText("resp_1", "At nine."))
    client.channel.send(ReplyDone("resp_1", "item_2", ReplyStatus.COMPLETED, "At nine."))
    kinds = client.socket.types()
    assert "response.output_text.delta" in kinds
    assert "response.output_text.done" in kinds
    assert not any("audio" in kind for kind in kinds[2:])


def test_items_are_made_found_and_deleted(client):
    """In the client's words, with its id."""
    item = {
        "type": "message",
        "role": "user",
        "id": "item_9",
        "content": [{"type": "input_text", "text": "hello"}],
    }
    added, done = client.says("conversation.item.create", item=item)
    assert (added["type"], done["type"]) == ("conversation.item.added", "conversation.item.done")
    assert added["item"]["content"] == [{"type": "input_text", "text": "hello"}]
    assert client.conversation.calls == [("add_message", Role.USER, "hello", "item_9", None)]
    [retrieved] = client.says("conversation.item.retrieve", item_id="item_known")
    assert retrieved["item"]["content"][0]["text"] == "known"
    assert client.says("conversation.item.delete", item_id="item_9")[0]["type"] == "conversation.item.deleted"


@pytest.mark.parametrize(
    ("kind", "fields", "answers", "code"),
    [
        ("input_audio_buffer.commit", {}, {"commit_audio": False}, "input_audio_buffer_commit_empty"),
        ("response.create", {}, {"request_reply": False}, "conversation_already_has_active_response"),
        ("response.create", {"response": {"conversation": "none"}}, {}, "invalid_value"),
        ("response.cancel", {}, {"cancel_reply": False}, "response_cancel_not_active"),
        ("conversation.item.retrieve", {"item_id": "x"}, {}, "item_not_found"),
        ("conversation.item.delete", {"item_id": "x"}, {"remove_message": False}, "item_not_found"),
        (
            "conversation.item.truncate",
            {"item_id": "x", "audio_end_ms": 5},
            {"playout_truncated": False},
            "item_not_found",
        ),
        ("conversation.item.create", {"item": {"type": "function_call"}}, {}, "invalid_value"),
        ("conversation.item.create", {"item": {"type": "message", "role": "tool"}}, {}, "invalid_value"),
        (
            "conversation.item.create",
            {"item": {"type": "message", "role": "user", "content": [{"type": "input_image"}]}},
            {},
            "invalid_value",
        ),
        ("warmline.text", {"text": "x" * 21}, {}, "string_above_max_length"),
        ("warmline.text", {"text": "  "}, {}, "invalid_value"),
        ("output_audio_buffer.clear", {}, {}, "invalid_value"),
        ("no.such", {}, {}, "invalid_value"),
    ],
)
def test_a_wrong_event_is_answered_with_its_error_and_the_socket_stays_open(
    client, kind, fields, answers, code
):
    """The client's own event id comes back."""
    client.conversation.answers = answers
    error = client.error(kind, event_id="mine", **fields)
    assert (error["code"], error["event_id"]) == (code, "mine")
    assert client.socket.closed is None


def test_playout_reports_reach_the_session(client):
    """Once the client has said that it makes them."""
    assert not client.channel.reports_playout
    client.says("warmline.hello", reports_playout=True)
    assert client.channel.reports_playout
    client.says("warmline.playout.started", response_id="resp_1")
    client.says("warmline.playout.progress", response_id="resp_1", played_ms=500)
    client.says("warmline.playout.finished", response_id="resp_1", played_ms=900)
    assert client.conversation.calls == [
        ("playout_started", "resp_1"),
        ("playout_progressed", "resp_1", 500),
        ("playout_finished", "resp_1"),
    ]


def test_failures_are_notices_and_expiry_is_the_protocols_own_error(client):
    """A client of the official protocol knows session_expired."""
    client.channel.send(SessionFailure("recogniser_failed", "It is gone"))
    client.channel.send(SessionFailure("session_expired", "Time is up"))
    notice, expired = client.socket.sent[1:]
    assert (notice["type"], notice["code"]) == ("warmline.notice", "recogniser_failed")
    assert (expired["type"], expired["error"]["code"]) == ("error", "session_expired")


@pytest.mark.parametrize("reason", EndReason)
def test_every_reason_has_a_close_code(client, reason):
    """What the operator's settings or the person brought about is a normal end."""
    client.channel.close(reason)
    code, told = client.socket.closed
    assert told == reason.value
    assert (code == 1000) is (reason not in (EndReason.SHUTDOWN, EndReason.FAILED))


def test_close_says_why_once_and_nothing_is_sent_after_it(client):
    """The last event is the reason."""
    client.channel.close(EndReason.SHUTDOWN)
    client.channel.close(EndReason.HUNG_UP)
    client.channel.send(SpeechStarted("item_1", 0))
    client.says("response.cancel")
    assert client.socket.types()[1:] == ["warmline.session.ended"]
    assert client.socket.closed == (1012, "shutdown")
    assert client.conversation.calls == []
