"""All simulators at once: their ports, their certificate, and the network before them."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
import msgspec
from aiohttp import web

from warmline.simulators.anthropic.simulator import AnthropicSimulator
from warmline.simulators.certificates import Authority
from warmline.simulators.deepgram.simulator import DeepgramSimulator
from warmline.simulators.dns import NameServer
from warmline.simulators.elevenlabs.simulator import ElevenLabsSimulator
from warmline.simulators.network import Network
from warmline.simulators.openai.simulator import OpenAiSimulator
from warmline.simulators.profiles import PROFILES, Profile
from warmline.simulators.script import Script
from warmline.simulators.simulator import KEY, Simulator
from warmline.simulators.speech import Speech
from warmline.simulators.telnyx.simulator import TelnyxSimulator
from warmline.simulators.twilio.simulator import TwilioSimulator
from warmline.simulators.whatsapp.simulator import WhatsAppSimulator

__all__ = ["KEY", "SUFFIX", "Running", "provider_names", "simulators_running"]

SUFFIX: Final = "warmline.test"
"""What the simulators' names end in; `test` is kept free for this by RFC 2606."""

_IDLE_S: Final = 75.0
"""What a far end lets an HTTP connection be unused for; nginx's default, behind which many stand."""
_HANDSHAKES_END_S: Final = 0.01

_KINDS: Final[tuple[type[Simulator], ...]] = (
    OpenAiSimulator,
    AnthropicSimulator,
    ElevenLabsSimulator,
    DeepgramSimulator,
    TelnyxSimulator,
    TwilioSimulator,
    WhatsAppSimulator,
)


def provider_names() -> list[str]:
    """Return the names of the providers that can be simulated."""
    return [kind.name for kind in _KINDS]


@dataclass(frozen=True, slots=True)
class Running:
    """Where the simulators are."""

    simulators: Mapping[str, Simulator]
    ports: Mapping[str, int]
    profile: Profile
    certificate: Path
    """The authority to trust, as PEM; gone when the simulators are."""

    network: Network | None
    """None where there is nothing between."""

    names: NameServer | None

    @property
    def base_urls(self) -> dict[str, str]:
        """Base URLs by provider, as its settings and its SDK take them."""
        return {
            name: f"https://{self._host(name)}:{port}{self.simulators[name].base_path}"
            for name, port in self.ports.items()
        }

    @property
    def control_urls(self) -> dict[str, str]:
        """Where each is changed while it runs; there is no network in between."""
        return {name: f"https://localhost:{port}/_simulator" for name, port in self.ports.items()}

    @property
    def keys(self) -> dict[str, str]:
        """A key that each accepts."""
        return {name: simulator.script.key or KEY for name, simulator in self.simulators.items()}

    @property
    def environment(self) -> dict[str, str]:
        """The variables in which a warmline server and the SDKs look for keys."""
        found: dict[str, str] = {}
        for name, simulator in self.simulators.items():
            found |= simulator.environment(self.keys[name])
        return found

    @property
    def settings(self) -> dict[str, object]:
        """What sets a warmline server to use them, by the settings' names; keys are in `environment`."""
        between = {
            "lines.proxy": self.network.url if self.network else "",
            "lines.dns_server": self.names.address if self.names else "",
        }
        found: dict[str, object] = {
            "lines.certificate": str(self.certificate),
            **{name: value for name, value in between.items() if value},
        }
        for name, url in self.base_urls.items():
            found |= self.simulators[name].settings(url)
        return found

    def description(self) -> bytes:
        """Return all of that as one line of JSON."""
        return msgspec.json.encode({
            "base_urls": self.base_urls,
            "control_urls": self.control_urls,
            "certificate": str(self.certificate),
            "proxy": self.network.url if self.network else "",
            "dns_server": self.names.address if self.names else "",
            "settings": self.settings,
            "environment": self.environment,
        })

    def _host(self, name: str) -> str:
        return f"{name}.{SUFFIX}" if self.names is not None else "localhost"


@asynccontextmanager
async def simulators_running(
    *,
    profile: Profile | None = None,
    scripts: Mapping[str, Script] | None = None,
    only: Sequence[str] = (),
    ports: Mapping[str, int] | None = None,
    host: str = "127.0.0.1",
    sentences: Sequence[str] = (),
    seed: int = 0,
    idle_s: float | None = None,
    has_network: bool = False,
) -> AsyncIterator[Running]:
    """Run simulators until the context is left, on the loop of the caller.

    Args:
        profile: The network; `loopback` by default.
        scripts: Delays and words by provider.
        only: Names of providers; all by default.
        ports: Where each listens; a free one by default.
        host: The address to listen on.
        sentences: What people are likely to say.
        seed: For what is random.
        idle_s: How long a connection may be unused before they close it; as the providers do by default.
        has_network: Whether to put the proxy and the name server between even where they cost nothing,
            so that a link can be changed later.
    """
    chosen = profile or PROFILES["loopback"]
    authority = Authority()
    async with AsyncExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="warmline-simulators-")))
        speech = await held.enter_async_context(Speech(sentences))
        simulators = {
            kind.name: kind((scripts or {}).get(kind.name) or kind.script_type(), speech, seed=seed)
            for kind in _KINDS
            if not only or kind.name in only
        }
        found = {}
        for name, simulator in simulators.items():
            await held.enter_async_context(simulator.running())
            runner = web.AppRunner(
                simulator.application(),
                handler_cancellation=True,
                shutdown_timeout=0.2,
                access_log=None,
                keepalive_timeout=idle_s if idle_s is not None else _IDLE_S,
            )
            if idle_s is not None:
                simulator.script.idle_s = idle_s
            await runner.setup()
            held.push_async_callback(_stop, runner)
            context = authority.server_context("localhost", "127.0.0.1", f"{name}.{SUFFIX}", host)
            await web.TCPSite(runner, host, (ports or {}).get(name, 0), ssl_context=context).start()
            found[name] = int(runner.addresses[0][1])
        network = names = None
        if has_network or chosen.name != "loopback":
            links = {port: chosen.link(name) for name, port in found.items()}
            network = await held.enter_async_context(Network(links, seed=seed))
            names = await held.enter_async_context(NameServer(SUFFIX, chosen.dns_ms))
        yield Running(simulators, found, chosen, authority.write(folder), network, names)


async def _stop(runner: web.AppRunner) -> None:
    await runner.cleanup()
    # aiohttp knows of no connection whose handshake is not done; one that was given up ends by itself,
    # if the loop is given the time to read that.
    await anyio.sleep(_HANDSHAKES_END_S)
