"""Between a call and Telnyx: what its webhooks come to, and what is sent for what is to be done."""

import base64
import json
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from warmline.channels.telephone.telnyx.client import TelnyxAnswer, TelnyxClient
from warmline.channels.telephone.telnyx.signature import TelnyxSignatures
from warmline.core.formats import PCMU_8K
from warmline.server.telephone.calls import Calls
from warmline.server.telephone.network import CallIsOver
from warmline.server.telephone.telnyx import TelnyxNetwork, TelnyxWebhooks

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = base64.b64encode(PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
NOW_S = 1_795_132_800


class Notes:
    """A call, and all calls: notes what it is told."""

    def __init__(self, told=None, name=""):
        self.told = [] if told is None else told
        self._name = name

    def on_network(self, _network, network_id):
        return self if network_id == "v3:one" else None

    @property
    def without_stream(self):
        return Notes(self.told, "without stream: ")

    def __getattr__(self, name):
        return lambda *args, **named: self.told.append((self._name + name, *args, *named.values()))


def webhooks():
    calls = Notes()
    receiver = TelnyxWebhooks(cast("Calls", calls), TelnyxSignatures(PUBLIC))

    def tell(event_type, event_id, state="", call="v3:one", **payload):
        client_state = base64.b64encode(state.encode()).decode()
        payload = {"call_control_id": call, "client_state": client_state, **payload}
        data = {"event_type": event_type, "id": event_id, "occurred_at": "2026-11-20T00:00:00Z"}
        body = json.dumps({"data": {**data, "payload": payload}}).encode()
        signature = base64.b64encode(PRIVATE.sign(f"{NOW_S}|".encode() + body)).decode()
        headers = {"telnyx-signature-ed25519": signature, "telnyx-timestamp": str(NOW_S)}
        status, _ = receiver.receive(body, headers, float(NOW_S), "https://voice.example.com")
        assert status == 200

    return tell, calls.told


async def test_what_is_told_of_a_call_without_a_stream_reaches_it_once():
    tell, told = webhooks()
    for _ in range(2):
        tell("call.playback.started", "1", "files 1")
        tell("call.playback.ended", "2", "files 1", status="completed")
        tell("call.dtmf.received", "3", digit="5")
        tell("call.transcription", "4", transcription_data={"transcript": "when", "is_final": False})
        tell("call.transcription", "5", transcription_data={"transcript": "when?", "is_final": True})
    assert told == [
        ("without stream: file_started", "files 1"),
        ("without stream: file_ended", "files 1", "completed"),
        ("without stream: pressed", "5"),
        ("heard", "when", False),
        ("heard", "when?", True),
    ]


async def test_our_own_words_and_other_calls_are_passed_over():
    tell, told = webhooks()
    ours = {"transcript": "Hello.", "is_final": True, "transcription_track": "outbound"}
    tell("call.transcription", "1", transcription_data=ours)
    tell("call.transcription", "2", call="v3:two", transcription_data={"transcript": "hello"})
    assert told == []


class Client:
    """Takes commands."""

    def __init__(self):
        self.sent = []
        self.answer = TelnyxAnswer()

    async def send(self, command):
        self.sent.append((command.name, command.parameters))
        return self.answer


async def test_the_commands_of_a_call_without_a_stream():
    client = Client()
    network = TelnyxNetwork(
        cast("TelnyxClient", client),
        audio_format=PCMU_8K,
        number="",
        connection_id="",
        voice="v",
        language="de",
        target_legs=None,
        ring_s=30,
        detection=None,
        public_url="",
    )
    await network.transcribe("v3:one", is_on=True)
    await network.play("v3:one", b"RIFFxx", "files 1")
    await network.stop_playing("v3:one")
    await network.transcribe("v3:one", is_on=False)
    names = [name for name, _ in client.sent]
    assert names == ["transcription_start", "playback_start", "playback_stop", "transcription_stop"]
    listening, playing, *_ = [parameters for _, parameters in client.sent]
    assert listening["transcription_engine_config"]["language"] == "de"
    assert playing["playback_content"] == b"RIFFxx"
    assert base64.b64decode(playing["client_state"]) == b"files 1"
    assert len({parameters["command_id"] for _, parameters in client.sent}) == 4
    client.answer = TelnyxAnswer(is_call_over=True)
    with pytest.raises(CallIsOver):
        await network.play("v3:one", b"RIFFxx", "files 2")
