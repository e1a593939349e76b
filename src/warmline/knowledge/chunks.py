"""Documents to chunks: pieces that answer one question and can be read aloud; pure.

A chunk is made of whole sentences that stand under the same heading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from warmline.knowledge.blocks import Block, Document, Kind, ends_sentence
from warmline.turns.sentences import split_sentences

__all__ = ["MAX_CHARACTERS", "MAX_SENTENCES", "Chunk", "chunk_document"]

MAX_SENTENCES: Final = 3
"""More than this is a speech, not an answer."""

MAX_CHARACTERS: Final = 400
"""About half a minute of speech."""

SHORT_CHARACTERS: Final = 80
"""A paragraph shorter than this is put together with the next one."""

SHORT_ITEM_WORDS: Final = 5
"""List items of no more words than this are read as one sentence."""

ITEMS_IN_SENTENCE: Final = 8
"""How many of them at most."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage that has not been searched for yet."""

    sentences: tuple[str, ...]
    source: str
    headings: tuple[str, ...]
    """The document's title and the headings above the chunk, outermost first; never empty."""

    @property
    def text(self) -> str:
        """What is read aloud."""
        return " ".join(self.sentences)

    @property
    def title(self) -> str:
        """The innermost heading."""
        return self.headings[-1]


def chunk_document(
    document: Document, *, max_sentences: int = MAX_SENTENCES, max_characters: int = MAX_CHARACTERS
) -> Iterator[Chunk]:
    """Yield a document's chunks in its order.

    Every sentence is in exactly one chunk. No chunk is over a limit, unless it is one sentence.
    """
    for headings, blocks in groupby(document.blocks, key=lambda block: block.headings):
        path = tuple(dict.fromkeys((document.title, *headings)))
        for sentences in _packed(_paragraphs(blocks), max_sentences, max_characters):
            yield Chunk(tuple(sentences), document.source, path)


def _paragraphs(blocks: Iterable[Block]) -> Iterator[list[str]]:
    """Yield the sentences of each paragraph; a list or a table is one, with what introduces it."""
    paragraph: list[str] = []
    for is_listed, group in groupby(blocks, key=lambda block: block.kind is not Kind.PARAGRAPH):
        members = list(group)
        parts = [_listed(members)] if is_listed else [_sentences(block.text) for block in members]
        for part in parts:
            paragraph.extend(part)
            if not paragraph[-1].endswith(":"):
                yield paragraph
                paragraph = []
    if paragraph:
        yield paragraph


def _sentences(text: str) -> list[str]:
    whole = text if ends_sentence(text) else f"{text}."
    return [sentence for part in split_sentences(whole) if (sentence := part.strip())]


def _listed(blocks: Sequence[Block]) -> list[str]:
    """Return a list's or a table's sentences: short items are strung together as one would say them."""
    sentences: list[str] = []
    for is_short, group in groupby(blocks, key=_is_short_item):
        items = [block.text for block in group]
        if is_short:
            for start in range(0, len(items), ITEMS_IN_SENTENCE):
                *most, last = [item.rstrip(",") for item in items[start : start + ITEMS_IN_SENTENCE]]
                sentences.append(f"{', '.join(most)} and {last}." if most else f"{last}.")
        else:
            for item in items:
                sentences.extend(_sentences(item))
    return sentences


def _is_short_item(block: Block) -> bool:
    return (
        block.kind is Kind.ITEM
        and len(block.text.split()) <= SHORT_ITEM_WORDS
        and not ends_sentence(block.text)
    )


def _packed(paragraphs: Iterable[list[str]], max_sentences: int, max_characters: int) -> Iterator[list[str]]:
    """Yield chunks: a paragraph as it is, a short one with the next, a long one in even parts."""

    def fits(sentences: Sequence[str]) -> bool:
        return len(sentences) <= max_sentences and len(" ".join(sentences)) <= max_characters

    pending: list[str] = []
    for paragraph in paragraphs:
        if pending and len(" ".join(pending)) < SHORT_CHARACTERS and fits([*pending, *paragraph]):
            pending = [*pending, *paragraph]
        else:
            yield from _divided(pending, max_sentences, max_characters)
            pending = paragraph
    yield from _divided(pending, max_sentences, max_characters)


def _divided(sentences: Sequence[str], max_sentences: int, max_characters: int) -> list[list[str]]:
    """Return the sentences in as few parts as the limits allow, of about the same number of sentences."""
    parts = _filled(sentences, max_sentences, max_characters)
    if len(parts) > 1:
        even = _filled(sentences, -(-len(sentences) // len(parts)), max_characters)
        parts = even if len(even) == len(parts) else parts
    return parts


def _filled(sentences: Sequence[str], max_sentences: int, max_characters: int) -> list[list[str]]:
    parts: list[list[str]] = []
    for sentence in sentences:
        part = parts[-1] if parts else []
        if part and len(part) < max_sentences and len(" ".join((*part, sentence))) <= max_characters:
            part.append(sentence)
        elif len(part) > 1 and part[-1].endswith(":") and len(f"{part[-1]} {sentence}") <= max_characters:
            # What introduces a list goes with it.
            parts.append([part.pop(), sentence])
        else:
            parts.append([sentence])
    return parts
