import tomllib
from pathlib import Path

import pytest

from warmline.server.settings import (
    CATALOGUE,
    Kind,
    Settings,
    SourceKind,
    example_file,
    load_settings,
    reference_page,
)

pytestmark = pytest.mark.wire

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "configuration.md"


def test_reference_page_equals_the_committed_one():
    """What the documentation says is what the code does."""
    committed = PAGE.read_text(encoding="utf-8")

    assert committed == reference_page(), (
        "run: .venv/bin/warmline config --reference > docs/reference/configuration.md"
    )


def test_reference_page_names_every_setting_with_its_default():
    """Nothing can be set that is not documented."""
    page = reference_page()

    for setting in CATALOGUE:
        named = setting.declared.environment if setting.kind is Kind.SECRET else f"| `{setting.key}` |"
        assert named in page, setting.name


def test_example_file_as_printed_loads_to_the_defaults(tmp_path):
    """Nobody's first start fails on the example."""
    path = tmp_path / "warmline.toml"
    path.write_text(example_file(), encoding="ascii")

    loaded = load_settings(path, {}, {})

    assert loaded.settings == Settings()
    assert {source.kind for source in loaded.sources.values()} == {SourceKind.DEFAULT}


def test_example_file_with_every_setting_enabled_loads_to_the_defaults(tmp_path):
    """Each line that an operator may uncomment is right, and none is missing."""
    text = "\n".join(
        line[1:] if line.startswith("#") and not line.startswith("# ") else line
        for line in example_file().splitlines()
    )
    path = tmp_path / "warmline.toml"
    path.write_text(text, encoding="ascii")

    loaded = load_settings(path, {}, {})

    written = {f"{table}.{key}" for table, content in tomllib.loads(text).items() for key in content}
    assert loaded.settings == Settings()
    assert written == {setting.name for setting in CATALOGUE if setting.kind is not Kind.SECRET}
    assert {loaded.sources[name].kind for name in written} == {SourceKind.FILE}
