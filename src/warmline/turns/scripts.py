"""What the script of a text tells: its language, roughly, and whether blanks part its words; pure."""

from __future__ import annotations

from collections import Counter
from typing import Final

import regex

__all__ = ["UNSPACED", "language_of"]

UNSPACED: Final = r"\p{Han}\p{Hiragana}\p{Katakana}\u30fc\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
"""The inside of a character class, for `regex`: scripts that put no blanks between words.
U+30FC is the mark of a long vowel, which hiragana and katakana share."""

_LANGUAGES: Final = {
    "Hiragana": "ja",
    "Katakana": "ja",
    "Hangul": "ko",
    "Han": "zh",
    "Arabic": "ar",
    "Devanagari": "hi",
    "Cyrillic": "ru",
    "Greek": "el",
    "Hebrew": "he",
    "Thai": "th",
    "Bengali": "bn",
    "Tamil": "ta",
    "Telugu": "te",
    "Gujarati": "gu",
    "Gurmukhi": "pa",
    "Kannada": "kn",
    "Malayalam": "ml",
    "Sinhala": "si",
    "Armenian": "hy",
    "Georgian": "ka",
    "Ethiopic": "am",
    "Myanmar": "my",
    "Khmer": "km",
    "Lao": "lo",
}
"""The language written most in each script; for where sentences end, its neighbours do the same."""
_SCRIPTS: Final = regex.compile(
    "|".join(rf"(?P<{script}>\p{{{script}}})" for script in _LANGUAGES) + r"|(?P<other>\p{L})"
)
_ENOUGH: Final = 60
"""Characters that are looked at."""


def language_of(text: str) -> str:
    """Return the ISO 639-1 code of a language written in the text's script; `en` for Latin letters."""
    if text.isascii():
        return "en"
    scripts = Counter(match.lastgroup for match in _SCRIPTS.finditer(text[:_ENOUGH]))
    if not scripts:
        return "en"
    # Japanese is told from Chinese by its kana, however few.
    if scripts["Hiragana"] or scripts["Katakana"]:
        scripts["Hiragana"] += scripts.pop("Han", 0) + scripts.pop("Katakana", 0)
    return _LANGUAGES.get(str(scripts.most_common(1)[0][0]), "en")
