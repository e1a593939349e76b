"""What people are likely to say: a language model made of the user's documents.

A recogniser that expects the documents' own words makes a fraction of the errors of one that
expects anything; people ask about what is written there, in questions that begin alike.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from pocketsphinx.lm import ArpaBoLM

from warmline.providers.offline.spoken_numbers import spell_numbers

__all__ = ["OPENERS", "phrase_lines", "read_dictionary", "write_dictionary", "write_language_model"]

OPENERS: Final = (
    "hello", "hi there", "good morning", "good afternoon", "thanks", "thank you", "thank you very much",
    "yes", "yes please", "no", "no thank you", "okay", "goodbye", "bye", "stop", "wait", "hold on",
    "repeat that", "can you repeat that", "please say that again", "more slowly please",
    "what can i ask", "what can you do", "i have a question", "i have a question about",
    "can you help me", "can you help me with", "can you tell me", "could you tell me", "do you know",
    "i want to", "i want to know", "i would like to", "i would like to know", "i'd like to", "i need",
    "i need to", "i need a", "i need help with", "is it possible to", "am i allowed to", "can i",
    "can i get", "can i have", "can i use", "can i still", "could i", "may i", "should i", "do i have to",
    "do i need", "do i need to", "how", "how do i", "how do you", "how can i", "how does the",
    "how much", "how much is", "how much is the", "how much does it cost", "how much does the",
    "how long", "how long does it take", "how long is the", "how long before", "how many", "how often",
    "how old", "how far is", "how soon can", "what", "what is", "what is the", "what's the", "what are",
    "what are the", "what are your", "what do i", "what does", "what does it", "what does the",
    "what if", "what if i", "what happens if", "what happens when", "what time", "what time do you",
    "what time does the", "what kind of", "which", "which one", "which of the", "when", "when is",
    "when is the", "when do you", "when does the", "when can i", "when will i", "when will the", "where",
    "where is", "where is the", "where are", "where are you", "where can i", "where do i", "who",
    "who is", "who can", "who do i", "why", "why is", "why is the", "why is my", "why does", "why does my",
    "do you", "do you have", "do you have a", "do you offer", "do you sell", "do you accept", "do you take",
    "is there", "is there a", "is it", "is the", "is my", "are there", "are you", "are you open", "are the",
    "are your", "does it", "does the", "does my", "will it", "will you", "will i", "will my", "tell me",
    "tell me about", "tell me about the", "tell me more", "tell me more about", "tell me how", "explain",
    "my", "the", "a", "and", "please", "i", "i am", "i'm", "i am looking for", "i don't", "i don't have",
    "i don't know", "i can't", "i can't find", "i cannot", "i forgot", "i forgot my", "i lost", "i lost my",
    "i have a problem with", "it is", "it doesn't", "it is not working", "in the", "on the", "at the",
    "for the", "to the", "for a", "of the", "with the", "from the", "about the",
)  # fmt: skip
"""How questions and answers begin; what follows is the documents' part."""

_OPENER_COUNT: Final = 3
"""How often each opener is counted, so that it weighs against documents of some hundred sentences."""

_DISCOUNT: Final = 0.5
"""Probability kept for words in an order that the documents do not have; ArpaBoLM's own default."""

_WORD: Final = re.compile(r"[a-z]+(?:['.][a-z]+)*\.?|'[a-z]+")


def read_dictionary(path: Path) -> dict[str, list[str]]:
    """Return the entries of a pronouncing dictionary in CMU's form, whole lines, by word.

    A word's further pronunciations, as in `read(2)`, are under the word.
    """
    entries: dict[str, list[str]] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            word = line.split(maxsplit=1)[0].partition("(")[0]
            entries.setdefault(word, []).append(line)
    return entries


def write_dictionary(path: Path, lines: Iterable[str], entries: Mapping[str, list[str]]) -> None:
    """Write the entries of the words in `lines`: a decoder's memory and start grow with all of them."""
    words = {word for line in lines for word in line.split()} - {"<s>", "</s>"}
    with path.open("w", encoding="utf-8") as file:
        for word in sorted(words):
            file.writelines(entries[word])


def phrase_lines(sentences: Iterable[str], known_words: Collection[str]) -> Iterator[str]:
    """Yield the lines a language model is counted from, openers last.

    A word without a pronunciation cannot be recognised; the line is cut there, so that its
    neighbours are not taken to follow each other.
    """
    for sentence in sentences:
        line: list[str] = ["<s>"]
        for word in _words(sentence):
            if spoken := _pronounced(word, known_words):
                line.append(spoken)
            else:
                if len(line) > 1:
                    yield " ".join(line)
                line = []
        if any(word != "<s>" for word in line):
            yield " ".join([*line, "</s>"])
    for opener in OPENERS:
        for _ in range(_OPENER_COUNT):
            yield f"<s> {opener} </s>"


def write_language_model(path: Path, lines: Iterable[str]) -> None:
    """Write the ARPA language model of `lines`."""
    model = ArpaBoLM(text="\n".join(lines) + "\n", discount_mass=_DISCOUNT)
    model.compute()
    # Its own write_file hides errors.
    with path.open("w", encoding="utf-8") as file:
        model.write(file)


def _words(sentence: str) -> list[str]:
    plain = spell_numbers(sentence.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    return _WORD.findall(re.sub(r"[^a-z'.]+", " ", plain))


def _pronounced(word: str, known_words: Collection[str]) -> str | None:
    """Return the dictionary's spelling of a word: `a.m.` with its full stops, `end.` without."""
    for spelling in (word, word.rstrip("."), word.replace(".", "")):
        if spelling in known_words:
            return spelling
    return None
