"""Providers that other packages bring: the template, installed as a package is, and what can be wrong."""

import os
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from warmline.errors import ConfigError
from warmline.pool.lines import Lines
from warmline.server.plugins import open_plugin
from warmline.server.settings import Secret, load_settings

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

TEMPLATE = Path(__file__).parents[2] / "examples" / "provider_template"

Install = Callable[..., Path]


def install(folder: Path, name: str, entry_points: dict[str, dict[str, str]], source: str = "") -> Path:
    """Put a package into `folder`, with what an installer writes beside it."""
    folder.mkdir(exist_ok=True)
    if source:
        (folder / f"{name}.py").write_text(source)
    info = folder / f"{name}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(
        "\n".join(
            f"[{group}]\n" + "\n".join(f"{key} = {value}" for key, value in entries.items())
            for group, entries in entry_points.items()
        )
    )
    return folder


@pytest.fixture
def plugin(tmp_path, monkeypatch) -> Install:
    """Install a package of one module, whose attribute `open_it` is the provider `mine`."""

    def installing(source: str, group: str = "warmline.llm") -> Path:
        folder = install(tmp_path / "site", "mine_of_test", {group: {"mine": "mine_of_test:open_it"}}, source)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, "mine_of_test", raising=False)
        return folder

    return installing


@pytest.fixture
def template(tmp_path) -> Path:
    """Install the template by its own declaration; return the folders to put on the path."""
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())["project"]
    return install(tmp_path / "site", project["name"].replace("-", "_"), project["entry-points"])


@asynccontextmanager
async def parrot_service() -> AsyncIterator[str]:
    async def say(request: web.Request) -> web.Response:
        if request.headers.get("authorization") != "Bearer secret-of-the-parrot":
            return web.Response(status=401)
        return web.Response(text=f"You said: {await request.text()}")

    application = web.Application()
    application.router.add_post("/say", say)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_the_template_holds_a_turn(template, tmp_path):
    """From its folder alone: the command finds it, tells it its settings, and speaks what it answers."""
    async with parrot_service() as url:
        (tmp_path / "warmline.toml").write_text(
            '[providers]\nllm = "parrot"\n'
            f'[plugins.parrot]\nbase_url = "{url}"\napi_key = "env:PARROT_API_KEY"\n'
        )
        path = os.pathsep.join([str(template), str(TEMPLATE / "src"), os.environ.get("PYTHONPATH", "")])
        done = await anyio.run_process(
            [sys.executable, "-m", "warmline.cli.main", "talk", "--text", "Are you a parrot?"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path, "PARROT_API_KEY": "secret-of-the-parrot"},
            check=False,
        )
    printed = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, printed
    assert "You said: Are you a parrot?" in printed
    assert "secret-of-the-parrot" not in printed


def test_the_templates_own_tests_pass():
    """It is what others begin with."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"],
        cwd=TEMPLATE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


SHOWING = """
from contextlib import asynccontextmanager

class Model:
    def __init__(self, settings, lines):
        self.told = settings, lines

    def stream(self, request, on_line=None):
        raise NotImplementedError

closed = []

@asynccontextmanager
async def open_it(settings, lines):
    yield Model(settings, lines)
    closed.append(True)
"""


async def test_a_provider_is_told_its_settings_and_secrets_and_is_closed(plugin):
    """A secret is masked wherever it is printed."""
    plugin(SHOWING)
    async with Lines() as lines:
        table = {"size": 3, "key": "env:MINE_KEY", "more": {"a": [1]}}
        async with open_plugin("llm", "mine", table, lines, {"MINE_KEY": "s3cret"}) as model:
            told, given = model.told
        assert given is lines
        assert told == {"size": 3, "key": Secret("s3cret"), "more": {"a": [1]}}
        assert "s3cret" not in repr(told)
    assert sys.modules["mine_of_test"].closed == [True]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import nothing_of_this_name", "cannot be imported: ModuleNotFoundError"),
        ("other = 1", "cannot be imported: AttributeError"),
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        ("open_it = 1", "is no function of settings and lines"),
        ("def open_it(settings): ...", "is no function of settings and lines: too many"),
        (
            "def open_it(settings, lines): return 1",
            "an object of type int, which is no async",
        ),
        (
            SHOWING.replace("def stream", "def streams"),
            r"type Model, which has no method stream\(\)",
        ),
    ],
)
async def test_a_package_that_is_no_provider_says_what_is_wrong_and_whose_it_is(plugin, source, told):
    """The operator knows whom to ask."""
    plugin(source)
    async with Lines() as lines:
        with pytest.raises(ConfigError, match=told) as caught:
            async with open_plugin("llm", "mine", {}, lines, {}):
                pass
    assert "'mine' (mine_of_test:open_it) of the package mine_of_test 1.2" in str(caught.value)


async def test_a_secret_that_is_not_set_is_named(plugin):
    """By its setting and its variable."""
    plugin(SHOWING)
    async with Lines() as lines:
        with pytest.raises(ConfigError, match=r"plugins\.mine\.key .* MINE_KEY is not set"):
            async with open_plugin("llm", "mine", {"key": "env:MINE_KEY"}, lines, {}):
                pass


async def test_a_provider_of_another_kind_is_none_such(plugin):
    """A voice does not answer."""
    plugin(SHOWING, group="warmline.tts")
    async with Lines() as lines:
        with pytest.raises(ConfigError, match="none is installed"):
            async with open_plugin("llm", "mine", {}, lines, {}):
                pass


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[providers]\nllm = "offlin"',
            'line 2: providers.llm is "offlin"; it must be one of "auto", "offline", "openai", "anthropic", '
            'or the name of an installed provider (installed: mine); did you mean "offline"?',
        ),
        ('[providers]\nllm = "min"', 'did you mean "mine"?'),
        ("[plugins]\nmine = 3", "line 2: plugins.mine is 3; it must be a table, [plugins.mine]"),
        (
            "[plugins.yours]\nx = 1",
            "line 1: [plugins.yours] is for no package that is there (installed: mine)",
        ),
        (
            '[plugins.mine]\napi_key = "abc"',
            "line 2: plugins.mine.api_key looks like a secret, which must not stand here; put it into the "
            'environment, and write "env:" and the variable\'s name',
        ),
        ("[plugin.mine]\nx = 1", "[plugin] is unknown; did you mean [plugins.NAME]?"),
    ],
)
def test_mistakes_in_the_settings_of_plugins_are_told_by_their_line(plugin, tmp_path, text, told):
    """With all others, before anything is started."""
    plugin(SHOWING)
    path = tmp_path / "warmline.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {}, {})
    assert told in str(caught.value)


def test_the_settings_of_a_plugin_are_kept_as_they_are_written(plugin, tmp_path):
    """Only the plugin knows what they should be; a flag is over the file."""
    plugin(SHOWING)
    path = tmp_path / "warmline.toml"
    path.write_text(
        '[providers]\nllm = "mine"\n'
        '[plugins.mine]\nsize = 3\nmax_tokens = 9\napi_key = "env:K"\nmore.a = [1]\n'
    )
    loaded = load_settings(path, {"plugins.mine.size": 4}, {})
    assert loaded.settings.providers.llm == "mine"
    assert loaded.settings.plugins == {
        "mine": {"size": 4, "max_tokens": 9, "api_key": "env:K", "more": {"a": [1]}}
    }
    assert str(loaded.sources["plugins.mine.size"]) == "flag"
    assert str(loaded.sources["plugins.mine.max_tokens"]).endswith(":5")
