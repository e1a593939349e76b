"""The set-up scripts, on a small project that needs no network: its locks are empty, and it builds itself."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.wire, pytest.mark.timeout(240)]

SCRIPTS = Path(__file__).parents[2] / "scripts"

PYPROJECT = """
[build-system]
requires = []
build-backend = "builds_itself"
backend-path = ["."]
"""

# A build backend by PEP 660: a wheel is a zip file with a RECORD.
BACKEND = '''
import zipfile

PROGRAM = """
import os, sys
def main():
    print(os.getcwd(), sys.prefix, *sys.argv[1:], sep="|")
    return 7
"""

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "warmline-0-py3-none-any.whl"
    info = "warmline-0.dist-info/"
    files = {
        "warmline_program.py": PROGRAM,
        info + "METADATA": "Metadata-Version: 2.1\\nName: warmline\\nVersion: 0\\n",
        info + "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        info + "entry_points.txt": "[console_scripts]\\nwarmline = warmline_program:main\\n",
    }
    files[info + "RECORD"] = "".join(path + ",,\\n" for path in files) + info + "RECORD,,\\n"
    with zipfile.ZipFile(folder + "/" + name, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
'''

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project with our scripts, in a folder whose name needs quoting."""
    root = tmp_path / "a check 'out'"
    (root / "scripts").mkdir(parents=True)
    for name in ("run", "environment.py"):
        shutil.copy(SCRIPTS / name, root / "scripts")
    (root / "requirements").mkdir()
    for name in ("runtime", "dev", "models", "build"):
        (root / "requirements" / f"{name}.lock").write_text("# nothing\n")
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "builds_itself.py").write_text(BACKEND)
    return root


@pytest.fixture
def run(checkout: Path, tmp_path: Path) -> Run:
    """Run `scripts/run` from another folder, and wait for it."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def start(*arguments, **environ):
        return subprocess.run(
            [sys.executable, checkout / "scripts" / "run", *arguments],
            cwd=elsewhere,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    return start


def test_run_sets_up_once_and_then_runs_at_once_until_something_changes(run, checkout, tmp_path):
    """The one command of the README works the first time, and costs nothing the next."""
    first = run("serve", "--port", "0", PIP_USER="1", PIP_TARGET=str(tmp_path / "not here"))
    assert "once." in first.stderr
    assert "Ready after" in first.stderr
    expected = f"{tmp_path / 'elsewhere'}|{checkout / '.venv'}|serve|--port|0\n"
    assert (first.stdout, first.returncode) == (expected, 7)

    second = run("serve", "--port", "0")
    assert (second.stdout, second.stderr, second.returncode) == (expected, "", 7)

    (checkout / "pyproject.toml").write_text(PYPROJECT + "\n[tool.other]\n")
    third = run("x")
    assert third.stderr.startswith("Installing warmline itself.\nReady after")

    leftover = checkout / ".venv" / "leftover"
    leftover.touch()
    (checkout / "requirements" / "runtime.lock").write_text("# something else\n")
    fourth = run("x")
    assert "anew: the lock files have changed" in fourth.stderr
    assert fourth.returncode == 7
    assert not leftover.exists()

    # What an interruption leaves: begun, and not written in full.
    (checkout / ".venv" / "warmline-setup.json").write_text("{}")
    fifth = run("x")
    assert "anew: the last set-up did not finish" in fifth.stderr
    assert fifth.returncode == 7


def test_run_with_an_environment_of_somebody_else_leaves_it_alone(run, checkout):
    """What a person made by hand is not deleted."""
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "theirs").touch()

    result = run("serve")

    assert result.returncode == 1
    assert "was not made by this script" in result.stderr
    assert (checkout / ".venv" / "theirs").exists()


@pytest.mark.parametrize(
    ("environ", "advice"),
    [
        (
            {"PIP_INDEX_URL": "http://127.0.0.1:9/nowhere", "PIP_RETRIES": "1", "NO_PROXY": "127.0.0.1"},
            "The package index could not be reached",
        ),
        ({"PIP_NO_INDEX": "1"}, "not published ready-made for this Python"),
    ],
)
def test_run_when_installing_fails_says_what_to_do_and_starts_over_next_time(run, checkout, environ, advice):
    """A network that is down is not a traceback, and not a broken environment for ever after."""
    lock = f"warmline-nowhere==1.0 --hash=sha256:{'0' * 64}\n"
    (checkout / "requirements" / "runtime.lock").write_text(lock)

    failed = run("serve", PIP_EXTRA_INDEX_URL="", **environ)

    assert failed.returncode == 1
    assert advice in failed.stderr
    assert "Traceback" not in failed.stderr
    assert json.loads((checkout / ".venv" / "warmline-setup.json").read_text()) == {}
