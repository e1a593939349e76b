"""The two ends of a telephone channel: a stream's socket that plays, and a session that notes."""

import asyncio
import base64
import json

from warmline.channels.telephone.endpoint import TelephoneChannel
from warmline.channels.telephone.telnyx.media import TelnyxMediaWire
from warmline.core.formats import PCMU_8K
from warmline.testing.virtual_time import LoopClock

STREAM = "stream-1"


class Socket:
    """Keeps what is sent."""

    def __init__(self):
        self.sent = []
        self.closed = None

    def send(self, message):
        self.sent.append(json.loads(message))

    def close(self, code, reason):
        self.closed = (code, reason)

    def kinds(self):
        return [message["event"] for message in self.sent]

    def audio(self):
        parts = [base64.b64decode(each["media"]["payload"]) for each in self.sent if each["event"] == "media"]
        return b"".join(parts)


class PlayingSocket(Socket):
    """A telephone network: plays what it is sent in real time, and returns marks when it has."""

    def __init__(self, channel, *, delay_s=0.0):
        super().__init__()
        self.heard_s = 0.0
        self._channel = channel
        self._delay_s = delay_s
        self._plays_until_s = 0.0
        self._pending = []
        """Timer and name of each mark."""

    def send(self, message):
        super().send(message)
        loop = asyncio.get_running_loop()
        event = self.sent[-1]
        match event["event"]:
            case "media":
                duration_s = PCMU_8K.duration_s(len(base64.b64decode(event["media"]["payload"])))
                self._plays_until_s = max(self._plays_until_s, loop.time()) + duration_s
            case "mark":
                due_s = max(self._plays_until_s, loop.time()) + self._delay_s
                name = event["mark"]["name"]
                self._pending.append((loop.call_at(due_s, self.returns, name), name))
            case "clear":
                self._plays_until_s = loop.time()
                pending, self._pending = self._pending, []
                for timer, name in pending:
                    if not timer.cancelled() and timer.when() > loop.time():
                        timer.cancel()
                        loop.call_soon(self.returns, name)

    def returns(self, name):
        self._channel.receive(json.dumps({"event": "mark", "mark": {"name": name}}).encode())


class Recorder:
    """A conversation that notes what it is told, and when."""

    def __init__(self):
        self.calls = []
        self.on_answered = lambda: None

    def answered(self):
        self.calls.append((round(LoopClock().now_s(), 3), "answered"))
        self.on_answered()

    def __getattr__(self, name):
        def call(*args):
            self.calls.append((round(LoopClock().now_s(), 3), name, *args))
            return True

        return call

    def names(self):
        return [call[1] for call in self.calls]

    def told(self, name):
        return [call[2:] for call in self.calls if call[1] == name]


class Call:
    """A channel with its two ends."""

    def __init__(self, *, plays=False, is_attached=True, **options):
        self.channel = TelephoneChannel(TelnyxMediaWire(), LoopClock(), **options)
        self.conversation = Recorder()
        if is_attached:
            self.channel.attach(self.conversation)
        self.socket = PlayingSocket(self.channel) if plays else Socket()

    def connects(self):
        self.channel.connect(self.socket)
        self.says("connected")

    def starts(self, encoding="PCMU"):
        media_format = {"encoding": encoding, "sample_rate": 8000, "channels": 1}
        self.says("start", stream_id=STREAM, start={"call_control_id": "c", "media_format": media_format})

    def answers(self):
        self.connects()
        self.starts()
        return self

    def says(self, event, **fields):
        return self.channel.receive(json.dumps({"event": event, **fields}).encode())

    def speaks(self, chunk, audio=b"\x10" * 160):
        payload = base64.b64encode(audio).decode()
        self.says("media", media={"chunk": str(chunk), "timestamp": str(chunk * 20), "payload": payload})

    def returns(self, mark):
        self.says("mark", mark={"name": mark})
