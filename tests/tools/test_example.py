"""The example, as its guide shows it and its settings name it."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.tools.stand_ins import NotedContext
from warmline.core.clock import SystemClock
from warmline.interfaces.llm import ToolCall
from warmline.pool.lines import Lines
from warmline.server.services.tools import open_tools
from warmline.server.settings import load_settings

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "tools"
GUIDE = (ROOT / "docs" / "guides" / "tools.md").read_text(encoding="utf-8")


async def test_the_example_does_what_the_guide_says(monkeypatch):
    """Started from its folder, with its settings."""
    monkeypatch.chdir(EXAMPLE)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "library_tools", raising=False)
    settings = load_settings(None, {}, {}).settings
    async with Lines() as lines, open_tools(settings, lines) as tools:
        assert [each.name for each in tools] == [
            "end_call",
            "search_knowledge",
            "count_copies",
            "reserve_book",
        ]

        async def call(name, **arguments):
            asked = ToolCall("1", name, json.dumps(arguments))
            (result,) = await tools.run([asked], NotedContext(), SystemClock())
            return result.text

        assert await call("count_copies", title="Emma") == "1"
        booked = await call("reserve_book", title="Emma", day="2026-11-23")
        assert booked == "Emma will be at the desk on Monday, 23 November"
        assert await call("count_copies", title="Emma") == "0"
        gone = await call("reserve_book", title="Emma", day="2026-11-23")
        assert gone == "Error: every copy of Emma is lent out"
        assert "Invalid RFC3339 encoded date" in await call("reserve_book", title="Emma", day="tomorrow")
    assert sys.modules["library_tools"].reserved == {"sess_1": "Emma"}


def test_the_guide_shows_the_example_as_it_is():
    code, settings = re.findall(r"```(?:python|toml)\n(.*?)```", GUIDE, re.DOTALL)[:2]
    assert code in (EXAMPLE / "library_tools.py").read_text(encoding="utf-8")
    assert settings in (EXAMPLE / "warmline.toml").read_text(encoding="utf-8")
