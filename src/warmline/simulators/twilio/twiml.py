"""TwiML: what a server answers when it is asked what to do with a call."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit
from xml.etree import ElementTree

__all__ = [
    "Connect",
    "Dial",
    "Hangup",
    "Pause",
    "Play",
    "Reject",
    "Say",
    "StartStream",
    "Stream",
    "TwimlError",
    "Verb",
    "parsed",
]

_PARAMETER_CHARACTERS: Final = 500
_UNREADABLE: Final = 12100
_WRONG: Final = 12200
_STREAM_URL: Final = 31941
_LOOP_FOREVER: Final = 100
"""How often is repeated here what is to be repeated without end."""


class TwimlError(Exception):
    """A document that can't be carried out."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Stream:
    """Where a call's sound is streamed to."""

    url: str
    name: str = ""
    tracks: tuple[str, ...] = ("inbound",)
    status_callback: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Connect:
    """Stream both ways, until the server closes the socket."""

    stream: Stream


@dataclass(frozen=True, slots=True)
class StartStream:
    """Stream one way, and go on."""

    stream: Stream


@dataclass(frozen=True, slots=True)
class Say:
    """Say a text."""

    text: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Play:
    """Play a file, or keys."""

    url: str = ""
    digits: str = ""
    times: int = 1


@dataclass(frozen=True, slots=True)
class Pause:
    """Be silent."""

    length_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Dial:
    """Put the person through to somebody."""

    number: str
    timeout_s: float = 30.0
    action: str = ""


@dataclass(frozen=True, slots=True)
class Reject:
    """Don't take the call."""

    reason: Literal["rejected", "busy"] = "rejected"


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call."""


Verb = Connect | StartStream | Say | Play | Pause | Dial | Reject | Hangup


def parsed(document: str) -> list[Verb]:
    """Return what a document says, in order.

    Raises:
        TwimlError: it is no TwiML, or has a verb that is not simulated.
    """
    try:
        root = ElementTree.fromstring(document)
    except ElementTree.ParseError as error:
        raise TwimlError(_UNREADABLE, f"Document parse failure: {error}") from error
    if root.tag != "Response":
        raise TwimlError(_UNREADABLE, f"Document parse failure: the root is {root.tag}, not Response")
    return [_verb(element) for element in root]


def _verb(element: ElementTree.Element) -> Verb:
    text = (element.text or "").strip()
    match element.tag:
        case "Connect":
            return Connect(_stream(_only(element, "Stream"), is_bidirectional=True))
        case "Start":
            return StartStream(_stream(_only(element, "Stream"), is_bidirectional=False))
        case "Say":
            return Say(text, _times(element))
        case "Play":
            if bool(text) == bool(element.get("digits")):
                raise TwimlError(_WRONG, "Play needs an address or digits")
            return Play(text, element.get("digits", ""), _times(element))
        case "Pause":
            return Pause(_number(element, "length", 1.0))
        case "Dial":
            number = element.find("Number")
            dialled = (number.text or "").strip() if number is not None else text
            if not dialled:
                raise TwimlError(_WRONG, "Dial needs a number; other nouns are not simulated")
            return Dial(dialled, _number(element, "timeout", 30.0), element.get("action", ""))
        case "Reject":
            reason = element.get("reason", "rejected")
            if reason not in ("rejected", "busy"):
                raise TwimlError(_WRONG, f"Reject has no reason {reason}")
            return Reject("busy" if reason == "busy" else "rejected")
        case "Hangup":
            return Hangup()
    raise TwimlError(_WRONG, f"{element.tag} is no verb, or is not simulated")


def _only(element: ElementTree.Element, tag: str) -> ElementTree.Element:
    children = list(element)
    if len(children) != 1 or children[0].tag != tag:
        raise TwimlError(_WRONG, f"{element.tag} needs one {tag}; other nouns are not simulated")
    return children[0]


def _stream(element: ElementTree.Element, *, is_bidirectional: bool) -> Stream:
    url = element.get("url", "")
    address = urlsplit(url)
    if address.scheme != "wss" and not (address.scheme == "ws" and _is_here(address.hostname or "")):
        # A departure: Twilio takes wss alone. Nothing on the way to this machine needs to be kept secret.
        raise TwimlError(_STREAM_URL, f"Stream needs a wss address, not {url!r}")
    if address.query:
        raise TwimlError(_STREAM_URL, "Stream's address can't have a query; use Parameter")
    track = element.get("track", "inbound_track")
    tracks = {
        "inbound_track": ("inbound",),
        "outbound_track": ("outbound",),
        "both_tracks": ("inbound", "outbound"),
    }
    if track not in tracks or (is_bidirectional and track != "inbound_track"):
        raise TwimlError(_WRONG, f"Stream can't have track {track} here")
    parameters = {}
    for child in element:
        name, value = child.get("name", ""), child.get("value", "")
        if child.tag != "Parameter" or not name or len(name) + len(value) > _PARAMETER_CHARACTERS:
            raise TwimlError(_WRONG, f"Stream takes Parameters of at most {_PARAMETER_CHARACTERS} characters")
        parameters[name] = value
    return Stream(url, element.get("name", ""), tracks[track], element.get("statusCallback", ""), parameters)


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _times(element: ElementTree.Element) -> int:
    return int(_number(element, "loop", 1.0)) or _LOOP_FOREVER


def _number(element: ElementTree.Element, name: str, default: float) -> float:
    given = element.get(name)
    if given is None:
        return default
    if not given.isdecimal():
        raise TwimlError(_WRONG, f"{element.tag}'s {name} is a number, not {given!r}")
    return float(given)
