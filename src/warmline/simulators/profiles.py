"""Networks by name: what lies between a server and its providers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from warmline.errors import ConfigError

__all__ = ["PROFILES", "Link", "Profile", "profile_named"]


_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_FIGURES: Final = {
    "rtt": "rtt_ms",
    "tls": "tls_ms",
    "first": "first_ms",
    "jitter": "jitter_ms",
    "dns": "dns_ms",
}


@dataclass(frozen=True, slots=True)
class Link:
    """The way to one provider."""

    rtt_ms: float = 0.0
    """There and back: what TCP's handshake costs once, TLS 1.3's once, and each request once."""

    tls_ms: float | None = None
    """What TLS's handshake takes, where the far end is slower than one round trip."""

    first_ms: float = 0.0
    """What the first connection takes beyond all that: routes to be found, caches to be filled."""

    jitter_ms: float = 0.0
    """At most so much more each way, drawn evenly; the order is kept."""

    stall_probability: float = 0.0
    """Of a piece of data being held up, as by a lost packet that has to be sent again."""

    stall_ms: float = 250.0
    """For how long; about TCP's retransmission time-out."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A network."""

    name: str
    about: str
    links: Mapping[str, Link] = field(default_factory=dict)
    """By provider."""

    other: Link = field(default_factory=Link)
    """For providers without a link of their own."""

    dns_ms: float = 0.0
    """What looking up a name takes."""

    def link(self, provider: str) -> Link:
        """Return the way to a provider."""
        return self.links.get(provider, self.other)


PROFILES: Final[Mapping[str, Profile]] = {
    profile.name: profile
    for profile in (
        Profile("loopback", "No network at all: the providers' own times alone."),
        Profile(
            "us-local",
            "A server in the providers' own region.",
            other=Link(rtt_ms=12, jitter_ms=1),
            dns_ms=5,
        ),
        Profile(
            "india-us",
            "A server in India, providers in the US, as the earlier systems measured it: DNS 100 ms, TCP "
            "200, TLS 500, the language model's first connection 4,067; the voice's connection 316 to 386.",
            links={
                "openai": Link(rtt_ms=200, tls_ms=500, first_ms=3_267),
                "anthropic": Link(rtt_ms=200, tls_ms=500, first_ms=3_267),
                "elevenlabs": Link(rtt_ms=185),
            },
            other=Link(rtt_ms=200),
            dns_ms=100,
        ),
    )
}


def profile_named(name: str) -> Profile:
    """Return a profile by its name, or one made up of figures: `rtt=80,tls=160,dns=20,jitter=5`, in ms.

    Raises:
        ConfigError: there is none by this name, or a figure is none.
    """
    if name in PROFILES:
        return PROFILES[name]
    figures: dict[str, float] = {}
    for part in name.split(","):
        key, _, value = part.partition("=")
        if key not in _FIGURES or not _NUMBER.fullmatch(value):
            raise ConfigError(
                f"choosing a network: there is no profile {name!r}; there are {', '.join(PROFILES)}, "
                "or figures in milliseconds such as rtt=80,tls=160,dns=20,jitter=5"
            )
        figures[_FIGURES[key]] = float(value)
    dns_ms = figures.pop("dns_ms", 0.0)
    return Profile(name, "Figures that were given.", other=Link(**figures), dns_ms=dns_ms)
