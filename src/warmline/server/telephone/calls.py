"""All telephone calls of the process: taken or refused, made, found, and over."""

from __future__ import annotations

import datetime
import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import anyio
from anyio.abc import TaskGroup

from warmline.channels.telephone.admission import AdmissionPolicy, admit
from warmline.channels.telephone.lifecycle import CallEvent
from warmline.channels.telephone.media import MediaStarted, MediaStopped, MediaWire
from warmline.core.clock import Clock, utc_now
from warmline.errors import ConfigError, RemoteProtocolError, ToolError
from warmline.server.access import Refusal
from warmline.server.sessions import Sessions
from warmline.server.telephone.call import Call
from warmline.server.telephone.machines import MachinePolicy
from warmline.server.telephone.network import CallDetails, Network, StreamPlace
from warmline.server.telephone.records import CallRecord, Records
from warmline.server.websocket import MediaConnection, SocketUser
from warmline.session.session import Session
from warmline.session.settings import Providers, SessionSettings

__all__ = ["CallPolicy", "Calls", "NoRoom", "NoSuchCall"]

_log = logging.getLogger(__name__)

_OVER_KEPT: Final = 10_000
"""Calls that are over whose names are known: what is told of them late is no new call."""


class NoSuchCall(ToolError):
    """Nobody knows a call of that id."""


class NoRoom(ToolError):
    """As many sessions are held as may be."""


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """The operator's choices about calls."""

    admission: AdmissionPolicy = field(default_factory=AdmissionPolicy)
    timezone: datetime.tzinfo = datetime.UTC
    """Where opening hours are meant."""

    public_url: str = ""
    """Where networks reach this server; empty: under the name that each webhook was sent to."""

    records_from_start: bool = False
    machines: MachinePolicy | None = None
    """What is done where a machine takes a call of ours; None to talk to it."""


class Calls:
    """The calls of one server, whatever network they are on.

    What changes here: `_live` and `_by_network`, when a call begins or is over; `_places`, when a media
    stream is asked for, comes, or its call is over; `_over`, with each call.
    """

    def __init__(
        self,
        sessions: Sessions,
        providers: Providers,
        settings: SessionSettings,
        policy: CallPolicy,
        records: Records,
        clock: Clock,
    ) -> None:
        """Prepare; calls are run inside `running`.

        Args:
            sessions: The process's, among which theirs are.
            providers: Whom sessions share.
            settings: What each call's session is told.
            policy: What is done about calls.
            records: Where those that are over are kept.
            clock: The process's.
        """
        self._sessions = sessions
        self._providers = providers
        self._settings = settings
        self._policy = policy
        self._records = records
        self._clock = clock
        self._networks: dict[str, tuple[Network, Callable[[], MediaWire]]] = {}
        self._live: dict[str, Call] = {}
        self._by_network: dict[tuple[str, str], Call] = {}
        self._over: deque[tuple[str, str]] = deque(maxlen=_OVER_KEPT)
        self._settings_of: dict[str, SessionSettings] = {}
        self._base_urls: dict[str, str] = {}
        self._places: dict[str, Call] = {}
        self._tasks: TaskGroup | None = None

    def add_network(self, network: Network, make_wire: Callable[[], MediaWire]) -> None:
        """Have calls of a network; before `running`.

        Args:
            network: Its commands.
            make_wire: Returns how one call's media stream is written.
        """
        self._networks[network.name] = network, make_wire

    @property
    def live(self) -> Sequence[CallRecord]:
        """What is known of those that go on."""
        return [call.record for call in self._live.values()]

    @property
    def over(self) -> Sequence[CallRecord]:
        """Those that are over, newest last."""
        return self._records.last

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run calls inside; leaving hangs up on all of them."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                self._tasks = None
                for call in self._live.values():
                    call.hang_up("server", "shutdown")
                tasks.cancel_scope.deadline = anyio.current_time() + 2.0

    def find(self, call_id: str) -> Call:
        """Return a call that goes on, by our id.

        Raises:
            NoSuchCall: none does of that id.
        """
        call = self._live.get(call_id)
        if call is None:
            raise NoSuchCall(f"no call {call_id!r} goes on")
        return call

    def recordings(self, call_id: str) -> Sequence[str]:
        """Return where the network keeps a call's recordings; nothing of a call that is not known."""
        try:
            return self.record(call_id).recordings
        except NoSuchCall:
            return ()

    def record(self, call_id: str) -> CallRecord:
        """Return what is known of a call, over or not.

        Raises:
            NoSuchCall: nothing is.
        """
        if call_id in self._live:
            return self._live[call_id].record
        for record in reversed(self._records.last):
            if record.id == call_id:
                return record
        raise NoSuchCall(f"no call {call_id!r} is known")

    def on_network(self, network: str, network_id: str) -> Call | None:
        """Return a call that goes on, by its network's id."""
        return self._by_network.get((network, network_id))

    def incoming(self, network: str, details: CallDetails, base_url: str) -> Call | None:
        """Learn that somebody calls; return the call, or None if that is old news or nobody is served now.

        Args:
            network: Whose network tells so.
            details: What it tells.
            base_url: Where it reached us.
        """
        key = (network, details.network_id)
        if self._tasks is None or key in self._by_network or key in self._over:
            return self._by_network.get(key)
        call = self._begin(network, details, self._settings, base_url)
        call.admit(
            admit(
                details.caller,
                details.number,
                utc_now().astimezone(self._policy.timezone),
                self._policy.admission,
                has_room=self._sessions.has_room,
            )
        )
        return call

    def hung_up(self, network: str, network_id: str, *, by: str, reason: str) -> None:
        """Learn that a call is over, which may be told before its beginning is."""
        call = self._by_network.get((network, network_id))
        if call is not None:
            call.happened(CallEvent.HUNG_UP, by=by, reason=reason)
        elif (network, network_id) not in self._over:
            self._over.append((network, network_id))

    async def dial(
        self,
        number: str,
        *,
        network: str = "",
        greeting: str | None = None,
        instructions: str | None = None,
        metadata: str = "",
    ) -> CallRecord:
        """Call somebody; returns when the network has taken the call, which rings then.

        Raises:
            ConfigError: no network can, or it is not known where it would reach this server.
            NoRoom: as many sessions are held as may be.
            ProviderError: the network did not take it.
        """
        name = network or next(iter(self._networks), "")
        if name not in self._networks:
            known = ", ".join(self._networks) or "none: set TELNYX_API_KEY or TWILIO_AUTH_TOKEN"
            raise ConfigError(f"calling over {name or 'a network'}: there is {known}")
        if not self._policy.public_url:
            raise ConfigError(
                "calling somebody: set phone.public_url to where the network reaches this server"
            )
        if not self._sessions.has_room:
            raise NoRoom(
                f"all {self._sessions.most} places are taken (limits.sessions); try again in a while"
            )
        settings = self._settings
        if greeting is not None:
            settings = replace(settings, greeting=greeting)
        if instructions is not None:
            settings = replace(settings, instructions=instructions)
        details = CallDetails("", "", number, is_outgoing=True, metadata=metadata)
        call = self._begin(name, details, settings, self._policy.public_url)
        try:
            taken = await call.network.dial(details, self.place(call))
        except BaseException as problem:
            call.happened(CallEvent.HUNG_UP, by="network", reason=str(problem))
            await call.over.wait()
            raise
        call.details = replace(details, network_id=taken.network_id, caller=taken.caller)
        self._by_network[name, taken.network_id] = call
        if (name, taken.network_id) in self._over:
            call.happened(CallEvent.HUNG_UP, by="callee")
        return call.record

    def accept(self, path: str, headers: Mapping[str, str]) -> tuple[SocketUser, str | None] | Refusal:
        """Decide on a media stream's upgrade: its place is good once."""
        call = self._places.pop(urlsplit(path).path.rsplit("/", 1)[-1], None)
        if call is None:
            _log.warning("call.stream_refused")
            return Refusal(HTTPStatus.NOT_FOUND, "no_such_stream", "No media stream is expected here")
        return _Stream(call), None

    # What a call needs of its surroundings (`CallHouse`).

    def begin_session(self, call: Call, on_end: Callable[[], None]) -> Session:
        """Return the call's session, which runs."""
        session = Session(call.channel, self._providers, self._settings_of[call.id], self._clock)
        call.channel.attach(session)
        self._sessions.begin(call.id, session, {"channel": call.network.name}, on_end)
        return session

    def place(self, call: Call) -> StreamPlace:
        """Return where the call's next media stream is to come."""
        self._forget_places(call)
        token = secrets.token_urlsafe(24)
        self._places[token] = call
        base = self._base_urls[call.id].rstrip("/")
        return StreamPlace(f"ws{base.removeprefix('http')}/{call.network.name}/media/{token}")

    async def ended(self, call: Call) -> None:
        """Let go of a call."""
        self._forget_places(call)
        self._live.pop(call.id, None)
        self._settings_of.pop(call.id, None)
        self._base_urls.pop(call.id, None)
        key = (call.network.name, call.details.network_id)
        self._by_network.pop(key, None)
        self._over.append(key)
        record = call.record
        _log.info(
            "call.ended",
            extra={
                "call": call.id,
                "ended_by": record.ended_by,
                "reason": record.reason,
                "talked_s": record.talked_s,
            },
        )
        await self._records.add(record)

    def _begin(self, network: str, details: CallDetails, settings: SessionSettings, base_url: str) -> Call:
        assert self._tasks is not None, "calls are run inside `running`"
        commands, make_wire = self._networks[network]
        call = Call(
            details,
            commands,
            make_wire(),
            self,
            self._clock,
            records_from_start=self._policy.records_from_start,
            machines=self._policy.machines,
        )
        self._live[call.id] = call
        self._settings_of[call.id] = settings
        self._base_urls[call.id] = self._policy.public_url or base_url
        if details.network_id:
            self._by_network[network, details.network_id] = call
        if details.is_outgoing:
            call.begin_session()
        _log.info("call.began", extra={"call": call.id, "network": network})
        self._tasks.start_soon(self._run, call)
        return call

    async def _run(self, call: Call) -> None:
        try:
            await call.run()
        except Exception:  # noqa: BLE001 - logged; one call's bug is not the others'
            _log.exception("call.crashed", extra={"call": call.id})

    def _forget_places(self, call: Call) -> None:
        for token in [token for token, owner in self._places.items() if owner is call]:
            del self._places[token]


class _Stream:
    """A media stream's connection, and the call that it is of."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def opened(self, connection: MediaConnection) -> None:
        """Hand it to the call's channel."""
        self._call.channel.connect(connection)

    def received(self, message: bytes) -> None:
        """Hand it to the channel; what is no message of the network's is passed over."""
        try:
            event = self._call.channel.receive(message)
        except RemoteProtocolError as problem:
            _log.warning("call.bad_message", extra={"call": self._call.id, "code": problem.code})
            return
        if isinstance(event, MediaStarted):
            self._call.happened(CallEvent.STREAM_OPENED)
        elif isinstance(event, MediaStopped):
            self._call.happened(CallEvent.STREAM_CLOSED)

    def too_large(self, size_bytes: int) -> None:
        """Note it; the connection is closed."""
        _log.warning("call.message_too_large", extra={"call": self._call.id, "size_bytes": size_bytes})

    def server_stopping(self) -> None:
        """End the call."""
        self._call.hang_up("server", "shutdown")

    def closed(self) -> None:
        """Say that the stream is gone, which is not yet the call's end."""
        self._call.channel.stream_lost()
        self._call.happened(CallEvent.STREAM_CLOSED)
