"""What `import warmline` gives, and costs."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import warmline

pytestmark = pytest.mark.wire


def test_importing_warmline_loads_nothing_heavy():
    """The rooms are loaded by who needs them."""
    code = "import sys, warmline; print([m for m in ('numpy', 'anyio', 'starlette') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_front_door_offers_what_it_says():
    """Every name is there, and the version is the package's."""
    assert all(hasattr(warmline, name) for name in warmline.__all__)
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert warmline.__version__ == project["version"]
