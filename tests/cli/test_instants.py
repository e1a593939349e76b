"""Instants on a command line."""

import pytest

from warmline.cli.instants import instant_s
from warmline.errors import ConfigError

pytestmark = pytest.mark.unit

NOW_S = 1_795_262_400.0
"""2026-11-21 12:00:00 UTC."""


@pytest.mark.parametrize(
    ("text", "ago_s"),
    [
        ("30s", 30),
        ("90m", 5_400),
        ("12h", 43_200),
        ("7d", 604_800),
        ("1.5d", 129_600),
        ("2w", 1_209_600),
        ("2026-11-21", 43_200),
        ("2026-11-21T11:30", 1_800),
        ("2026-11-21 13:00:00+02:00", 3_600),
    ],
)
def test_an_instant_is_how_long_ago_or_a_date(text, ago_s):
    assert instant_s("--since", text, NOW_S) == NOW_S - ago_s


@pytest.mark.parametrize("text", ["yesterday", "7", "d", "-1d", "2026-13-01", ""])
def test_what_is_neither_is_refused_with_examples(text):
    with pytest.raises(ConfigError, match=r"--since .*: give a duration such as 7d.*or a date such as"):
        instant_s("--since", text, NOW_S)
