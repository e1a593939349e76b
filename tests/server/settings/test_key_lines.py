import tomllib
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.server.settings.lines import KeyPath, key_lines

pytestmark = pytest.mark.unit

# Each is valid as a value, and holds what a careless scanner would take for a key, a table or a comment.
VALUES = [
    "1",
    "3.14",
    "1979-05-27 07:32:00",
    '"plain"',
    r'"# no = comment, \" no end"',
    "'C:\\no\\escapes = #'",
    '"""\n[turns]\nsilence_ms = 1 # text\n"""',
    '"""a quote " and two "" and three at the end"""""',
    r'"""escaped \""" end"""',
    '"""""" # empty',
    "'''\n[server]\nport = '' '\n'''''",
    "[1, 2, # port = 1\n  3,\n]",
    '[\n  "a]", \'b[\', """c\n]""",\n  [ 1, [ 2 ] ],\n]',
    "{}",
    '[ { x = 1, "y.z" = [ 2 ] },\n  { x = 3 } ]',
]
FILLERS = ["", "# comment with [table] and key = 1", "   ", "\t# 'quote", '# """ not a text']
KEYS = ["{}", '"{}"', "'{}'", '"quoted {} ]#="', "'dotted.{}'", '"\\u00e9{}"']


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[KeyPath, int]]:
    """A TOML text, and the line of each key as it was written."""
    lines: list[str] = []
    expected: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number in range(draw(st.integers(0, 8))):
        lines += draw(st.lists(st.sampled_from(FILLERS), max_size=2))
        key = draw(st.sampled_from(KEYS)).format(f"k{number}")
        part = next(iter(tomllib.loads(f"{key}=0")))
        indent = draw(st.sampled_from(["", "  ", "\t"]))
        shape = draw(st.sampled_from(["table", "entry", "pair", "dotted", "inline"]))
        line = len(lines) + 1
        if shape == "table":
            table = (part,)
            lines.append(f"{indent}[ {key} ] # opened")
            expected[table] = line
        elif shape == "entry":
            table = (part,)
            lines.append(f"[[{key}]]")
            expected[table] = line
        else:
            value = draw(st.sampled_from(VALUES))
            if shape == "pair":
                text = f"{key} = {value}"
            elif shape == "dotted":
                text = f"{key} . inner.'x y'={value}"
                expected[*table, part, "inner"] = expected[*table, part, "inner", "x y"] = line
            else:
                text = f"{key} = {{ a = 1, b . c = {{ d = 'e' }} }}"
                expected[*table, part, "a"] = expected[*table, part, "b", "c", "d"] = line
            expected[*table, part] = line
            lines += (indent + text).split("\n")
    return "\n".join(lines) + draw(st.sampled_from(["", "\n"])), expected


def paths_in(content: object, table: KeyPath = ()) -> Iterator[KeyPath]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield (*table, key)
            yield from paths_in(value, (*table, key))
    elif isinstance(content, list):
        for value in content:
            yield from paths_in(value, table)


@given(documents())
def test_key_lines_of_any_document_finds_each_key_where_it_was_written(document):
    """An error about a key points at the right line, whatever stands around it."""
    text, expected = document
    content = tomllib.loads(text)

    found = key_lines(text)

    assert {path: found.get(path) for path in expected} == expected
    assert set(found) == set(paths_in(content))


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("\n\n[turns]\nsilence_ms = 1", ("turns", "silence_ms"), 4),
        ("[turns]\n\n[turns.inner]\nx = 1", ("turns",), 1),
        ("turns.silence_ms = 1\nturns.stop_ms = 1", ("turns", "stop_ms"), 2),
        ("turns.silence_ms = 1\nturns.stop_ms = 1", ("turns",), 1),
        ("a = '''\n\n'''\nb = 1", ("b",), 4),
        ("[[a]]\nx = 1\n[[a]]\nx = 2", ("a", "x"), 2),
        ("a = [\n { x = 1 },\n { y = 2 },\n]", ("a", "y"), 3),
        ("1.2 = 3\n4 = 5", ("4",), 2),
    ],
)
def test_key_lines_of_a_small_text_gives_the_line(text, path, line):
    """The cases that a reader would try first."""
    assert key_lines(text)[path] == line
