"""From what a model writes to what can be said: Markdown and emoji go, their words stay; pure.

A stream may be split anywhere, also inside a mark: what cannot be decided yet is held back until
more comes. Most text has no marks and passes at once. `docs/concepts/turns.md` lists what becomes
of what.
"""

from __future__ import annotations

from typing import Final

import regex

from warmline.turns.inline_marks import (
    Step,
    step_over_address,
    step_over_entity,
    step_over_escape,
    step_over_link,
    step_over_tag,
)

__all__ = ["SpeakableText", "speakable"]

_SAID_FENCES: Final = frozenset({"", "text", "txt", "plaintext", "markdown", "md"})
"""What a fence says it holds, if that is no code."""

_BLOCK_BEGUN: Final = regex.compile(
    r"""
    [ \t]* (?:
        \#{1,6} | > | [-*_=:][-*_=:|\ \t]* | [-*+•‣◦▪][ \t]*(?:\[[ xX]?\]?[ \t]*)?
      | `{1,2} | `{3,}[^`\n]* | ~{1,2} | ~{3,}[^\n]* | \|[^\n]*
    )?
    """,
    regex.VERBOSE,
)
"""The beginning of a line that may become one of the following."""

_RULE: Final = regex.compile(
    r"[ \t]*(?:([-*_])[ \t]*(?:\1[ \t]*){2,}|={2,}[ \t]*|\|?[ \t]*:?-+:?[ \t]*\|[-:| \t]*)(?:\n|$)"
)
"""A line across the page, below a heading or below a table's head."""

_FENCE: Final = regex.compile(r"[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^`\n]*)(?:\n|$)")
_BLOCK_MARK: Final = regex.compile(
    r"[ \t]*(?:\#{1,6}[ \t]+|>(?:[ \t]+|(?=>))|[-*+•‣◦▪][ \t]+(?:\[[ xX]\][ \t]+)?)"
)
"""A heading's, a quotation's or a list's. Numbers stay: "3. They are upstairs" may be an answer."""

_BLANKS: Final = regex.compile(r"[ \t]+")
_ROW: Final = regex.compile(r"[ \t]*\|(?P<cells>(?=[ \t])[^\n]*|[^\n]*\|[ \t]*)(?=\n|$)")
_CELL_END: Final = regex.compile(r"(?<!\\)\|")

_EMOJI: Final = (
    r"[\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}\ufe0e\ufe0f\u20e3\U000e0020-\U000e007f"
    r"--[©®\N{TRADE MARK SIGN}‼⁉]]"
)
"""A character of an emoji; not the digit of a keycap, and not the pictures that are said."""

_ADDRESS_MAY_NOT_FOLLOW: Final = regex.compile(r"[0-9A-Za-z_]")
_JOINER: Final = "\N{ZERO WIDTH JOINER}"
"""Makes one picture of two, and one letter of two in some scripts."""

_MARK: Final = regex.compile(
    rf"(?P<emphasis>\*+|_+|~+)|(?P<code>`+)|(?P<link>!?\[)|(?P<tag><)|(?P<escape>\\)|(?P<entity>&)"
    r"|(?P<address>(?<![0-9A-Za-z_])(?:h(?=ttps?://|t?t?p?s?:?/?$)|w(?=ww\.|w?w?\.?$)))"
    rf"|(?P<emoji>(?:{_EMOJI}{_JOINER}?)+)|(?P<line>\n)",
    regex.VERSION1,
)


def speakable(text: str) -> str:
    """Return what can be said of a text that is known whole."""
    stream = SpeakableText()
    return stream.push(text) + stream.flush()


class SpeakableText:
    """One reply's text on its way to the voice.

    What changes here: all fields, in `push` and `flush`.
    """

    def __init__(self, *, begins_line: bool = True) -> None:
        """Begin; `begins_line` is false for a part of a line, in which "- " is no list's mark."""
        self._held = ""
        self._before = ""
        """The last character read; empty at the beginning."""

        self._word_before = ""
        """The last of them that was no blank."""

        self._at_line_start = begins_line
        self._fence = ""
        """What opened the block of code that is being read."""

        self._is_fence_said = False
        self._code = ""
        """What opened the code inside a line."""

        self._open = ""
        """Emphasis that is open: its marks."""

        self._is_after_blank = True
        """Whether what was said last ended in a blank, or nothing was."""

        self._is_after_emoji = False

    def push(self, delta: str) -> str:
        """Take more text and return what of it can be said; often all, sometimes nothing yet."""
        return self._read(self._held + delta, is_last=False)

    def flush(self) -> str:
        """Return what was held back: the text is over."""
        return self._read(self._held, is_last=True)

    def _read(self, text: str, *, is_last: bool) -> str:
        said = []
        at = 0
        while at < len(text):
            step = self._step(text, at, is_last)
            if step is None:
                break
            said.append(self._joined(step.said))
            self._before = text[step.end - 1]
            self._word_before = text[at : step.end].rstrip()[-1:] or self._word_before
            at = step.end
        self._held = text[at:]
        return "".join(said)

    def _joined(self, said: str) -> str:
        """Return what is said behind what was said before: where an emoji was, one blank is enough."""
        if self._is_after_emoji:
            said = said.lstrip(f"{_JOINER} \t" if self._is_after_blank else _JOINER)
        if said:
            self._is_after_emoji = False
            self._is_after_blank = said[-1].isspace()
        return said

    def _step(self, text: str, at: int, is_last: bool) -> Step | None:
        """Return the next part, or None if it takes more text to tell."""
        if self._fence:
            return self._in_fence(text, at, is_last)
        if self._at_line_start:
            return self._block(text, at, is_last)
        return self._inline(text, at, is_last)

    def _block(self, text: str, at: int, is_last: bool) -> Step | None:
        end = text.find("\n", at)
        is_whole = end >= 0 or is_last
        if not is_whole and _BLOCK_BEGUN.fullmatch(text, at):
            return None
        if is_whole and (rule := _RULE.match(text, at)):
            return Step("", rule.end())
        if is_whole and (fence := _FENCE.match(text, at)):
            self._fence = fence["fence"]
            self._is_fence_said = fence["info"].strip().lower() in _SAID_FENCES
            return Step("", fence.end())
        if mark := _BLOCK_MARK.match(text, at):
            return Step("", mark.end())
        if blanks := _BLANKS.match(text, at):
            return Step("", blanks.end())
        self._at_line_start = False
        if is_whole and (row := _ROW.match(text, at)):
            cells = [_said_inside(cell).strip() for cell in _CELL_END.split(row["cells"])]
            return Step(", ".join(filter(None, cells)), row.end())
        return self._inline(text, at, is_last)

    def _in_fence(self, text: str, at: int, is_last: bool) -> Step | None:
        end = text.find("\n", at) + 1
        line = text[at : end or len(text)]
        if self._at_line_start and not line.strip().strip(self._fence[0]):
            if not end and not is_last:
                return None
            if len(line.strip()) >= len(self._fence):
                self._fence = ""
                return Step("", at + len(line))
        self._at_line_start = bool(end)
        return Step(line if self._is_fence_said else "", at + len(line))

    def _inline(self, text: str, at: int, is_last: bool) -> Step | None:
        mark = _MARK.search(text, at)
        if mark is None:
            return Step(text[at:], len(text))
        if mark.start() > at:
            return Step(text[at : mark.start()], mark.start())
        match mark.lastgroup:
            case "line":
                self._at_line_start = True
                self._code = self._open = ""
                return Step("\n", mark.end())
            case "emoji":
                self._is_after_emoji = True
                return Step("", mark.end())
            case "code":
                return self._code_mark(text, mark[0], mark.end(), is_last)
            case _ if self._code:
                return Step(mark[0], mark.end())
            case "emphasis":
                return self._emphasis(text, mark[0], mark.end(), is_last)
            case "link":
                return step_over_link(text, mark[0], at, is_last=is_last, said_of=_said_inside)
            case "tag":
                return step_over_tag(text, at, is_last=is_last)
            case "escape":
                return step_over_escape(text, at, is_last=is_last)
            case "entity":
                return step_over_entity(text, at, is_last=is_last)
            case _:
                is_inside_word = at == 0 and _ADDRESS_MAY_NOT_FOLLOW.match(self._before)
                return (
                    Step(mark[0], at + 1) if is_inside_word else step_over_address(text, at, is_last=is_last)
                )

    def _code_mark(self, text: str, run: str, end: int, is_last: bool) -> Step | None:
        if end == len(text) and not is_last:
            return None
        if self._code and self._code != run:
            return Step(run, end)
        self._code = "" if self._code else run
        return Step("", end)

    def _emphasis(self, text: str, run: str, end: int, is_last: bool) -> Step | None:
        """Leave marks of emphasis out, and say those of sums, names and footnotes."""
        if end == len(text) and not is_last:
            return None
        before, after = self._before, text[end : end + 1]
        is_open = run[0] in self._open
        can_open = bool(after) and not after.isspace()
        can_close = bool(before) and not before.isspace()
        if not (can_open or can_close) or self._is_plain(run, before, after, is_open=is_open):
            return Step(run, end)
        if is_open and can_close:
            self._open = self._open.replace(run[0], "", len(run))
            return Step("", end)
        if can_open:
            self._open += run
            return Step("", end)
        # A "**" that closes nothing is a slip of the model's; a "*" may be a footnote's.
        return Step("" if len(run) > 1 else run, end)

    def _is_plain(self, run: str, before: str, after: str, *, is_open: bool) -> bool:
        """Return whether the marks are no emphasis: ~5, snake_case, 2*3, x**2, (*)."""
        if run[0] == "~":
            return len(run) != 2
        if before.isalnum() and after.isalnum():
            if run[0] == "_":
                return True
            # Scripts without blanks have emphasis inside what is a word to Unicode.
            if before.isascii() and after.isascii():
                return not is_open or len(run) == 1 or (before.isdigit() and after.isdigit())
        if run == "*" and after.isdigit() and self._word_before.isdigit():
            return True
        return not is_open and _is_mark(before) and _is_mark(after)


def _is_mark(character: str) -> bool:
    return bool(character) and not character.isalnum() and not character.isspace()


def _said_inside(text: str) -> str:
    """Return what can be said of a part of a line."""
    stream = SpeakableText(begins_line=False)
    return stream.push(text) + stream.flush()
