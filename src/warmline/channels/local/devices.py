"""Reaching this machine's sound devices, and saying what to do when there are none."""

from __future__ import annotations

import importlib
from typing import Any

from warmline.errors import InputError

__all__ = ["open_stream", "sound_library"]

_INSTEAD = (
    "Talk in a browser with `warmline serve`, play a recording in with `warmline talk question.wav`, "
    'or ask in writing with `warmline talk --text "..."`'
)


def sound_library() -> Any:
    """Return the sounddevice module.

    Raises:
        InputError: PortAudio, which it needs, is not installed.
    """
    try:
        return importlib.import_module("sounddevice")
    except (ImportError, OSError) as error:
        raise InputError(
            f"This machine's sound can't be reached: {error}. On Debian and Ubuntu, "
            f"`sudo apt install libportaudio2` helps. {_INSTEAD}"
        ) from error


def open_stream(stream: Any, **options: Any) -> Any:
    """Return a started stream of the class given.

    Raises:
        InputError: there is no such device, or it can't be used.
    """
    try:
        opened = stream(**options)
        opened.start()
    except (sound_library().PortAudioError, ValueError) as error:
        kind = "microphone" if "Input" in stream.__name__ else "loudspeaker"
        raise InputError(f"No {kind} can be used here ({error}). {_INSTEAD}") from error
    return opened
