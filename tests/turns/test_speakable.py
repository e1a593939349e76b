"""What of a model's text can be said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from warmline.turns.speakable import SpeakableText, speakable

pytestmark = pytest.mark.unit


def in_pieces(*deltas: str) -> str:
    stream = SpeakableText()
    return "".join(stream.push(delta) for delta in deltas) + stream.flush()


SAID = [
    # emphasis
    ("**Note:** it is *really* __open__, _now_.", "Note: it is really open, now."),
    ("***both*** and **a *b* c**", "both and a b c"),
    ("~~old~~ new", "old new"),
    ("这是**重点**内容", "这是重点内容"),
    ("“**Hi**” (*there*)", "“Hi” (there)"),
    ("**Never closed", "Never closed"),
    ("slip** here", "slip here"),
    ("**Note**that", "Notethat"),
    # headings, lists, quotations, rules
    ("# Opening hours\nWe open", "Opening hours\nWe open"),
    ("###### Small\n", "Small\n"),
    ("Title\n===\nText\n---\nMore\n***\nEnd", "Title\nText\nMore\nEnd"),
    ("- one\n* two\n+ three\n  - four\n• five", "one\ntwo\nthree\nfour\nfive"),
    ("- [ ] to do\n- [x] done", "to do\ndone"),
    ("> quoted\n>> twice", "quoted\ntwice"),
    ("1. one\n2) two", "1. one\n2) two"),
    # links and pictures
    ('Ask [our staff](https://example.com/a?b=c_(d) "Title").', "Ask our staff."),
    ("Ask [**our** staff][1] now", "Ask our staff now"),
    ("[](https://www.example.com/x)", "example.com"),
    ("[https://example.com/a](https://example.com/a)", "example.com"),
    ("![A map](map.png) below", "A map below"),
    ("As said[^1].", "As said."),
    ("See https://www.example.com/path?q=1#x.", "See example.com."),
    ("Is it (http://user@example.org:8080/)?", "Is it (example.org)?"),
    ("www.example.com, or <https://example.org/x>", "example.com, or example.org"),
    ("看https://example.com/a。谢谢", "看example.com。谢谢"),
    ("Write to <me@example.com>", "Write to me@example.com"),
    # code
    ("Use `print(a_b*c*d)` and ``a`b``.", "Use print(a_b*c*d) and a`b."),
    ("Run this:\n```python\nprint('**x**')\n```\nDone.", "Run this:\nDone."),
    ("```\n12 High Street\n```\nThere.", "12 High Street\nThere."),
    ("~~~text\na\n~~~\n", "a\n"),
    ("```js\nx", ""),
    # tables
    ("| Day | Hours |\n|:---|---:|\n| Mon | 9 to 5 |\n| Sun | |\nEnd", "Day, Hours\nMon, 9 to 5\nSun\nEnd"),
    ("|Day|**Hours**|\n|-|-|\n|Mon|a \\| b|\n", "Day, Hours\nMon, a | b\n"),
    # HTML
    ('<b>Bold</b><br>line <a href="x">link</a>', "Bold\nline link"),
    ("<!-- hidden -->Hi", "Hi"),
    ('One<break time="1s"/> two', "One two"),
    ("AT&amp;T &lt;3 &nbsp;&#8364;5", "AT&T <3  €5"),
    # escapes
    ("\\*not emphasis\\*", "*not emphasis*"),
    # emoji
    ("Hi 👋 there! 🎉", "Hi there! "),
    ("✅ Done", "Done"),
    ("👩‍💻👨‍👩‍👧‍👦 work 👍🏽", "work "),
    ("Flags 🇩🇪🇫🇷 and 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f.", "Flags and ."),
    ("Press 1️⃣ or #️⃣", "Press 1 or #"),
    ("I ❤️ it, I ❤ it", "I it, I it"),
]

PLAIN = [
    "We are open from nine until six.",
    "2 * 3 = 6, 2*3, 2 *3, 2**10, x**2, a*b",
    "snake_case, my_file_v2.txt, _",
    "#1 in C# and F#, #hashtag",
    "-5 degrees, 5 - 3, 9-5",
    "It costs $5.50, or ~5 €, * plus tax",
    "price* and 5*",
    "x < 3 and y > 2, a<b, <3",
    "Say <name> here",
    "|x| = 5 and P(A|B)",
    "AT&T, Q&A, R&D; fish & chips",
    "50% of 3/4 is 0.375 = 3/8; 2^10; 1 + 1",
    "C:\\dir, [1], [sic], (*)",
    "3. They are upstairs.",
    "why, who, http, www, h",
    "me@example.com, @you",
    "© 2024 Acme™",
    "É ça, 你好，नमस्ते क्\u200dष, می\u200cروم",
    "It's 5' 6\" tall... 'quoted'",
]


@pytest.mark.parametrize(("text", "said"), SAID)
def test_marks_go_and_words_stay(text, said):
    """Wherever the stream is split."""
    assert speakable(text) == said
    if "![" not in text:
        assert in_pieces(*text) == said


@pytest.mark.parametrize("text", PLAIN)
def test_plain_text_stays_as_it_is(text):
    """Sums, names, prices, and what only looks like a mark."""
    assert speakable(text) == text
    assert in_pieces(*text) == text


@pytest.mark.parametrize("word", ["Hello", " and", " open.", " Yes!", "?", " 9", "中", " **", " *now"])
def test_most_of_a_stream_is_not_held_back(word):
    """A word that has come is said at once; an opening mark costs one more delta."""
    stream = SpeakableText()
    stream.push("It is")
    assert stream.push(word) == word.replace("**", "").replace("*", "")


def test_what_may_be_a_mark_is_held_back_until_it_is_known():
    """And no longer."""
    stream = SpeakableText()
    assert [
        stream.push(delta) for delta in ("*", "*No", "te", "**", " -", " [a", "](", "x) b", "\n", "-", " c")
    ] == [
        "",
        "No",
        "te",
        "",
        " -",
        " ",
        "",
        "a b",
        "\n",
        "",
        "c",
    ]


@pytest.mark.parametrize("opening", ["[", '<a href="', "<!-- ", "https://", "[x]("])
def test_what_is_never_closed_does_not_hold_the_reply_back_for_ever(opening):
    """After 400 characters it is text."""
    stream = SpeakableText()
    said = stream.push("So ") + stream.push(opening)
    said += "".join(stream.push("word" if opening == "https://" else "word ") for _ in range(150))
    assert len(said) > 100


FEW = [
    "*",
    "**",
    "_",
    "~~",
    "`",
    "```",
    "[",
    "]",
    "(",
    ")",
    "](",
    "<",
    ">",
    "<b>",
    "<!--",
    "-->",
    "\\",
    "&amp;",
]
MARKS = st.sampled_from([
    *FEW,
    "&",
    "https://a.b/c",
    "www.",
    "h",
    "\n",
    "\n\n",
    "# ",
    "- ",
    "> ",
    "|",
    "| ",
    "---",
    "===",
    ":",
    "[^1]",
])
WORDS = st.sampled_from([
    "a",
    "b",
    "1",
    "2",
    " ",
    "  ",
    ".",
    ",",
    "é",
    "中",
    "👍",
    "\u200d",
    "1️⃣",
    "[x](y)",
    "\t",
    '"',
])


@given(
    st.lists(MARKS | WORDS, max_size=14).map("".join), st.lists(st.integers(1, 4), min_size=60, max_size=60)
)
def test_it_makes_no_difference_where_the_stream_is_split(text, sizes):
    """Not even inside a mark."""
    deltas, at = [], 0
    for size in sizes:
        deltas.append(text[at : at + size])
        at += size
    assert in_pieces(*deltas, text[at:]) == speakable(text)


@given(st.text(max_size=200))
def test_any_text_can_be_said(text):
    """Nothing is added to it but a comma between the cells of a table."""
    said = speakable(text)
    assert len(said) <= len(text) + said.count(",") * 2 + said.count("\n")


WORD = st.text(alphabet="abcdefgXYZéü中", min_size=1, max_size=6)
PHRASE = st.lists(WORD, min_size=1, max_size=4).map(" ".join)
SPAN = st.one_of(
    PHRASE,
    PHRASE.map(lambda words: f"**{words}**"),
    PHRASE.map(lambda words: f"*{words}*"),
    PHRASE.map(lambda words: f"_{words}_"),
    PHRASE.map(lambda words: f"`{words}`"),
    PHRASE.map(lambda words: f"[{words}](https://example.com/{len(words)})"),
    PHRASE.map(lambda words: f"[**{words}**](x.html 'Title')"),
    WORD.map(lambda word: f"{word}_{word}"),
    WORD.map(lambda word: f"{word} &amp; {word}"),
    st.sampled_from(["2 * 3", "10"]),
    st.just("\\*"),
)
LINE = st.lists(SPAN, min_size=1, max_size=4).map(" ".join)
BLOCK = st.one_of(
    LINE,
    st.tuples(st.integers(1, 6), LINE).map(lambda level_line: f"{'#' * level_line[0]} {level_line[1]}"),
    st.lists(LINE, min_size=1, max_size=3).map(lambda lines: "\n".join(f"- {line}" for line in lines)),
    st.lists(LINE, min_size=1, max_size=3).map(lambda lines: "\n".join(f"> {line}" for line in lines)),
    LINE.map(lambda line: f"```python\n{line}\n```"),
    st.tuples(PHRASE, PHRASE).map(lambda cells: f"| {cells[0]} | b |\n|---|---|\n| c | {cells[1]} |"),
    st.just("---"),
)


def words_by_markdown_it(text: str) -> list[str]:
    """Return the words that a reader of the rendered page sees, without blocks of code."""

    def words(token: Token) -> str:
        if token.type in ("softbreak", "hardbreak"):
            return "\n"
        if token.children is not None:
            return "".join(map(words, token.children)) + "\n"
        return token.content if token.type in ("text", "code_inline", "text_special") else ""

    return "".join(map(words, MarkdownIt().enable("table").parse(text))).split()


@given(st.lists(BLOCK, min_size=1, max_size=4).map("\n\n".join))
def test_the_words_are_those_that_markdown_it_shows(text):
    """A reader of the page and a listener get the same, in the same order."""
    said = speakable(text)
    assert said.replace(",", " ").split() == words_by_markdown_it(text)
    assert in_pieces(*text) == said
