"""The documents that come with warmline: a small library in a small town."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["EXAMPLE_QUESTIONS", "SAMPLE_FOLDER"]

SAMPLE_FOLDER: Final = Path(__file__).parent / "sample"
"""Every word in it is one that the built-in recogniser knows."""

EXAMPLE_QUESTIONS: Final = (
    "When are you open?",
    "How do I get a library card?",
    "How many books can I borrow?",
    "Can I book a study room?",
    "How much does printing cost?",
    "When is story time?",
)
"""What a newcomer may ask."""
