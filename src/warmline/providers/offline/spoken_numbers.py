"""Numbers as they are spoken: "42" is "forty two"."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["spell_number", "spell_numbers"]

_ONES: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS: Final = (
    "zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
)  # fmt: skip
_SCALES: Final = ((1_000_000, "million"), (1_000, "thousand"), (100, "hundred"))
_LARGEST: Final = 999_999_999

_AMOUNT: Final = re.compile(r"(?P<sign>[$£€])?(?P<whole>\d[\d,]*)(?:\.(?P<part>\d+))?(?P<percent>\s*%)?")
_UNITS: Final = {"$": "dollars", "£": "pounds", "€": "euros"}


def spell_number(number: int) -> str:
    """Return a number from 0 to 999,999,999 in words, as Americans say it."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f" {_ONES[ones]}" if ones else "")
    for size, name in _SCALES:
        if number >= size:
            count, rest = divmod(number, size)
            return f"{spell_number(count)} {name}" + (f" {spell_number(rest)}" if rest else "")
    raise AssertionError(number)


def spell_numbers(text: str) -> str:
    """Return `text` with its numbers, amounts of money and percentages in words."""
    return _AMOUNT.sub(_spoken, text)


def _spoken(match: re.Match[str]) -> str:
    digits = match["whole"].replace(",", "")
    part = match["part"]
    number = int(digits)
    # A leading zero or a long row of digits is a code, and is read digit by digit.
    is_code = number > _LARGEST or (len(digits) > 1 and digits[0] == "0")
    words = [_ONES[int(digit)] for digit in digits] if is_code else [spell_number(number)]
    unit = _UNITS.get(match["sign"] or "")
    if unit is not None:
        words += [unit]
        if part is not None and len(part) == 2 and part != "00":
            words += [spell_number(int(part))]
    elif part is not None:
        words += ["point", *(_ONES[int(digit)] for digit in part)]
    if match["percent"]:
        words += ["percent"]
    return f" {' '.join(words)} "
