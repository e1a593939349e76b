"""From what is written for a setting to its value, or to what is wrong with it."""

from __future__ import annotations

import datetime
import difflib
import json
import math
import re
from pathlib import Path
from typing import Final

from warmline.server.settings.catalogue import Kind, Setting, Value, format_number
from warmline.server.settings.installed import installed, names_in_words
from warmline.server.settings.nearest import written
from warmline.server.settings.secret import Secret

__all__ = ["Unfit", "default_in_toml", "read_value", "shown", "to_toml"]

_SHOWN_CHARS: Final = 60
"""How much of a wrong value an error repeats."""


class Unfit(Exception):
    """A value does not fit its setting; the text follows the setting's name in an error."""


def read_value(setting: Setting, raw: object) -> Value:
    """Return the value of `setting` that `raw` stands for; a path is taken as it is written.

    Raises:
        Unfit: it has the wrong type, or is out of range.
    """
    match setting.kind, raw:
        case Kind.SWITCH, bool():
            return raw
        case Kind.WHOLE, int() if not isinstance(raw, bool):
            return _within(setting, raw)
        case Kind.NUMBER, int() | float() if not isinstance(raw, bool):
            return float(_within(setting, raw))
        case Kind.TEXT, str():
            return _text(setting, raw)
        case Kind.TEXTS, list() | tuple() if all(isinstance(item, str) for item in raw):
            for item in raw:
                _text(setting, item)
            return tuple(raw)
        case Kind.CHOICE, str() if raw in setting.choices:
            return raw
        case Kind.PROVIDER, str() if _is_provider(setting, raw):
            return raw
        case Kind.PROVIDERS, list() | tuple() if all(_is_provider(setting, item) for item in raw):
            return tuple(raw)
        case Kind.PATH, str() | Path():
            return _path(str(raw))
        case Kind.SECRET, str():
            return _secret(setting, raw)
    raise _unfit(setting, raw)


def to_toml(raw: object) -> str:
    """Return a value, or anything that TOML can hold, as TOML writes it."""
    match raw:
        case None:
            return '""'
        case bool():
            return "true" if raw else "false"
        case str() | Path():
            return json.dumps(str(raw), ensure_ascii=False)
        case list() | tuple():
            return "[" + ", ".join(map(to_toml, raw)) + "]"
        case dict():
            return (
                "{"
                + ", ".join(f"{written((str(key),))} = {to_toml(item)}" for key, item in raw.items())
                + "}"
            )
        case datetime.date() | datetime.time():
            return raw.isoformat()
        case _:
            return str(raw)


def default_in_toml(setting: Setting) -> str:
    """Return the default as the example file and the reference page write it."""
    if isinstance(setting.default, float):
        return format_number(setting.default)
    return to_toml(setting.default)


def shown(raw: object) -> str:
    """Return `raw` as TOML writes it, cut short if it is long, for an error."""
    text = to_toml(raw)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


def _unfit(setting: Setting, raw: object) -> Unfit:
    text = f"is {shown(raw)}; it must be {setting.requirement}"
    words = list(setting.choices)
    if setting.kind in (Kind.PROVIDER, Kind.PROVIDERS):
        text += f" ({names_in_words(setting.key)})"
        words += installed(setting.key)
    for wrong in raw if isinstance(raw, list | tuple) else [raw]:
        near = difflib.get_close_matches(str(wrong).lower(), words, 1)
        if near and wrong not in words:
            text += f'; did you mean "{near[0]}"?'
            break
    return Unfit(text)


def _is_provider(setting: Setting, name: object) -> bool:
    return name in setting.choices or name in installed(setting.key)


def _within(setting: Setting, number: float) -> int | float:
    declared = setting.declared
    too_low = declared.at_least is not None and number < declared.at_least
    too_high = declared.at_most is not None and number > declared.at_most
    if too_low or too_high or not math.isfinite(number):
        raise _unfit(setting, number)
    return number


def _text(setting: Setting, text: str) -> str:
    declared = setting.declared
    if declared.at_most is not None and len(text) > declared.at_most:
        raise Unfit(f"has {len(text)} characters; it must be {setting.requirement}")
    if declared.pattern and not re.fullmatch(declared.pattern, text):
        raise Unfit(
            f"has {shown(text)}; it must be {setting.requirement}"
            if setting.kind is Kind.TEXTS
            else f"is {shown(text)}; it must be {setting.requirement}"
        )
    return text


def _path(text: str) -> Path | None:
    if "\0" in text:
        raise Unfit("has a NUL character in it, which no path can have")
    try:
        return Path(text).expanduser() if text else None
    except RuntimeError:
        raise Unfit(f"is {shown(text)}, and whose home folder `~` stands for is not known") from None


def _secret(setting: Setting, text: str) -> Secret:
    declared = setting.declared
    too_short = declared.at_least is not None and len(text) < declared.at_least
    if too_short or not re.fullmatch(declared.pattern, text):
        raise Unfit(f"cannot be used: it must be {setting.requirement}")
    return Secret(text)
