"""A folder of files to documents.

Nothing about one file stops the others: a file that cannot be read is returned with the reason.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from warmline.errors import InputError
from warmline.knowledge.blocks import Contents, Document, squeeze
from warmline.knowledge.markup import read_html, read_markdown
from warmline.knowledge.plaintext import decode_text, read_plain_text

__all__ = ["DEFAULT_MAX_FILE_BYTES", "ENDINGS", "OnFile", "Reading", "Skipped", "read_folder"]

DEFAULT_MAX_FILE_BYTES: Final = 20_000_000

_TEXT: Final = frozenset({".txt", ".text"})
_MARKDOWN: Final = frozenset({".md", ".markdown"})
_HTML: Final = frozenset({".html", ".htm", ".xhtml"})
_PDF: Final = frozenset({".pdf"})
_DOCX: Final = frozenset({".docx"})

ENDINGS: Final = _TEXT | _MARKDOWN | _HTML | _PDF | _DOCX
"""The endings of files that are read."""

_REASONS_SHOWN: Final = 3

OnFile = Callable[[int, int, str], None]
"""Called with the files done, the files in all, and the name of the next one (empty at the end)."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was not read."""

    source: str
    """Its path within the folder."""

    reason: str
    """What is wrong with it and what to do, to be read after its name."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a folder holds."""

    documents: tuple[Document, ...]
    skipped: tuple[Skipped, ...]


def read_folder(
    folder: Path, *, max_file_bytes: int = DEFAULT_MAX_FILE_BYTES, on_file: OnFile | None = None
) -> Reading:
    """Read every document in a folder and the folders in it, in the order of their names.

    Hidden files are passed over; links are not followed. Blocks for as long as it takes.

    Args:
        folder: The folder, or a single document.
        max_file_bytes: Larger files are skipped.
        on_file: Told of the progress, on this thread.

    Raises:
        InputError: there is no such folder, or no document in it could be read.
    """
    folder = folder.expanduser()
    if not folder.exists():
        raise InputError(
            f"reading documents: there is no folder {folder}; check its name, or make it and put files in"
        )
    found = list(_files(folder))
    documents: list[Document] = []
    skipped: list[Skipped] = []
    for number, (path, source) in enumerate(found):
        if on_file is not None:
            on_file(number, len(found), source)
        try:
            documents.append(_read(path, source, max_file_bytes))
        except InputError as error:
            skipped.append(Skipped(source, str(error)))
        except OSError as error:
            skipped.append(Skipped(source, f"could not be opened: {error.strerror or error}"))
        except Exception as error:  # noqa: BLE001 - a damaged file can make its library raise anything
            skipped.append(
                Skipped(source, f"is damaged ({type(error).__name__}); save it again, or as plain text")
            )
    if on_file is not None:
        on_file(len(found), len(found), "")
    if not documents:
        raise InputError(_nothing_to_read(folder, skipped))
    return Reading(tuple(documents), tuple(skipped))


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the paths under a folder that are not hidden, with their names for people."""
    if not folder.is_dir():
        yield folder, folder.name
        return
    for directory, subdirectories, names in os.walk(folder, followlinks=False):
        here = Path(directory)
        links = [name for name in subdirectories if (here / name).is_symlink()]
        subdirectories[:] = sorted(set(subdirectories) - set(links))
        subdirectories[:] = [name for name in subdirectories if not name.startswith(".")]
        for name in sorted([*names, *links]):
            if not name.startswith("."):
                yield here / name, (here / name).relative_to(folder).as_posix()


def _read(path: Path, source: str, max_file_bytes: int) -> Document:
    status = path.lstat()
    ending = path.suffix.lower()
    if stat.S_ISLNK(status.st_mode):
        raise InputError("is a link; links are not followed, so copy the file here")
    if ending not in ENDINGS:
        raise InputError(f"is not of a kind that is read ({', '.join(sorted(ENDINGS))})")
    if not stat.S_ISREG(status.st_mode):
        raise InputError("is not a file")
    if status.st_size == 0:
        raise InputError("is empty")
    if status.st_size > max_file_bytes:
        size, limit = f"{status.st_size / 1e6:.1f}", f"{max_file_bytes / 1e6:.1f}"
        raise InputError(f"has {size} MB, more than the limit of {limit} MB; split it or raise the limit")
    contents = _contents(path.read_bytes(), ending, max_file_bytes)
    if not contents.blocks:
        raise InputError("has no text in it")
    return Document(source, contents.title or _title_from(path), contents.blocks)


def _contents(data: bytes, ending: str, max_file_bytes: int) -> Contents:
    # These two libraries take a third of a second to import; most folders need neither.
    if ending in _PDF:
        from warmline.knowledge.pdf import read_pdf

        return read_pdf(data)
    if ending in _DOCX:
        from warmline.knowledge.word import read_docx

        return read_docx(data, max_file_bytes=max_file_bytes)
    if ending in _HTML:
        decode_text(data)  # Refuses what is not text; the page itself knows its encoding better.
        return read_html(data)
    text = decode_text(data)
    return read_markdown(text) if ending in _MARKDOWN else read_plain_text(text)


def _title_from(path: Path) -> str:
    words = squeeze(path.stem.replace("-", " ").replace("_", " "))
    return words[:1].upper() + words[1:]


def _nothing_to_read(folder: Path, skipped: list[Skipped]) -> str:
    advice = f"put files there that end in {', '.join(sorted(ENDINGS))}"
    if not skipped:
        return f"reading documents: {folder} is empty; {advice}"
    reasons = "; ".join(f"{skip.source} {skip.reason}" for skip in skipped[:_REASONS_SHOWN])
    more = f"; and {len(skipped) - _REASONS_SHOWN} more" if len(skipped) > _REASONS_SHOWN else ""
    return f"reading documents: no file in {folder} could be read ({reasons}{more}); {advice}"
