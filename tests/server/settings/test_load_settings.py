from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.errors import ConfigError
from warmline.server.settings import (
    CATALOGUE,
    DEFAULT_FILE,
    Kind,
    Secret,
    Setting,
    Settings,
    Source,
    SourceKind,
    load_settings,
    setting_named,
)
from warmline.server.settings.tables import NOT_ABOVE

pytestmark = pytest.mark.wire

KEY = "a-key-of-enough-letters"


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    """Write a settings file and return its path."""

    def write(text: str) -> Path:
        path = tmp_path / "my settings.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problems_of(path: Path | None, flags=None, environ=None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_settings(path, flags or {}, environ or {})
    return str(caught.value).replace(str(path), "warmline.toml").split("\n")


def test_load_settings_with_nothing_given_returns_the_defaults(tmp_path, monkeypatch):
    """A fresh install needs no file."""
    monkeypatch.chdir(tmp_path)

    loaded = load_settings(None, {}, {})

    assert loaded.settings == Settings()
    assert loaded.path is None
    assert {source.kind for source in loaded.sources.values()} == {SourceKind.DEFAULT}
    assert set(loaded.sources) == {setting.name for setting in CATALOGUE}


def test_load_settings_with_a_file_in_the_working_directory_reads_it(tmp_path, monkeypatch):
    """The usual place needs no flag."""
    monkeypatch.chdir(tmp_path)
    Path("warmline.toml").write_text("[server]\nport = 9000\n")

    loaded = load_settings(None, {}, {})

    assert loaded.settings.server.port == 9000
    assert loaded.path == DEFAULT_FILE
    assert str(loaded.sources["server.port"]) == "warmline.toml:2"


def test_load_settings_with_each_source_takes_the_strongest(file):
    """A flag beats the file, and the file beats the default."""
    path = file("[turns]\nsilence_ms = 700\nstop_ms = 300\nspeech_threshold = 0.6\n")

    loaded = load_settings(path, {"turns.stop_ms": 250, "turns.interrupt": None}, {"WARMLINE_API_KEY": KEY})

    turns = loaded.settings.turns
    assert (turns.silence_ms, turns.stop_ms, turns.speech_threshold, turns.interrupt) == (700, 250, 0.6, True)
    assert loaded.sources["turns.silence_ms"] == Source(SourceKind.FILE, str(path), 2)
    assert loaded.sources["turns.stop_ms"].kind is SourceKind.FLAG
    assert loaded.sources["turns.interrupt"].kind is SourceKind.DEFAULT
    assert str(loaded.sources["server.api_key"]) == "environment WARMLINE_API_KEY"
    assert loaded.settings.server.api_key == Secret(KEY)


def test_load_settings_with_every_spelling_of_a_table_reads_each(file):
    """Dotted keys, inline tables, quoted keys, byte order marks and Windows line ends are all TOML."""
    path = file(
        "\ufeffturns.'silence_ms' = 600\r\nlog = { level = 'debug', json = true }\r\n[voice]\r\npitch=0"
    )

    settings = load_settings(path, {}, {}).settings

    assert (settings.turns.silence_ms, settings.log.level, settings.log.json) == (600, "debug", True)
    assert settings.voice.pitch == 0


def test_load_settings_with_paths_takes_those_in_the_file_from_its_folder(file, tmp_path, monkeypatch):
    """A file means the same wherever warmline is started; a flag means what the shell shows."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    path = file('[knowledge]\ndocuments = "docs"\ncache_dir = "~/cache"\n')

    knowledge = load_settings(path, {}, {}).settings.knowledge
    assert knowledge.documents == tmp_path / "docs"
    assert knowledge.cache_dir == tmp_path / "home" / "cache"

    flagged = load_settings(path, {"knowledge.documents": Path("here")}, {}).settings.knowledge
    assert flagged.documents == Path("here")


def test_load_settings_with_an_empty_path_means_none(file):
    """`documents = ""` is how the file says "the sample"."""
    path = file('[knowledge]\ndocuments = ""\n')

    assert load_settings(path, {}, {}).settings.knowledge.documents is None


def test_load_settings_with_many_mistakes_reports_each_with_its_line(file):
    """One start shows everything that is wrong, in the order of the file."""
    path = file(
        """\
silence_ms = 5
[server]
port = 99999
hots = "0.0.0.0"
public_origins = ["https://fine.example.com", "https://slash.example.com/"]
[turns]
silense_ms = 3

[turn]
silence_ms = 3
speed = 3
[log]
level = "warn"
json = 1
[voice]
pitch = 5.0
rate_wpm = "fast"
"quoted key" = 1
"""
    )

    assert problems_of(path, {"server.prot": 1}) == [
        "warmline.toml line 1: silence_ms is unknown; did you mean turns.silence_ms?",
        "warmline.toml line 3: server.port is 99999; it must be a whole number from 0 to 65535",
        "warmline.toml line 4: server.hots is unknown; did you mean server.host?",
        'warmline.toml line 5: server.public_origins has "https://slash.example.com/"; it must be a list of '
        'origins as browsers write them, such as "https://voice.example.com": lower case, no path, '
        "no default port",
        "warmline.toml line 7: turns.silense_ms is unknown; did you mean turns.silence_ms?",
        "warmline.toml line 9: [turn] is unknown; did you mean [turns]?",
        'warmline.toml line 13: log.level is "warn"; it must be one of "debug", "info", "warning", "error"; '
        'did you mean "warning"?',
        "warmline.toml line 14: log.json is 1; it must be true or false",
        "warmline.toml line 16: voice.pitch is 5.0; it must be a whole number from 0 to 99",
        'warmline.toml line 17: voice.rate_wpm is "fast"; it must be a whole number of words a minute '
        "from 80 to 450",
        'warmline.toml line 18: voice."quoted key" is unknown; [voice] has rate_wpm, pitch, name',
        "command line: server.prot is unknown; did you mean server.port?",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("port = 1", "line 1: port is unknown; did you mean server.port?"),
        ("turns = 1", "line 1: turns is 1; it must be a table, [turns]"),
        ("[[turns]]\nsilence_ms = 200", "line 1: turns is [{silence_ms = 200}]; it must be a table, [turns]"),
        ("[turns]\nport = 1", "line 2: turns.port is unknown; did you mean server.port?"),
        ("[turns]\nsilence-ms = 1", "line 2: turns.silence-ms is unknown; did you mean turns.silence_ms?"),
        ("[turns.more]\nx = 1", "line 1: turns.more is unknown; [turns] has endpointing, silence_ms, "
         "stop_ms, speech_threshold, interrupt, resume, longest_silence_ms, final_deadline_ms"),
        ("[zzz]", "line 1: [zzz] is unknown; the tables are [server], [limits], [turns], [drafts], "
         "[playout], [knowledge], [agent], [tools], [voice], [recogniser], [providers], "
         "[openai], [anthropic], [elevenlabs], [deepgram], [phone], [telnyx], [twilio], "
         "[whatsapp], [store], [history], [lines], [failover], [dashboard], [log], [plugins.NAME]"),
        ("zzz = 1", "line 1: zzz is unknown; `warmline config --example` shows every setting"),
        ("[turns]\nsilence_ms = true", "line 2: turns.silence_ms is true; it must be a whole number of "
         "milliseconds from 100 to 5000"),
        ("[turns]\nspeech_threshold = nan", "line 2: turns.speech_threshold is nan; it must be a number "
         "from 0.05 to 0.95"),
        ("[limits]\nsession_s = 1979-05-27", "line 2: limits.session_s is 1979-05-27; it must be a number "
         "of seconds from 10 to 86400"),
        ("[server]\nallowed_hosts = 'x'", 'line 2: server.allowed_hosts is "x"; it must be a list of host '
         'names in lower case without a scheme or a port, such as "voice.example.com"'),
        ("[agent]\nfarewell = '" + "x" * 2001 + "'", "line 2: agent.farewell has 2001 characters; it must be "
         "a text in quotes of at most 2000 characters"),
        ("[voice]\nname = '" + "x " * 100 + "'", 'line 2: voice.name is "' + "x " * 29 + "…; it must be "
         'the name of an espeak-ng voice, such as "en-us"'),
        ("[knowledge]\ndocuments = 1", "line 2: knowledge.documents is 1; it must be a path in quotes"),
        ('[knowledge]\ndocuments = "a\\u0000b"', "line 2: knowledge.documents has a NUL character in it, "
         "which no path can have"),
    ],
)  # fmt: skip
def test_load_settings_with_one_mistake_says_what_to_do(file, text, expected):
    """Each message names the key, the line, and what is right."""
    assert problems_of(file(text)) == [f"warmline.toml {expected}"]


@pytest.mark.parametrize(
    "key", ["server.api_key", "server.secret", "server.api-key", "token", "WARMLINE_API_KEY"]
)
def test_load_settings_with_a_secret_in_the_file_names_the_variable_and_not_the_secret(file, key):
    """A key that is committed by accident is noticed, and not repeated in a log."""
    (problem,) = problems_of(file(f'\n{key} = "{KEY}"'))

    assert problem.startswith(f"warmline.toml line 2: {key} is ")
    assert "WARMLINE_API_KEY" in problem
    assert KEY not in problem


def test_load_settings_with_a_secret_as_a_flag_is_refused(tmp_path):
    """A command line can be seen by every user of the machine."""
    (problem,) = problems_of(None, {"server.api_key": KEY})

    assert problem == (
        "command line: server.api_key is a secret, which must not stand here; "
        "delete it and set the environment variable WARMLINE_API_KEY"
    )


@pytest.mark.parametrize("value", ["short", "has spaces in the middle", "ünïcödé-is-not-a-header"])
def test_load_settings_with_a_secret_that_cannot_work_does_not_repeat_it(value):
    """What is wrong is said without showing the secret."""
    (problem,) = problems_of(None, environ={"WARMLINE_API_KEY": value})

    assert problem == (
        "environment variable WARMLINE_API_KEY: server.api_key cannot be used: "
        "it must be at least 16 printable ASCII characters without spaces"
    )


def test_load_settings_with_an_empty_secret_leaves_it_unset():
    """`WARMLINE_API_KEY=` is how a shell says "none"."""
    assert load_settings(None, {}, {"WARMLINE_API_KEY": ""}).settings.server.api_key is None


@pytest.mark.parametrize(
    ("text", "flags", "expected"),
    [
        (
            "[turns]\nsilence_ms = 150",
            {},
            "warmline.toml line 2: turns.stop_ms is 200 (default), "
            "which is above turns.silence_ms, 150 (warmline.toml:2)",
        ),
        (
            "[turns]\nsilence_ms = 300\nstop_ms = 400",
            {},
            "warmline.toml line 3: turns.stop_ms is 400 (warmline.toml:3), "
            "which is above turns.silence_ms, 300 (warmline.toml:2)",
        ),
        (
            "[recogniser]\nprocesses = 2",
            {"recogniser.spare": 3},
            "command line: recogniser.spare is 3 (flag), "
            "which is above recogniser.processes, 2 (warmline.toml:2)",
        ),
    ],
)
def test_load_settings_with_two_that_contradict_names_both(file, text, flags, expected):
    """Each is right by itself, so the message says where both come from."""
    assert problems_of(file(text), flags) == [expected]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"[server]\nport = \n", "line 2: this is not valid TOML: Invalid value (column 8)"),
        (
            b"[server]\nport = 1\nport = 2\n",
            "line 3: this is not valid TOML: Cannot overwrite a value (column 9)",
        ),
        (b"[server]\n\nhost = '''", "line 3: this is not valid TOML: "),
        (b"[server]\nhost = '\xff'", "line 2: this is not UTF-8 text; save the file as UTF-8"),
        ("[server]".encode("utf-16"), "line 1: this is not UTF-8 text; save the file as UTF-8"),
    ],
)
def test_load_settings_with_a_broken_file_names_the_line(tmp_path, data, expected):
    """A slip of the pen is found without a search."""
    path = tmp_path / "broken.toml"
    path.write_bytes(data)

    (problem,) = problems_of(path)

    assert problem.startswith(f"warmline.toml {expected}")


def test_load_settings_with_a_named_file_that_is_missing_says_so(tmp_path):
    """A misspelt --config does not silently mean the defaults."""
    (problem,) = problems_of(tmp_path / "none.toml")

    assert problem == (
        "cannot read the settings file warmline.toml: there is no such file; "
        "`warmline config --example` prints one to start from"
    )


def test_load_settings_with_a_folder_for_a_file_says_so(tmp_path):
    """Whatever the system's reason is, it is told."""
    (problem,) = problems_of(tmp_path)

    assert problem.startswith("cannot read the settings file warmline.toml: ")


def test_every_default_given_as_a_flag_is_accepted():
    """No default is out of its own range."""
    for setting in CATALOGUE:
        if setting.kind is not Kind.SECRET:
            loaded = load_settings(None, {setting.name: setting.default}, {})
            assert loaded.settings == Settings(), setting.name


NUMBERS = [setting for setting in CATALOGUE if setting.kind in {Kind.WHOLE, Kind.NUMBER}]


def named(name: str) -> Setting:
    setting = setting_named(name)
    assert setting is not None
    return setting


def partners_out_of_the_way(setting: Setting) -> dict[str, object]:
    """The flags that keep a setting at its edge from contradicting those it is paired with."""
    above, below = {setting.name}, {setting.name}
    for _ in NOT_ABOVE:  # pairs may be chained
        above |= {high for low, high in NOT_ABOVE if low in above}
        below |= {low for low, high in NOT_ABOVE if high in below}
    return {
        **{name: named(name).declared.at_most for name in above - {setting.name}},
        **{name: named(name).declared.at_least for name in below - {setting.name}},
    }


@pytest.mark.parametrize("setting", NUMBERS, ids=lambda setting: setting.name)
@pytest.mark.parametrize("step", [-1, 1])
def test_load_settings_with_a_number_at_its_edge_takes_it_and_one_past_it_is_refused(setting, step):
    """A typing error of a factor of a thousand does not start a server."""
    edge = setting.declared.at_least if step < 0 else setting.declared.at_most
    partner = partners_out_of_the_way(setting)

    assert load_settings(None, {**partner, setting.name: edge}, {}).value(setting.name) == edge
    assert setting.requirement in problems_of(None, {**partner, setting.name: edge + step})[0]


@given(
    st.dictionaries(st.sampled_from([s.name for s in CATALOGUE]), st.integers() | st.text() | st.booleans())
)
def test_load_settings_with_any_flags_gives_settings_or_a_config_error(flags):
    """Whatever is typed, the operator sees a message and never a traceback."""
    try:
        loaded = load_settings(None, flags, {})
    except ConfigError:
        return
    assert {name for name, source in loaded.sources.items() if source.kind is SourceKind.FLAG} == set(flags)


def test_every_secret_can_be_set_from_the_variable_that_it_names():
    """And is what the provider will be given."""
    secrets = [setting for setting in CATALOGUE if setting.declared.environment]
    environ = {setting.declared.environment: f"sk-{'k' * 40}" for setting in secrets}
    settings = load_settings(None, {}, environ).settings
    assert settings.openai.api_key is not None
    assert settings.openai.api_key.reveal() == environ["OPENAI_API_KEY"]
    assert {setting.name for setting in secrets} == {
        "server.api_key",
        "openai.api_key",
        "anthropic.api_key",
        "elevenlabs.api_key",
        "deepgram.api_key",
        "telnyx.api_key",
        "telnyx.public_key",
        "twilio.account_sid",
        "twilio.auth_token",
        "whatsapp.token",
        "whatsapp.app_secret",
        "whatsapp.verify_token",
    }
