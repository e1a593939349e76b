"""A server without its sockets, its telephone network, and the far end of a media stream."""

import asyncio
import base64
import io
import itertools
import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import soundfile

from warmline.channels.telephone.telnyx.media import TelnyxMediaWire
from warmline.errors import ProviderRejected
from warmline.failover.legs import FailoverState
from warmline.failover.settings import FailoverSettings
from warmline.server.access import Refusal
from warmline.server.sessions import Sessions
from warmline.server.telephone.calls import CallPolicy, Calls
from warmline.server.telephone.network import CallDetails
from warmline.server.telephone.records import Records
from warmline.session.settings import Providers, SessionSettings
from warmline.testing.scripted import (
    ScriptedDetector,
    ScriptedModel,
    ScriptedRecogniser,
    ScriptedRetriever,
    ScriptedVoice,
)
from warmline.testing.virtual_time import LoopClock

INCOMING = CallDetails("v3:one", "+4915550001", "+4930100")
BASE = "https://voice.example.com"


@dataclass
class PlayedFile:
    """A file that the network was given."""

    state: str
    given_s: float
    begins_s: float
    ends_s: float
    """As it was stopped, if it was."""

    samples: Any
    timers: list[asyncio.TimerHandle] = field(default_factory=list)


@dataclass
class ScriptedNetwork:
    """Takes commands, plays files in real time, and tells of nothing else by itself."""

    name: str = "scripted"
    commands: list[tuple[str, ...]] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    fails: set[str] = field(default_factory=set)
    answer_s: float = 0.02
    """From a command to its answer."""

    tell_s: float = 0.1
    """From what happens to the webhook that says so."""

    files: list[PlayedFile] = field(default_factory=list)
    on_file: Callable[[PlayedFile, str], None] | None = None
    """Told with a status when one has ended, and with none when it begins."""

    async def answer(self, call, place, *, records):
        self.places.append(place.url)
        await self._command("answer", call.network_id)

    async def refuse(self, call, admission):
        await self._command("refuse", admission.refusal.value, admission.text)

    async def dial(self, call, place):
        self.places.append(place.url)
        await self._command("dial", call.number)
        return replace(call, network_id="v3:out", caller="+4930100")

    async def hang_up(self, network_id):
        await self._command("hang up", network_id)

    async def stream_again(self, network_id, place):
        self.places.append(place.url)
        await self._command("stream again", network_id)

    async def say(self, network_id, text):
        await self._command("say", text)

    async def play(self, network_id, wav, state):
        await self._command("play", state)
        now_s = LoopClock().now_s()
        samples, rate_hz = soundfile.read(io.BytesIO(wav), dtype="int16")
        begins_s = max([now_s, *(file.ends_s for file in self.files)])
        file = PlayedFile(state, now_s, begins_s, begins_s + len(samples) / rate_hz, samples)
        assert sum(each.ends_s > now_s for each in self.files) < 2, "one is played, and one waits"
        self.files.append(file)
        file.timers = [
            self._tell(file, begins_s + self.tell_s, ""),
            self._tell(file, file.ends_s + self.tell_s, "completed"),
        ]

    async def stop_playing(self, network_id):
        await self._command("stop playing")
        now_s = LoopClock().now_s()
        for file in self.files:
            if file.ends_s > now_s:
                was_begun = file.begins_s < now_s
                file.ends_s = now_s
                file.timers[1].cancel()
                if was_begun:
                    self._tell(file, now_s + self.tell_s, "cancelled")
                else:
                    file.begins_s = now_s
                    file.timers[0].cancel()

    async def transcribe(self, network_id, *, is_on):
        await self._command("transcribe", str(is_on))

    async def transfer(self, network_id, number):
        await self._command("transfer", number)

    async def send_dtmf(self, network_id, digits):
        await self._command("keys", digits)

    async def record(self, network_id, *, is_on):
        await self._command("record", str(is_on))

    def heard_s(self):
        """Return how much of its files the caller has heard by now."""
        now_s = LoopClock().now_s()
        return sum(max(min(file.ends_s, now_s) - file.begins_s, 0.0) for file in self.files)

    def gaps_s(self):
        """Return the silences between files that follow each other."""
        return [
            round(after.begins_s - before.ends_s, 3)
            for before, after in itertools.pairwise(self.files)
            if before.state == after.state
        ]

    def _tell(self, file, at_s, status):
        assert self.on_file is not None
        return asyncio.get_running_loop().call_at(at_s, self.on_file, file, status)

    async def _command(self, what, *told):
        await anyio.sleep(self.answer_s)
        self.commands.append((what, *told))
        if what in self.fails:
            raise ProviderRejected(f"{what} is refused", provider="scripted", phase="command")

    @property
    def done(self):
        return [command[0] for command in self.commands]


class FarEnd:
    """The network's side of one media stream: it keeps what it is sent, and plays it in real time."""

    def __init__(self, user):
        self.user = user
        self.sent = []
        self.closed = None
        self.first_sound_s = None
        self._plays_until_s = 0.0
        self._timers = []
        user.opened(self)

    def send(self, message):
        said = json.loads(message)
        self.sent.append(said)
        now_s = LoopClock().now_s()
        if said["event"] == "media":
            self.first_sound_s = self.first_sound_s or now_s
            played_s = len(base64.b64decode(said["media"]["payload"])) / 8_000
            self._plays_until_s = max(self._plays_until_s, now_s) + played_s
        elif said["event"] == "mark":
            loop = asyncio.get_running_loop()
            told = {"event": "mark", "stream_id": "s", "mark": said["mark"]}
            self._timers.append(loop.call_later(max(self._plays_until_s - now_s, 0), self._tell, told))

    def close(self, code, reason):
        self.closed = reason

    def starts(self, call_id="v3:one"):
        audio_format = {"encoding": "PCMU", "sample_rate": 8000, "channels": 1}
        start = {"call_control_id": call_id, "media_format": audio_format}
        self._tell({"event": "start", "stream_id": "s", "sequence_number": "1", "start": start})

    def stops(self):
        self._tell({"event": "stop", "stream_id": "s", "stop": {}})

    def lost(self):
        for timer in self._timers:
            timer.cancel()
        self.user.closed()

    @property
    def heard_s(self):
        audio = b"".join(base64.b64decode(m["media"]["payload"]) for m in self.sent if m["event"] == "media")
        return len(audio) / 8_000

    def _tell(self, message):
        self.user.received(json.dumps(message).encode())


@dataclass
class House:
    """A server without its sockets."""

    calls: Calls
    network: ScriptedNetwork
    sessions: Sessions
    records: Records

    def rings(self, details=INCOMING):
        """Return a call that comes in; what is told of its files is told to it."""
        self.network.on_file = self._tell_of_file
        return self.calls.incoming("scripted", details, BASE)

    def connects(self, place=-1):
        path = self.network.places[place].removeprefix("wss://voice.example.com")
        found = self.calls.accept(path, {})
        assert not isinstance(found, Refusal)
        return FarEnd(found[0])

    def _tell_of_file(self, file, status):
        call = self.calls.on_network("scripted", INCOMING.network_id)
        if call is None:
            return
        if status:
            call.without_stream.file_ended(file.state, status)
        else:
            call.without_stream.file_started(file.state)


@asynccontextmanager
async def house(*, most=4, settings=None, records=None, model=None, voice=None, **policy):
    network = ScriptedNetwork()
    sessions = Sessions(most, 1.0)
    kept = Records(records)
    quiet = FailoverState(FailoverSettings(apology=""))
    providers = Providers(
        ScriptedDetector(),
        ScriptedRecogniser(),
        ScriptedRetriever(),
        model or ScriptedModel(),
        voice or ScriptedVoice(),
        failover=quiet,
    )
    told = settings or SessionSettings(greeting="Hello, this is the library.", playout_lead_s=0.4)
    calls = Calls(sessions, providers, told, CallPolicy(**policy), kept, LoopClock())
    calls.add_network(network, TelnyxMediaWire)
    async with sessions.running(), calls.running():
        yield House(calls, network, sessions, kept)
    assert sessions.count == 0
