"""The tools that the settings name: warmline's own, modules, and packages."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.server.test_plugins import install
from warmline.errors import ConfigError
from warmline.pool.lines import Lines
from warmline.server.assembly import open_providers
from warmline.server.services.knowledge import load_knowledge
from warmline.server.services.tools import open_tools
from warmline.server.settings import Settings, ToolsTable, load_settings

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

TOOLS = '''
from warmline import tool

@tool
def book_table(party: int) -> str:
    """Book a table."""
    return "booked"

@tool(is_pure=True)
def menu() -> str:
    """Read the menu."""
    return "soup"
'''

Write = Callable[[str], str]


@pytest.fixture
def module(tmp_path, monkeypatch) -> Write:
    """Write a module into the working directory; return its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def write(source: str) -> str:
        monkeypatch.delitem(sys.modules, "tools_of_test", raising=False)
        (tmp_path / "tools_of_test.py").write_text(source)
        return "tools_of_test"

    return write


@asynccontextmanager
async def opened(table: ToolsTable, **plugins):
    async with Lines() as lines, open_tools(Settings(tools=table, plugins=plugins), lines) as tools:
        yield tools


async def names(table: ToolsTable) -> list[str]:
    async with opened(table) as tools:
        return [each.name for each in tools]


async def test_ending_the_call_is_there_unless_it_is_switched_off():
    assert await names(ToolsTable()) == ["end_call"]
    assert await names(ToolsTable(builtin=())) == []


async def test_tools_come_in_the_order_of_the_settings_and_of_their_module(module):
    """The order is the same at every start, so that the provider's cache holds it."""
    table = ToolsTable(("search_knowledge", "end_call"), modules=(module(TOOLS),))
    assert await names(table) == ["search_knowledge", "end_call", "book_table", "menu"]


async def test_a_session_is_given_the_tools_that_the_settings_name(module):
    settings = Settings(tools=ToolsTable(modules=(module(TOOLS),)))
    async with open_providers(settings, await load_knowledge(settings)) as providers:
        assert [spec.name for spec in providers.tools.specs] == ["end_call", "book_table", "menu"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("x = 1", "'tools_of_test', which has no tools; decorate its functions with warmline.tool"),
        ("import nothing_of_this_name", "cannot be imported: ModuleNotFoundError: No module named 'nothing_"),
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        ("def f(:", "cannot be imported: SyntaxError"),
        (
            TOOLS.replace("party: int", "party"),
            r"the tool book_table \(tools_of_test.py:4\) does not say of what",
        ),
        (
            TOOLS.replace("menu", "end_call"),
            r"end_call \(builtin.py:\d+\) and the tool end_call \(tools_of_test",
        ),
    ],
)
async def test_a_module_that_can_not_be_used_says_what_is_wrong(module, source, told):
    """At the start, and not when somebody calls."""
    with pytest.raises(ConfigError, match=told):
        await names(ToolsTable(modules=(module(source),)))


async def test_a_module_that_is_not_there_says_where_it_was_looked_for(module, tmp_path):
    module(TOOLS)
    with pytest.raises(ConfigError, match="'tools_of_text', which cannot be imported") as caught:
        await names(ToolsTable(modules=("tools_of_text",)))
    assert f"looked for in {tmp_path}" in str(caught.value)


def test_the_installed_command_finds_a_module_in_the_working_directory(tmp_path):
    """Which an installed command has not on its path, as `python` has."""
    (tmp_path / "tools_of_test.py").write_text(TOOLS.replace("menu", "end_call"))
    command = "import sys; sys.path.remove(''); from warmline.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "talk", "--text", "Hi", "--set", 'tools.modules=["tools_of_test"]'],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "the same name" in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr


PLUGIN = """
from contextlib import asynccontextmanager
from warmline import tool

closed = []

class Library:
    def __init__(self, settings, lines):
        self.shelves = settings["shelves"]

    async def count_shelves(self) -> int:
        '''Count the shelves.'''
        return self.shelves

@asynccontextmanager
async def open_it(settings, lines):
    yield [tool(Library(settings, lines).count_shelves, is_pure=True)]
    closed.append(True)
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch) -> Callable[[str], Path]:
    """Install a package of one module with the tools `mine`."""

    def installing(source: str) -> Path:
        groups = {"warmline.tools": {"mine": "mine_of_test:open_it"}}
        folder = install(tmp_path / "site", "mine_of_test", groups, source)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, "mine_of_test", raising=False)
        return folder

    return installing


async def test_a_package_of_tools_is_told_its_settings_and_is_closed(plugin):
    """As providers in packages of their own are."""
    plugin(PLUGIN)
    table = replace(ToolsTable(), plugins=("mine",))
    async with opened(table, mine={"shelves": 7}) as tools:
        assert [each.name for each in tools] == ["end_call", "count_shelves"]
        assert await [*tools][1]() == 7
    assert sys.modules["mine_of_test"].closed == [True]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("is_pure=True)]", "is_pure=True), print]"), "type list, which is no list of tools; make each of"),
        (("yield [", "yield {} and ["), "type dict, which is no list of tools"),
        (("@asynccontextmanager\n", ""), "which is no async context manager"),
    ],
)
async def test_a_package_that_has_no_tools_says_so(plugin, change, told):
    plugin(PLUGIN.replace(*change))
    with pytest.raises(ConfigError, match=told) as caught:
        async with opened(ToolsTable(plugins=("mine",)), mine={"shelves": 7}):
            pass
    assert "the tools 'mine' (mine_of_test:open_it) of the package mine_of_test 1.2" in str(caught.value)


async def test_a_package_that_is_not_installed_is_named(plugin):
    plugin(PLUGIN)
    with pytest.raises(ConfigError, match=r"tools\.plugins has 'yours', .* \(installed: mine\)"):
        await names(ToolsTable(plugins=("yours",)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('builtin = ["dance"]', 'tools.builtin has ["dance"]'),
        ('builtin = ["dance"]', 'it must be a list of these names: "end_call", "transfer_call"'),
        ('transfer_to = ["911"]', "telephone numbers in international form"),
        ('modules = ["my-tools.py"]', 'such as "my_package.my_tools"'),
    ],
)
def test_mistakes_in_the_settings_are_told(tmp_path, text, told):
    path = tmp_path / "warmline.toml"
    path.write_text(f"[tools]\n{text}\n")
    with pytest.raises(ConfigError, match="line 2: tools") as caught:
        load_settings(path, {}, {})
    assert told.replace('["dance"]', '"dance"') in str(caught.value)
