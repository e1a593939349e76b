"""Pattern files: what is malformed is said with its place."""

import pytest

from warmline.errors import ConfigError
from warmline.reporting.pattern_file import SHIPPED, load_pattern, parse_pattern

pytestmark = pytest.mark.unit

TIME = r"time = '^(?P<time>\d\d:\d\d:\d\d) '" + "\n"
EVENT = "[events.heard]\n"


def test_every_shipped_pattern_file_is_sound():
    assert "seed" in SHIPPED
    for name in SHIPPED:
        assert load_pattern(name).lines


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("time = ", "Invalid value"),
        ("", "missing required field time"),
        (TIME, "missing required field events"),
        (TIME + "[events]", "events: there are none"),
        ("time = '^x'\n" + EVENT + "pattern = 'x'", "time: it has no group named time"),
        (TIME + EVENT + "pattern = '('", "events.heard.pattern: this is no regular expression: missing"),
        (TIME + EVENT + "pattern = 'x'\nmark = 'llm_started'", "unknown field mark .events"),
        (TIME + EVENT + "pattern = 'x'\nmarks = ['began']", "Invalid enum value 'began' .events"),
        (TIME + EVENT + "pattern = 'x'\nturn = 'starts'", "Invalid enum value 'starts'"),
        (TIME + EVENT + "pattern = 'x'\nstarted = 'llm_started'", "started needs a group named took_ms"),
        (TIME + EVENT + "pattern = 'x'\nspan = 'a to b'", "span needs a group named span_ms"),
        (TIME + EVENT + "pattern = 'x'\ntext = 'y'", "there is no note"),
        (
            TIME + EVENT + "pattern = 'x'\nnote = 'n'\ntext = '{who}'",
            "text: the pattern has no such group: who",
        ),
        (TIME + EVENT + "pattern = 'x'\nnote = 'n'\ntext = '{'", "events.heard.text: "),
        (
            TIME + EVENT + "pattern = '(?P<a>x)'\nnote = 'n'\ntext = '{a.__class__}'",
            "no such group: a.__class__",
        ),
        (
            TIME + EVENT + "pattern = '(?P<a>x)'\nnote = 'n'\ntext = '{a!r:>{a}}'",
            "no more than a group's name",
        ),
    ],
)
def test_a_malformed_file_is_refused_with_the_place(text, told):
    with pytest.raises(ConfigError, match=f"reading the pattern file mine.toml: .*{told}"):
        parse_pattern(text, "mine.toml")


def test_a_file_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ConfigError, match=r"reading the pattern file nowhere: .*those shipped are: seed"):
        load_pattern("nowhere")
