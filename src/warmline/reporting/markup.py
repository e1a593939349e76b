"""Elements of a page; whatever is put into one is escaped when the page is written."""

from __future__ import annotations

from xml.etree import ElementTree

from warmline.reporting.words import clean

__all__ = ["Element", "element", "page_text"]

Element = ElementTree.Element


def element(tag: str, *children: Element | str | None, **attributes: str | float) -> Element:
    """Return an element with its children in order.

    Args:
        tag: Its name.
        children: Elements and text; None is left out.
        attributes: Those of HTML and SVG by their names; `class_` and `for_` end in an underscore, and an
            underscore inside a name stands for a hyphen.
    """
    made = Element(tag, {_attribute(name): _shown(value) for name, value in attributes.items()})
    last: Element | None = None
    for child in children:
        if isinstance(child, str):
            text = clean(child)
            if last is None:
                made.text = (made.text or "") + text
            else:
                last.tail = (last.tail or "") + text
        elif child is not None:
            made.append(child)
            last = child
    return made


def page_text(root: Element) -> str:
    """Return a whole HTML document."""
    return "<!doctype html>\n" + ElementTree.tostring(root, encoding="unicode", method="html") + "\n"


def _attribute(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _shown(value: str | float) -> str:
    return clean(value) if isinstance(value, str) else f"{value:.6g}"
