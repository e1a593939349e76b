"""What Twilio is told to do with a call, as XML. No I/O.

https://www.twilio.com/docs/voice/twiml
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from lxml import etree

__all__ = [
    "Verb",
    "connect_stream",
    "dial",
    "hangup",
    "pause",
    "play",
    "reject",
    "response",
    "say",
]

_PARAMETER: Final = 500
"""Characters that a parameter's name and value may have together."""

_UNWRITABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing to be done; they are done one after another."""

    name: str
    attributes: tuple[tuple[str, str], ...] = ()
    text: str = ""
    nested: tuple[Verb, ...] = ()


def response(*verbs: Verb) -> bytes:
    """Return the document, as UTF-8; after the last verb Twilio hangs up."""
    root = etree.Element("Response")
    for verb in verbs:
        _add(root, verb)
    document: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return document


def connect_stream(
    url: str, parameters: Mapping[str, str] | None = None, *, name: str = "", status_callback: str = ""
) -> Verb:
    """Stream the call's audio both ways until the socket closes; then what follows is done.

    Args:
        url: `wss://`, without a query, which Twilio would cut off; a simulator on this machine takes
            `ws://127.0.0.1` as well.
        parameters: Come back when the stream starts.
        name: What the stream is called in status callbacks.
        status_callback: Where Twilio tells that the stream started, stopped or failed.

    Raises:
        ValueError: the address or a parameter is none that Twilio takes.
    """
    if not url.startswith(("wss://", "ws://127.0.0.1:")) or "?" in url or "#" in url:
        raise ValueError("a stream's address begins with wss:// and has no query: use parameters")
    given = parameters or {}
    if any(not each or len(each) + len(value) > _PARAMETER for each, value in given.items()):
        raise ValueError(f"a parameter has a name, and {_PARAMETER} characters with its value at most")
    attributes = _given(url=url, name=name, statusCallback=status_callback)
    nested = tuple(Verb("Parameter", (("name", each), ("value", value))) for each, value in given.items())
    return Verb("Connect", nested=(Verb("Stream", attributes, nested=nested),))


def say(text: str, *, voice: str = "", language: str = "") -> Verb:
    """Say a text, with one of Twilio's voices."""
    return Verb("Say", _given(voice=voice, language=language), text)


def play(url: str, *, times: int = 1) -> Verb:
    """Play a recording; 0 times for ever."""
    return Verb("Play", _given(loop="" if times == 1 else str(times)), url)


def pause(seconds: int) -> Verb:
    """Be silent for so long."""
    return Verb("Pause", (("length", str(seconds)),))


def reject(reason: Literal["rejected", "busy"] = "rejected") -> Verb:
    """Refuse the call, with a tone; as the first verb it costs nothing."""
    return Verb("Reject", (("reason", reason),))


def hangup() -> Verb:
    """End the call."""
    return Verb("Hangup")


def dial(
    number: str,
    *,
    caller_id: str = "",
    timeout_s: int | None = None,
    action: str = "",
    is_sip: bool = False,
) -> Verb:
    """Connect the person with somebody else.

    Args:
        number: In international form, or a SIP address.
        caller_id: Who is seen to call; the person by default.
        timeout_s: How long it rings there; 30 by default.
        action: Where Twilio asks what to do when that call is over.
        is_sip: Whether it is a SIP address.
    """
    attributes = _given(
        callerId=caller_id, timeout="" if timeout_s is None else str(timeout_s), action=action
    )
    return Verb("Dial", attributes, nested=(Verb("Sip" if is_sip else "Number", text=number),))


def _given(**attributes: str) -> tuple[tuple[str, str], ...]:
    """Return the attributes that say something."""
    return tuple((name, value) for name, value in attributes.items() if value)


def _add(parent: etree._Element, verb: Verb) -> None:
    element = etree.SubElement(parent, verb.name)
    for name, value in verb.attributes:
        element.set(name, _UNWRITABLE.sub("", value))
    if verb.text:
        element.text = _UNWRITABLE.sub("", verb.text)
    for each in verb.nested:
        _add(element, each)
