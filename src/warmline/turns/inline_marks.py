"""What Markdown and HTML put inside a line - links, tags, escapes, addresses - and what is said of it; pure.

Each function takes a text and where in it a mark stands, and returns a step over the mark, or None
if the text ends too early to tell. `is_last` says that no more will come.
"""

from __future__ import annotations

import html
import string
from collections.abc import Callable
from typing import Final, NamedTuple

import regex

__all__ = [
    "Step",
    "step_over_address",
    "step_over_entity",
    "step_over_escape",
    "step_over_link",
    "step_over_tag",
]

_LONGEST_HELD: Final = 400
"""Characters after which a bracket, a tag or an address that is still open is taken for plain text."""

_LINK_TEXT: Final = regex.compile(r"(?:[^\[\]\n\\]|\\.|\[[^\[\]\n]*\])*")
_LINK_TARGET: Final = regex.compile(
    r"""
      \(\s* (?P<url><[^<>\n]*> | (?:[^\s()<>]|\([^\s()]*\))*) (?:\s+(?:"[^"\n]*"|'[^'\n]*'))? \s*\)
    | \[[^\[\]\n]*\]
    """,
    regex.VERBOSE,
)
_TAG: Final = regex.compile(
    r"""
      <!--.*?-->
    | </?(?P<name>[A-Za-z][\w-]*) (?:\s+[\w:-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+))* \s*/?>
    | <(?P<address>https?://[^\s<>]*|[^\s<>@]+@[^\s<>@]+)>
    """,
    regex.VERBOSE | regex.DOTALL,
)
_TAG_NAMES: Final = frozenset(
    "a abbr b blockquote br center cite code dd del details div dl dt em font h1 h2 h3 h4 h5 h6 hr i img ins "
    "kbd li mark ol p pre q s samp small span strike strong sub summary sup table tbody td tfoot th thead tr "
    "tt u ul var audio break emphasis phoneme prosody say-as speak voice".split()
)
"""Of HTML, and of SSML. Others are no tags: "say <name> here"."""

_LINE_TAGS: Final = frozenset("blockquote br dd div dt h1 h2 h3 h4 h5 h6 hr li p tr".split())
"""Where one of them stands, a line ends."""

_ENTITY: Final = regex.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,31});")
_ADDRESS: Final = regex.compile(r"(?:https?://|www\.)[!-~--[<>\"`]]+", regex.VERSION1)
_ADDRESS_BEGUN: Final = regex.compile(r"https?:?/{0,2}|h|ht|htt|w{1,3}\.?")
_ADDRESS_TAIL: Final = regex.compile(r"[.,;:!?'*_~)\]}]+$")
_HOST: Final = regex.compile(r"(?:https?://)?(?:[^/?#@]*@)?(?:www\.)?([^/?#:]+)")


class Step(NamedTuple):
    """A part of a text, and what is said of it."""

    said: str
    end: int
    """Where in the text the part ends."""


def step_over_link(
    text: str, mark: str, at: int, *, is_last: bool, said_of: Callable[[str], str]
) -> Step | None:
    """Say a link's or a picture's text, or where it leads if it has none; nothing of a footnote.

    Args:
        text: The text.
        mark: `[` or `![`.
        at: Where the mark stands.
        is_last: Whether the text is whole.
        said_of: What is said of the text inside.
    """
    plain = Step(mark, at + len(mark))
    may_go_on = not is_last and len(text) - at < _LONGEST_HELD
    inside = _LINK_TEXT.match(text, at + len(mark))
    close = inside.end() if inside else len(text)
    if inside is None or text[close : close + 1] != "]":
        return None if may_go_on and "\n" not in text[close:] else plain
    if inside[0].startswith("^"):
        return Step("", close + 1)
    target = _LINK_TARGET.match(text, close + 1, partial=may_go_on)
    if target is None:
        return plain
    if target.partial:
        return None
    return Step(said_of(inside[0]) or _host(target["url"] or ""), target.end())


def step_over_tag(text: str, at: int, *, is_last: bool) -> Step | None:
    """Say nothing of a tag or a comment, and the address of `<...>` that holds one."""
    tag = _TAG.match(text, at, partial=not is_last and len(text) - at < _LONGEST_HELD)
    if tag is None:
        return Step("<", at + 1)
    if tag.partial:
        return None
    if tag["address"]:
        return Step(_host(tag["address"]) if "://" in tag["address"] else tag["address"], tag.end())
    name = (tag["name"] or "").lower()
    if name and name not in _TAG_NAMES:
        return Step("<", at + 1)
    return Step("\n" if name in _LINE_TAGS else "", tag.end())


def step_over_escape(text: str, at: int, *, is_last: bool) -> Step | None:
    """Say the mark behind a backslash as it is."""
    escaped = text[at + 1 : at + 2]
    if not escaped and not is_last:
        return None
    if escaped and escaped in string.punctuation:
        return Step(escaped, at + 2)
    return Step("" if escaped == "\n" else "\\", at + 1)


def step_over_entity(text: str, at: int, *, is_last: bool) -> Step | None:
    """Say the character that an entity such as `&amp;` stands for."""
    entity = _ENTITY.match(text, at, partial=not is_last)
    if entity is None:
        return Step("&", at + 1)
    if entity.partial:
        return None
    return Step(html.unescape(entity[0]).replace("\N{NO-BREAK SPACE}", " "), entity.end())


def step_over_address(text: str, at: int, *, is_last: bool) -> Step | None:
    """Say the host of a web address: nobody wants to hear a path."""
    address = _ADDRESS.match(text, at)
    if address is None:
        return None if not is_last and _ADDRESS_BEGUN.fullmatch(text, at) else Step(text[at], at + 1)
    if address.end() == len(text) and not is_last and len(address[0]) < _LONGEST_HELD:
        return None
    url = _ADDRESS_TAIL.sub("", address[0])
    return Step(_host(url), at + len(url))


def _host(url: str) -> str:
    found = _HOST.match(url.strip("<>"))
    return found[1] if found else ""
