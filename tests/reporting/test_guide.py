"""What the guide shows is what is read."""

import json
import re
from pathlib import Path

import pytest

from warmline.reporting.events import decode_turn
from warmline.reporting.goals import CANCELLATION, DEFAULT_GOALS
from warmline.reporting.pattern_file import parse_pattern

pytestmark = pytest.mark.unit

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "report.md").read_text("utf-8")


def block(language):
    found = re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_guides_turn_can_be_read():
    turn = decode_turn(json.dumps(json.loads(block("json"))))

    assert turn is not None
    assert (turn.call, turn.number, turn.response_ms) == ("sess_1", 2, 1_160)
    assert sum(part.duration_us for part in turn.contributions) == 1_160_000


def test_the_guides_pattern_file_is_sound():
    assert [line.name for line in parse_pattern(block("toml"), "guide").lines] == ["heard", "retrieval"]


def test_the_guide_names_every_goal_with_its_default():
    for goal in DEFAULT_GOALS:
        limit = "30-40 (percent)" if goal.measure == CANCELLATION else f"{goal.at_most:,.0f} ms"
        assert f"| `{goal.name}` | {limit} |" in GUIDE
