"""`--set TABLE.KEY=VALUE`."""

import pytest

from warmline.server.settings.assignments import parse_assignments

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("agent.greeting=Hello there", "Hello there"),
        ('agent.greeting="Hello there"', "Hello there"),
        ("agent.greeting='It\"s me'", 'It"s me'),
        ('agent.greeting="Hello', '"Hello'),
        ('agent.greeting="', '"'),
        ("agent.greeting=", ""),
        ("turns.silence_ms=400", 400),
        ("turns.interrupt=false", False),
        ("drafts.cancelled_low=0.2", 0.2),
        ("deepgram.keyterms=Emma", ["Emma"]),
        ('deepgram.keyterms=["Emma", "Otto"]', ["Emma", "Otto"]),
    ],
)
def test_a_value_is_what_it_is_in_the_file_and_a_text_needs_no_quotes(written, value):
    assert parse_assignments([written]) == {written.partition("=")[0]: value}
