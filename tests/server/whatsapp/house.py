"""Messages answered without threads and without time: an engine that remembers, a WhatsApp that tells."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

from warmline.channels.whatsapp.addressee import Addressee
from warmline.channels.whatsapp.failure_kinds import GraphFailureKind
from warmline.channels.whatsapp.failures import GraphRejected, GraphUnavailable
from warmline.channels.whatsapp.incoming import IncomingMessage, MessageKind
from warmline.server.whatsapp.policy import MessagePolicy, job_id_of
from warmline.server.whatsapp.work import MessageWork
from warmline.store.database import Database
from warmline.store.messages import Exchange, Job, JobState, Messages
from warmline.store.outbox import Note, Outbox, Status

START_S = 1_790_000_000.0


class Killed(BaseException):
    """The process is gone."""


class Killer:
    """Kills at the n-th place that it is asked at; counts them otherwise."""

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.places: list[str] = []

    def pass_by(self, place: str) -> None:
        self.places.append(place)
        if len(self.places) == self.at:
            raise Killed(place)


class Engine:
    """Remembers what steps came to, as the real one does; waiting moves the clock."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.kept: dict[str, list[tuple[str, bytes]]] = {}
        self.job = ""
        self.at = 0

    def run(self, job_id: str, work: Callable[[str], None]) -> None:
        self.job, self.at = job_id, 0
        work(job_id)

    def step(self, name: str, act: Callable[[], Any]) -> Any:
        kept = self.kept.setdefault(self.job, [])
        if self.at < len(kept):
            known, value = kept[self.at]
            assert known == name, f"the steps changed: {known} became {name}"
            self.at += 1
            return pickle.loads(value)
        killer = self.house.killer
        killer.pass_by(f"before {name}")
        value = act()
        killer.pass_by(f"in {name}")
        kept.append((name, pickle.dumps(value)))
        self.at += 1
        killer.pass_by(f"behind {name}")
        return value

    def wait(self, name: str, seconds: float, clock: Callable[[], float]) -> None:
        until_s = self.step(name, lambda: clock() + seconds)
        self.pause(until_s - clock())

    def pause(self, seconds: float) -> None:
        self.house.sleep(max(seconds, 0.0))

    def check(self) -> None:
        pass

    @contextmanager
    def waiting(self) -> Iterator[None]:
        yield


class Portal:
    """Runs what never awaits."""

    def call(self, act: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        try:
            act().send(None)
        except StopIteration as result:
            return result.value
        raise AssertionError("it awaited")

    def start_task_soon(self, act: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self.call(act)


@dataclass
class Taken:
    """A message that WhatsApp took."""

    id: str
    callback_data: str
    type: str
    what: str


@dataclass
class WhatsApp:
    """Takes what is sent; tells of it a while later."""

    killer: Killer
    taken: list[Taken] = field(default_factory=list)
    statuses: list[tuple[float, Status]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    """What the next messages meet."""

    status_after_s: float = 2.0
    loses_answers: int = 0

    def send(self, body: dict[str, Any], now_s: float) -> str:
        if self.failures:
            raise self.failures.pop(0)
        self.killer.pass_by("before WhatsApp takes it")
        kind = body["type"]
        what = {
            "text": lambda: body["text"]["body"],
            "audio": lambda: body["audio"]["id"],
            "template": lambda: body["template"]["name"],
        }[kind]()
        message_id = f"wamid.out{len(self.taken)}"
        callback_data = body["biz_opaque_callback_data"]
        self.taken.append(Taken(message_id, callback_data, kind, what))
        status = Status(message_id, "sent", int(now_s), callback_data, proves_acceptance=True)
        self.statuses.append((now_s + self.status_after_s, status))
        self.killer.pass_by("behind WhatsApp's taking it")
        if self.loses_answers:
            self.loses_answers -= 1
            raise unknown()
        return message_id


class Agent:
    """Hears, answers and speaks at once."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.read: list[str] = []
        self.heard: list[str] = []
        self.asked: list[tuple[list[Exchange], str]] = []
        self.spoken: list[str] = []
        self.uploads: list[bytes] = []
        self.failures: dict[str, list[Exception]] = {}
        self.words = "when are you open"
        self.notes = 1

    async def mark_read(self, message: IncomingMessage) -> None:
        self.read.append(message.id)

    async def hear(self, message: IncomingMessage) -> str:
        self._fail("hear")
        self.heard.append(message.id)
        return self.words

    async def answer(self, message: IncomingMessage, before: list[Exchange], text: str) -> str:
        self._fail("answer")
        self.asked.append((list(before), text))
        return f"answer to {message.id}"

    async def speak(self, message: IncomingMessage, text: str) -> list[Note]:
        self._fail("speak")
        self.spoken.append(text)
        return [Note(part, f"{text} {part}".encode(), 1.0) for part in range(self.notes)]

    async def upload(self, phone_number_id: str, note: Note) -> str:
        self._fail("upload")
        self.uploads.append(note.audio)
        return f"media of {note.audio.decode()}"

    async def send(self, phone_number_id: str, body: dict[str, Any]) -> str:
        return self.house.whatsapp.send(body, self.house.now_s)

    def _fail(self, what: str) -> None:
        if self.failures.get(what):
            raise self.failures[what].pop(0)


class House:
    """Everything, until `restart` forgets what a process forgets."""

    def __init__(self, database: Database, policy: MessagePolicy | None = None) -> None:
        self.killer = Killer()
        self.now_s = START_S
        self.messages, self.outbox = Messages(database), Outbox(database)
        self.engine = Engine(self)
        self.whatsapp = WhatsApp(self.killer)
        self.agent = Agent(self)
        self.policy = policy or MessagePolicy()
        self.queue: list[str] = []
        self.on_sleep: list[Callable[[], None]] = []

    def kill_at(self, place: int) -> None:
        self.killer = self.whatsapp.killer = Killer(place)

    def receive(self, *messages: IncomingMessage) -> list[str]:
        ids = []
        for message in messages:
            job = Job(
                id=job_id_of(message),
                user_key=message.user_key,
                phone_number_id=message.phone_number_id,
                kind=message.kind.value,
                message=message.to_json().decode(),
                sent_s=message.timestamp_s,
                received_s=self.now_s,
                state=JobState.QUEUED,
            )
            if self.messages.add(job):
                self.queue.append(job.id)
            ids.append(job.id)
        return ids

    def run(self) -> None:
        """Do what waits; what a kill leaves is done by the next call."""
        engine, portal, agent = cast("tuple[Any, Any, Any]", (self.engine, Portal(), self.agent))
        work = MessageWork(engine, portal, agent, self.messages, self.outbox, self.policy, lambda: self.now_s)
        while self.queue:
            self.engine.run(self.queue[0], work)
            self.queue.pop(0)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        for act in self.on_sleep:
            act()
        due = [each for each in self.whatsapp.statuses if each[0] <= self.now_s]
        for each in due:
            self.whatsapp.statuses.remove(each)
            self.outbox.told(each[1], self.now_s)

    def job(self, job_id: str) -> Job:
        job = self.messages.get(job_id)
        assert job is not None
        return job

    @property
    def said(self) -> list[str]:
        """What arrived, in order."""
        return [taken.what for taken in self.whatsapp.taken]


def voice(number: int = 1, **others: Any) -> IncomingMessage:
    return replace(text(number), kind=MessageKind.AUDIO, type="audio", text="", media_id="m", **others)


def text(number: int = 1, **others: Any) -> IncomingMessage:
    message = IncomingMessage(
        id=f"wamid.{number}",
        phone_number_id="111",
        user_key="4915112345678",
        to=Addressee(phone="4915112345678"),
        timestamp_s=int(START_S) + number,
        kind=MessageKind.TEXT,
        type="text",
        text=f"question {number}",
    )
    return replace(message, **others)


def unknown() -> GraphUnavailable:
    return GraphUnavailable("no answer", kind=GraphFailureKind.UNKNOWN_OUTCOME, phase="first_result")


def failure(kind: GraphFailureKind) -> GraphRejected:
    return GraphRejected(f"it said {kind.value}", kind=kind, phase="first_result")
