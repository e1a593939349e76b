"""espeak-ng through ctypes, with the library and the voices of the espeakng-loader package.

Imported only in the voice's own process: espeak-ng is under the GPL, its state is global to the
process, and a crash in it should stop nobody else.
"""

from __future__ import annotations

import ctypes
import enum
from collections.abc import Callable
from typing import Final, NamedTuple

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from warmline.errors import ConfigError

__all__ = ["Espeak", "OnSpoken", "WordEvent"]

_SYNCHRONOUS: Final = 2
_BUFFER_MS: Final = 40
"""Audio per callback asked for; espeak gives 60 ms at the least."""

_DONT_EXIT: Final = 0x8000
_UTF8: Final = 1
_PAUSE_AT_END: Final = 0x1000
_EVENT_END_OF_LIST: Final = 0
_EVENT_WORD: Final = 1


class _Parameter(enum.IntEnum):
    """`espeak_PARAMETER` of speak_lib.h."""

    RATE = 1
    PITCH = 3


class _Event(ctypes.Structure):
    """`espeak_EVENT` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


class WordEvent(NamedTuple):
    """A word that begins to be spoken."""

    character: int
    """Index of its first character in the text."""

    at_ms: int
    """Where it begins, in milliseconds from the text's first sample."""


OnSpoken = Callable[[NDArray[np.int16], list[WordEvent]], bool]
"""Takes the next samples and the words that begin in them; False ends the synthesis. The array is
espeak's own memory and must not be kept."""

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Espeak:
    """The synthesiser; one in a process, used by one thread at a time.

    What changes here: who is listening and what went wrong in it, in `speak`.
    """

    def __init__(self, *, voice: str, rate_wpm: int, pitch: int) -> None:
        """Load the library and a voice.

        Raises:
            ConfigError: the library cannot be used, or has no such voice.
        """
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as problem:
            raise ConfigError(f"loading espeak-ng: {problem}") from problem
        data_path = str(espeakng_loader.get_data_path()).encode()
        self.rate_hz: int = self._library.espeak_Initialize(
            ctypes.c_int(_SYNCHRONOUS), ctypes.c_int(_BUFFER_MS), data_path, ctypes.c_int(_DONT_EXIT)
        )
        if self.rate_hz <= 0:
            raise ConfigError(f"loading espeak-ng: its voices are missing from {data_path.decode()}")
        # Kept in a field: the library holds no reference to it.
        self._callback = _Callback(self._on_spoken)
        self._library.espeak_SetSynthCallback(self._callback)
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ConfigError(f"setting espeak-ng's voice: it has none named {voice!r}; try en-us or en-gb")
        self._library.espeak_SetParameter(int(_Parameter.RATE), rate_wpm, 0)
        self._library.espeak_SetParameter(int(_Parameter.PITCH), pitch, 0)
        self._sink: OnSpoken | None = None
        self._problem: Exception | None = None

    def speak(self, text: str, on_spoken: OnSpoken) -> None:
        """Synthesise `text` and return when all of it, or as much as was wanted, was handed over.

        Raises:
            Exception: whatever `on_spoken` raised.
        """
        encoded = text.encode("utf-8") + b"\0"
        self._sink, self._problem = on_spoken, None
        try:
            self._library.espeak_Synth(
                encoded,
                ctypes.c_size_t(len(encoded)),
                ctypes.c_uint(0),
                ctypes.c_int(1),
                ctypes.c_uint(0),
                ctypes.c_uint(_UTF8 | _PAUSE_AT_END),
                None,
                None,
            )
        finally:
            self._sink = None
        if self._problem is not None:
            raise self._problem

    def _on_spoken(
        self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]
    ) -> int:
        words: list[WordEvent] = []
        index = 0
        while (event := events[index]).type != _EVENT_END_OF_LIST:
            if event.type == _EVENT_WORD:
                words.append(WordEvent(event.text_position - 1, event.audio_position))
            index += 1
        audio = np.ctypeslib.as_array(samples, (count,)) if samples and count > 0 else _NOTHING
        try:
            wanted = self._sink is not None and self._sink(audio, words)
        except Exception as problem:  # noqa: BLE001 - nothing may pass through C; `speak` raises it
            self._problem = problem
            wanted = False
        return 0 if wanted else 1


_NOTHING: Final[NDArray[np.int16]] = np.zeros(0, np.int16)
