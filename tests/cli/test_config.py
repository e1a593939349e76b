import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from warmline.cli.config import config_command
from warmline.errors import ConfigError
from warmline.server.settings import CATALOGUE, example_file, reference_page

pytestmark = pytest.mark.wire

KEY = "a-key-of-enough-letters"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run `warmline config` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WARMLINE_API_KEY", raising=False)
    app = typer.Typer()
    app.command()(config_command)

    def invoke(*arguments, **environ):
        return CliRunner().invoke(app, arguments, env=environ)

    return invoke


def rows(output: str) -> dict[str, list[str]]:
    """The printed table's cells, by setting."""
    lines = [line.split(maxsplit=1) for line in output.splitlines() if "." in line.split(" ")[0]]
    return {name: rest.split("  ") for name, rest in lines}


def test_config_with_a_file_a_flag_and_a_secret_shows_where_each_came_from(run):
    """An operator sees at a glance why a value is what it is."""
    Path("warmline.toml").write_text('[server]\nport = 9000\nallowed_hosts = ["[::1]"]\n')

    result = run("--set", "turns.silence_ms=400", WARMLINE_API_KEY=KEY)

    shown = rows(result.output)
    assert set(shown) == {setting.name for setting in CATALOGUE}
    assert [cell.strip() for cell in shown["server.port"] if cell.strip()] == ["9000", "warmline.toml:2"]
    assert [cell.strip() for cell in shown["server.allowed_hosts"] if cell.strip()] == [
        '["[::1]"]',
        "warmline.toml:3",
    ]
    assert [cell.strip() for cell in shown["turns.silence_ms"] if cell.strip()] == ["400 ms", "flag"]
    assert [cell.strip() for cell in shown["server.api_key"] if cell.strip()] == [
        "********",
        "environment WARMLINE_API_KEY",
    ]
    assert [cell.strip() for cell in shown["server.host"] if cell.strip()] == ['"127.0.0.1"', "default"]
    assert KEY not in result.output
    assert "file: warmline.toml" in result.output


def test_config_without_a_secret_names_its_variable(run):
    """How to set it is where one looks for it."""
    output = run().output

    assert "not set" in output
    assert "default (no WARMLINE_API_KEY)" in output
    assert "file: none" in output


def test_config_json_gives_each_value_and_its_source(run):
    """A program reads what a person reads, with types."""
    Path("my.toml").write_text('[knowledge]\ndocuments = "docs"\n')

    result = run("--json", "--config", "my.toml", "--set", "log.json=true", WARMLINE_API_KEY=KEY)

    printed = json.loads(result.output)
    assert printed["file"] == "my.toml"
    settings = printed["settings"]
    assert {f"{table}.{key}" for table, keys in settings.items() for key in keys} == {
        setting.name for setting in CATALOGUE
    }
    assert settings["knowledge"]["documents"] == {
        "value": "docs", "source": "file", "default": None, "file": "my.toml", "line": 2,
    }  # fmt: skip
    assert settings["log"]["json"] == {"value": True, "source": "flag", "default": False}
    assert settings["server"]["public_origins"] == {"value": [], "source": "default", "default": []}
    assert settings["server"]["api_key"] == {
        "value": "********", "source": "environment", "default": None, "variable": "WARMLINE_API_KEY",
    }  # fmt: skip
    assert KEY not in result.output


def test_config_example_prints_a_file_even_if_the_present_one_is_broken(run):
    """Somebody who needs the example may well have a broken file."""
    Path("warmline.toml").write_text("broken")

    result = run("--example")

    assert (result.exit_code, result.output) == (0, example_file())


def test_config_reference_prints_the_documentation(run):
    """The page is written by the command that its head names."""
    assert run("--reference").output == reference_page()


def test_config_with_mistakes_raises_them(run):
    """`warmline config` is how a file is checked before it is used."""
    Path("warmline.toml").write_text("[turns]\nsilense_ms = 1\n")

    result = run()

    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == (
        "warmline.toml line 2: turns.silense_ms is unknown; did you mean turns.silence_ms?"
    )


@pytest.mark.parametrize(
    ("assignment", "table", "key", "value"),
    [
        ("agent.greeting=Hello there = you", "agent", "greeting", "Hello there = you"),
        ("agent.farewell=", "agent", "farewell", ""),
        ("log.level=debug", "log", "level", "debug"),
        ("turns.interrupt=false", "turns", "interrupt", False),
        ("turns.speech_threshold = 0.7", "turns", "speech_threshold", 0.7),
        ("limits.session_s=60", "limits", "session_s", 60.0),
        ("knowledge.documents=my docs", "knowledge", "documents", "my docs"),
        ("server.allowed_hosts=a.example.com", "server", "allowed_hosts", ["a.example.com"]),
        ('server.allowed_hosts=["a.b", "c.d"]', "server", "allowed_hosts", ["a.b", "c.d"]),
        ("server.allowed_hosts=", "server", "allowed_hosts", []),
    ],
)
def test_config_set_with_any_type_takes_it_without_quotes(run, assignment, table, key, value):
    """A shell's quotes are enough."""
    result = run("--json", "--set", assignment)

    assert json.loads(result.output)["settings"][table][key]["value"] == value


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        (
            "turns.silence_ms",
            "command line: --set turns.silence_ms has no value; write it as in --set turns.silence_ms=400",
        ),
        (
            "turns.silence_ms=soon",
            'command line: turns.silence_ms is "soon"; '
            "it must be a whole number of milliseconds from 100 to 5000",
        ),
        ("turn.silence_ms=4", "command line: turn.silence_ms is unknown; did you mean turns.silence_ms?"),
    ],
)
def test_config_set_with_a_mistake_names_the_command_line(run, assignment, expected):
    """A mistyped flag reads like a mistyped file."""
    assert str(run("--set", assignment).exception) == expected
