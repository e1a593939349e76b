"""Going on with an answer that was cut off: how it is asked for, and where it is joined. No I/O.

Text is passed on in whole words, so an answer is never cut inside one, and what another model goes
on with begins with a word of its own.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from warmline.interfaces.llm import LlmRequest, Message, Role

__all__ = ["Seam", "WholeWords", "continuation"]

_GO_ON: Final = (
    "(The connection broke off in the middle of your last message, and the person has heard all of it that "
    "stands there. Go on from exactly where it stops, with the very next word. Do not repeat any of it, do "
    "not begin anew, and do not mention this.)"
)

_LONGEST_WORD: Final = 40
"""What is longer is no word that is worth waiting for the end of."""

_LAST_WORD: Final = re.compile(r"\S+\Z")

_UNSPACED: Final = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u31a0-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
"""Scripts that are written without blanks between words: Thai, Lao, Burmese, Khmer, Chinese, Japanese."""

_HAS_UNSPACED: Final = re.compile(rf"[{_UNSPACED}]")
_LETTERS: Final = rf"[^\W{_UNSPACED}]+"
_UNIT: Final = re.compile(rf"[{_UNSPACED}]|{_LETTERS}(?:['\u2019]{_LETTERS})*")
_ELLIPSIS: Final = re.compile(r"\s*(?:\.\.\.|…)\s*")
_CLINGING: Final = re.compile(r"[^\w\s]*\s*")
_ENDS_IN_PUNCTUATION: Final = re.compile(r"[^\w\s]\s*\Z")


def continuation(request: LlmRequest, said: str) -> LlmRequest:
    """Return the request for the rest of an answer.

    Args:
        request: What was to be answered.
        said: The answer as far as it was passed on.
    """
    return replace(
        request,
        messages=[*request.messages, Message(Role.ASSISTANT, said.strip()), Message(Role.USER, _GO_ON)],
        # What a provider keeps of the conversation stands on the line that failed.
        conversation_id="",
    )


class WholeWords:
    """Holds the end of a text back until the word that it stops in is whole.

    It costs no time where text is cut into clauses, since a clause is over only when white space
    follows it. Scripts that have no blanks between words are passed on as they come.

    What changes here: `_held`, in every method.
    """

    def __init__(self) -> None:
        self._held = ""

    def push(self, text: str) -> str:
        """Take more text; return what is whole."""
        text = self._held + text
        self._held = ""
        last = _LAST_WORD.search(text)
        if last is not None and len(last[0]) <= _LONGEST_WORD and not _HAS_UNSPACED.search(last[0]):
            self._held = last[0]
        return text[: len(text) - len(self._held)]

    def flush(self) -> str:
        """Return what was held: the text is over."""
        held, self._held = self._held, ""
        return held

    def drop(self) -> None:
        """Forget what was held: whoever goes on begins with that word."""
        self._held = ""


class Seam:
    """Where a continuation is joined to what was said; drops what it repeats of its end.

    The longest run of words counts that ends what was said and begins the continuation; case and
    punctuation do not. What may still turn out to be such a run is held back.

    What changes here: `_text`, until the place is known.
    """

    def __init__(self, said: str) -> None:
        self._said = said
        self._words = [unit[0].casefold() for unit in _UNIT.finditer(said)]
        self._text = ""
        self._is_joined = not self._words

    def push(self, text: str) -> str:
        """Take more of the continuation, in whole words; return what is new in it."""
        if self._is_joined:
            return text
        self._text += text
        words = [unit[0].casefold() for unit in _UNIT.finditer(self._text)]
        if not words or self._may_go_on(words):
            return ""
        return self._join(words)

    def flush(self) -> str:
        """Return what was held: the continuation is over."""
        if self._is_joined:
            return ""
        return self._join([unit[0].casefold() for unit in _UNIT.finditer(self._text)])

    def _may_go_on(self, words: list[str]) -> bool:
        """Whether these words may all be a repetition, so that what is new is still to come."""
        said, size = self._words, len(words)
        return any(said[start : start + size] == words for start in range(len(said) - size + 1))

    def _join(self, words: list[str]) -> str:
        self._is_joined = True
        text, self._text = self._text, ""
        longest = min(len(words), len(self._words))
        repeated = next((size for size in range(longest, 0, -1) if self._words[-size:] == words[:size]), 0)
        if repeated:
            end = [unit.end() for unit in _UNIT.finditer(text)][repeated - 1]
            text = text[end:]
            if _ENDS_IN_PUNCTUATION.search(self._said) or not text.strip():
                text = text[_clinging(text) :]
        else:
            ellipsis = _ELLIPSIS.match(text)
            text = text[ellipsis.end() :] if ellipsis else text
        if self._said[-1:].isspace():
            text = text.lstrip()
        return text


def _clinging(text: str) -> int:
    """Return where the punctuation ends that a text begins with."""
    match = _CLINGING.match(text)
    return match.end() if match else 0
