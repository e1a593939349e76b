"""Web pages and Markdown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.knowledge.blocks import Kind
from warmline.knowledge.markup import read_html, read_markdown

pytestmark = pytest.mark.unit

PAGE = b"""<!DOCTYPE html><html><head><meta charset="utf-8"><title>Hours | Library</title>
<style>p {color: red}</style><script>alert("no")</script></head><body>
<header><a href="/">Home</a></header><nav>Menu</nav>
<main><article><header><h1>Opening <em>hours</em></h1></header>
<p>We open at <b>nine</b>.<br>We close at five.</p><aside>Advertisement</aside>
<h2>Holidays <a href="#h">\xc2\xb6</a></h2>
<ul><li>New Year</li><li>Easter<ul><li>Monday too</li></ul></li></ul>
<table><tr><th>Day</th><th>opens</th><th>closes</th></tr>
<tr><td>Monday</td><td>at nine</td><td>at five</td></tr></table>
<dl><dt>Phone</dt><dd>five five five</dd></dl>
<p hidden>Secret</p><!-- comment -->Loose &amp; bare text</article></main>
<footer>Copyright</footer></body></html>"""


def test_page_when_read_then_its_text_is_there_and_its_furniture_is_not():
    """Menus, scripts, advertisements and footers are not answers."""
    contents = read_html(PAGE)

    assert contents.title == "Opening hours"
    assert [(block.kind, block.headings, block.text) for block in contents.blocks] == [
        (Kind.PARAGRAPH, ("Opening hours",), "We open at nine. We close at five."),
        (Kind.ITEM, ("Opening hours", "Holidays"), "New Year"),
        (Kind.ITEM, ("Opening hours", "Holidays"), "Easter"),
        (Kind.ITEM, ("Opening hours", "Holidays"), "Monday too"),
        (Kind.ROW, ("Opening hours", "Holidays"), "Monday: opens at nine, closes at five"),
        (Kind.ITEM, ("Opening hours", "Holidays"), "Phone:"),
        (Kind.ITEM, ("Opening hours", "Holidays"), "five five five"),
        (Kind.PARAGRAPH, ("Opening hours", "Holidays"), "Loose & bare text"),
    ]


@pytest.mark.parametrize(
    "page",
    [
        b"<p>We open at nine.",
        b"We open at nine.",
        b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><p>We open at nine.</p></html>",
        b"<table><tr><td><p>We open at nine.</p></td></tr></table>",
        b"<div><section><footer>We open at nine.</footer></section></div>",
        b"<pre>We open\nat nine.</pre>",
    ],
    ids=["unclosed", "no tags", "xhtml", "layout table", "section's footer", "pre"],
)
def test_page_when_it_is_untidy_then_its_text_is_found(page):
    """Pages are rarely as the standard wants them."""
    assert [block.text for block in read_html(page).blocks] == ["We open at nine."]


def test_page_when_it_declares_its_encoding_then_that_is_used():
    """An old page says what it is written in."""
    page = '<meta charset="iso-8859-2"><p>\u017b\u00f3\u0142w</p>'.encode("iso-8859-2")
    assert read_html(page).blocks[0].text == "\u017b\u00f3\u0142w"


def test_page_when_nested_very_deep_then_it_is_read():
    """A generated page does not exhaust the stack."""
    page = "<div>" * 5000 + "<p>We open at nine." + "</div>" * 5000
    assert "We open at nine." in " ".join(block.text for block in read_html(page).blocks)


@given(st.text(alphabet="<>/ =\"'abhlptr!-&;#\n", max_size=200))
def test_page_when_any_characters_then_nothing_is_raised(text):
    """No page crashes the reader."""
    for block in read_html(text).blocks:
        assert block.text == " ".join(block.text.split())


def test_markdown_when_read_then_headings_lists_and_tables_are_known():
    """Markdown is read as what it means."""
    contents = read_markdown(
        "---\ntitle: 'The library'\nweight: 3\n---\n# Borrowing\n\nYou *can* borrow [books](x.html).\n\n"
        "```python\nprint('no')\n```\n\n## What to bring\n\n1. A card\n2. A bag\n\n"
        "| Item | weeks |\n|---|---|\n| Book | three |\n"
    )

    assert contents.title == "The library"
    assert [(block.kind, block.headings, block.text) for block in contents.blocks] == [
        (Kind.PARAGRAPH, ("Borrowing",), "You can borrow books."),
        (Kind.ITEM, ("Borrowing", "What to bring"), "A card"),
        (Kind.ITEM, ("Borrowing", "What to bring"), "A bag"),
        (Kind.ROW, ("Borrowing", "What to bring"), "Book: three"),
    ]


def test_markdown_when_it_only_begins_with_a_rule_then_nothing_is_lost():
    """A rule at the top is not front matter."""
    assert [block.text for block in read_markdown("---\n\nWe open at nine.\n").blocks] == ["We open at nine."]
