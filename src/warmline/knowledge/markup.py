"""HTML and Markdown to blocks; pure."""

from __future__ import annotations

import re
import warnings
from typing import Final

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, Tag, XMLParsedAsHTMLWarning
from bs4.element import NavigableString, PageElement, PreformattedString
from markdown_it import MarkdownIt

from warmline.knowledge.blocks import Contents, Kind, Outline, ends_sentence, join_lines, row_text, squeeze

__all__ = ["read_html", "read_markdown"]

_LEFT_OUT: Final = frozenset(
    "script style nav aside noscript template svg math iframe object form button select dialog head".split()
)
_LEFT_OUT_ROLES: Final = frozenset({
    "navigation",
    "banner",
    "contentinfo",
    "search",
    "menu",
    "alert",
    "dialog",
})
_PAGE_FURNITURE: Final = frozenset({"header", "footer"})
_SECTIONS: Final = frozenset({"main", "article", "section"})
_INLINE: Final = frozenset(
    "a abbr b bdi bdo cite code data del dfn em font i ins kbd label mark q rp rt ruby s samp small span "
    "strike strong sub sup time tt u var wbr img ".split()
)
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_LAYOUT: Final = ["p", "ul", "ol", "dl", "table", "div", *_HEADINGS]
_FRONT_MATTER: Final = re.compile(r"\A---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_FRONT_TITLE: Final = re.compile(r"^title:[ \t]*[\"']?(.+?)[\"']?[ \t]*\r?$", re.MULTILINE)


def read_markdown(text: str) -> Contents:
    """Return the blocks of a Markdown text; its front matter gives no text but may give the title."""
    title = ""
    if front := _FRONT_MATTER.match(text):
        text = text[front.end() :]
        if found := _FRONT_TITLE.search(front[1]):
            title = squeeze(found[1])
    html = MarkdownIt("commonmark").enable("table").render(text)
    contents = read_html(html)
    return Contents(contents.blocks, title or contents.title)


def read_html(markup: bytes | str) -> Contents:
    """Return the blocks of a page's main part, without navigation, scripts, styles, headers and footers.

    Args:
        markup: As bytes, the page's own declaration of its encoding is followed.
    """
    with warnings.catch_warnings():
        # A page is a page, even if it is XHTML or as short as a file's name.
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        soup = BeautifulSoup(markup, "lxml")
    walk = _Walk()
    walk.through(soup.find("main") or soup.body or soup)
    contents = walk.outline.contents()
    heading = soup.find("h1")
    named = heading or soup.title
    return Contents(contents.blocks, squeeze(named.get_text()) if named else contents.title)


class _Walk:
    """One pass over a page.

    What changes here: the run of inline text not yet written, how deep in list items the walk
    is, and the outline.
    """

    def __init__(self) -> None:
        self.outline = Outline()
        self._run: list[str] = []
        self._items = 0

    def through(self, root: PageElement) -> None:
        # A stack of its own: a page may be nested deeper than Python's.
        pending: list[tuple[PageElement, bool]] = [(root, False)]
        while pending:
            node, is_done = pending.pop()
            if isinstance(node, Tag):
                if is_done:
                    self._leave(node)
                elif self._enter(node):
                    pending.append((node, True))
                    pending.extend((child, False) for child in reversed(node.contents))
            elif isinstance(node, NavigableString) and not isinstance(node, PreformattedString):
                self._run.append(re.sub(r"\s+", " ", node))

    def _enter(self, tag: Tag) -> bool:
        """Take in a tag; return whether its children are to be walked."""
        if _is_left_out(tag):
            return False
        if tag.name == "br":
            self._run.append("\n")
            return False
        if tag.name in _INLINE:
            return True
        self._flush()
        if level := _HEADINGS.get(tag.name):
            self.outline.heading(level, tag.get_text())
            return False
        if tag.name == "pre" and tag.find("code"):
            return False  # Nobody wants a program read aloud.
        if tag.name == "pre":
            self._run.append(tag.get_text())
            self._flush()
            return False
        if tag.name == "table" and not tag.find(_LAYOUT):
            self._table(tag)
            return False
        self._items += tag.name in {"li", "dt", "dd"}
        return True

    def _leave(self, tag: Tag) -> None:
        if tag.name in _INLINE:
            return
        if tag.name == "dt" and self._run and not ends_sentence(squeeze("".join(self._run))):
            self._run.append(":")
        self._flush()
        self._items -= tag.name in {"li", "dt", "dd"}

    def _flush(self) -> None:
        text = join_lines("".join(self._run).split("\n"))
        self._run.clear()
        self.outline.add(text, Kind.ITEM if self._items else Kind.PARAGRAPH)

    def _table(self, table: Tag) -> None:
        header: list[str] = []
        for row in table.find_all("tr"):
            cells = row.find_all(["td", "th"])
            texts = [cell.get_text(" ") for cell in cells]
            if cells and not header and all(cell.name == "th" for cell in cells):
                header = texts
            else:
                self.outline.add(row_text(header, texts), Kind.ROW)


def _is_left_out(tag: Tag) -> bool:
    if tag.name in _LEFT_OUT or tag.get("role") in _LEFT_OUT_ROLES:
        return True
    if tag.has_attr("hidden") or tag.get("aria-hidden") == "true":
        return True
    # The header of an article belongs to it; the header of the page does not.
    return tag.name in _PAGE_FURNITURE and not any(parent.name in _SECTIONS for parent in tag.parents)
