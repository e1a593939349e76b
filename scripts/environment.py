"""Sets up .venv, from the lock files; what `scripts/run` and `scripts/check` share.

Standard library only, and parsed by any Python 3.6 or newer so that an old one can be told so.
What is in .venv is what the locks name and nothing else: when they change it is made anew.
Progress goes to standard error, and nothing is said when there is nothing to do.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this is where an older one is told
    sys.exit(
        "warmline needs Python 3.11, 3.12 or 3.13; this is {}.{} ({}).\n"
        "Install one of those and start the script with it, as in: python3.12 {}".format(
            sys.version_info[0], sys.version_info[1], sys.executable, " ".join(sys.argv)
        )
    )

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sysconfig
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
STATE = VENV / "warmline-setup.json"
"""What was set up; written empty first and in full last, so that an interruption shows."""

RUNTIME = "runtime"
DEVELOPMENT = "dev"
LOCKS = {
    RUNTIME: ["runtime.lock", "models.lock", "build.lock"],
    DEVELOPMENT: ["dev.lock", "models.lock", "build.lock"],
}
SIZES = {RUNTIME: "130 MB to fetch, 420 MB on disk", DEVELOPMENT: "240 MB to fetch, 740 MB on disk"}
"""Measured on Linux x86_64 with Python 3.11."""

# The newest Python for which pocketsphinx is published ready-made.
NEWEST_READY_MADE = (3, 13)
REPORT_EVERY_S = 5.0
"""How often progress is printed where a line cannot be overwritten."""


def set_up(purpose: str) -> None:
    """Make .venv fit for `purpose`, `RUNTIME` or `DEVELOPMENT`; at once if it is already."""
    wanted = _wanted()
    found = _found()
    purposes = found.get("purposes", [])
    same_venv = found.get("made") == wanted["made"] and found.get("locks") == wanted["locks"]
    if same_venv and purpose in purposes and found.get("project") == wanted["project"]:
        return
    try:
        started_s = _now_s()
        if not same_venv:
            _make_venv(found, wanted)
            purposes = []
        STATE.write_text("{}", encoding="utf-8")
        if purpose not in purposes:
            _install_packages(purpose)
            # The development packages are the runtime's and more.
            purposes = [RUNTIME] if purpose == RUNTIME else [RUNTIME, DEVELOPMENT]
        _install_project()
        STATE.write_text(json.dumps({**wanted, "purposes": purposes}), encoding="utf-8")
        _say(f"Ready after {_now_s() - started_s:.0f} s: {_size_mb(VENV)} MB in .venv\n")
    except KeyboardInterrupt:
        _fail("Interrupted. Run the same command to start again; what was fetched is kept.")
    except OSError as error:
        _fail(f"Setting up {VENV} failed: {error}")


def become(program: str, arguments: list[str]) -> NoReturn:
    """Run a program of .venv in place of this one, with this one's working directory."""
    path = BIN / (f"{program}.exe" if os.name == "nt" else program)
    if os.name != "nt":
        os.execv(path, [str(path), *arguments])
    # Windows has no exec. Ctrl-C reaches both: the program ends by it, and this one with the program.
    process = subprocess.Popen([str(path), *arguments])
    while True:
        try:
            sys.exit(process.wait())
        except KeyboardInterrupt:
            continue


def _wanted() -> dict[str, str]:
    locks = hashlib.sha256()
    for path in sorted((ROOT / "requirements").glob("*.lock")):
        locks.update(path.name.encode() + b"\0" + path.read_bytes())
    return {
        # Scripts in .venv hold its absolute path, and packages are built for one Python.
        "made": f"{sys.implementation.cache_tag}{sys.abiflags if os.name != 'nt' else ''} "
        f"{sysconfig.get_platform()} {ROOT}",
        "locks": locks.hexdigest(),
        "project": hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest(),
    }


def _found() -> dict[str, str | list[str]]:
    """Return what the state file says; nothing if .venv is not there, unfinished or broken."""
    try:
        state = json.loads(STATE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    # A venv outlives the Python that it was made with, as a link to nothing.
    works = (BIN / ("python.exe" if os.name == "nt" else "python")).exists()
    return state if works and isinstance(state, dict) else {}


def _make_venv(found: dict[str, str | list[str]], wanted: dict[str, str]) -> None:
    _check_python()
    if not VENV.exists():
        _say(f"Setting up {VENV}, once.")
    elif not STATE.exists():
        _fail(
            f"{VENV} is there already and was not made by this script.\n"
            f"Delete it or move it away, then run the same command again."
        )
    else:
        if not found:
            why = "the last set-up did not finish, or its Python is gone"
        elif found.get("made") != wanted["made"]:
            why = "it was made by another Python or in another folder"
        else:
            why = "the lock files have changed"
        _say(f"Setting up {VENV} anew: {why}.")
        shutil.rmtree(VENV)
    VENV.mkdir()
    STATE.write_text("{}", encoding="utf-8")
    try:
        venv.EnvBuilder(symlinks=os.name != "nt", with_pip=True).create(VENV)
    except subprocess.CalledProcessError as error:
        _fail(f"Python could not make {VENV}: {error}\n{_last_lines((error.output or b'').decode())}")


def _check_python() -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if importlib.util.find_spec("ensurepip") is None:
        _fail(
            f"Python {version} ({sys.executable}) lacks the module that makes virtual environments.\n"
            f"On Debian and Ubuntu: apt install python3-venv (or python{version}-venv). "
            f"Then run the same command again."
        )
    if sys.version_info[:2] > NEWEST_READY_MADE:
        compilers = ["cl"] if os.name == "nt" else ["cc", "gcc", "clang"]
        if not any(map(shutil.which, compilers)):
            _fail(
                f"Python {version} has no ready-made pocketsphinx, the speech recogniser, and there is no C "
                f"compiler to build one.\nUse Python 3.11, 3.12 or 3.13, or install a compiler "
                f"(Debian and Ubuntu: apt install build-essential)."
            )
        _say(f"Python {version} has no ready-made pocketsphinx; it will be built, which takes a minute.")


def _install_packages(purpose: str) -> None:
    _say(f"Installing packages: {SIZES[purpose]}.")
    arguments = ["--require-hashes"]
    locked = 0
    for name in LOCKS[purpose]:
        path = ROOT / "requirements" / name
        arguments += ["-r", str(path)]
        locked += len(re.findall(r"^\S+==", path.read_text(encoding="utf-8"), re.MULTILINE))
    _pip(arguments, _Progress(locked).see)


def _install_project() -> None:
    _say("Installing warmline itself.")
    _pip(["--no-build-isolation", "-e", "."], lambda _line: None)


def _pip(arguments: list[str], on_line: Callable[[str], None]) -> None:
    """Run `pip install`, and end with what to do if it fails."""
    # A user's own settings may not send the packages elsewhere than into .venv.
    elsewhere = {"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PYTHONHOME", "PYTHONPATH"}
    environ = {name: value for name, value in os.environ.items() if name not in elsewhere}
    environ.update(PIP_USER="0", PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8")
    python = BIN / ("python.exe" if os.name == "nt" else "python")
    options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--no-deps"]
    process = subprocess.Popen(
        [str(python), "-m", "pip", "install", *options, *arguments],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    output = []
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            on_line(line)
    if process.returncode != 0:
        text = "".join(output)
        _fail(f"\n{_last_lines(text)}\n\nInstalling failed. {_advice(text)}")


def _advice(output: str) -> str:
    """Return what to do about pip's failure."""
    unreachable = (
        "NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError"
        "|Connection refused|Network is unreachable|Temporary failure in name resolution"
    )
    if "No space left on device" in output:
        return "The disk is full: make room, then run the same command again."
    if "DO NOT MATCH THE HASHES" in output:
        return (
            "A file that was fetched is not the one that the lock names, so it was not installed. If a "
            "mirror or a proxy is in use (PIP_INDEX_URL, HTTPS_PROXY), it may have changed the file."
        )
    if re.search(unreachable, output):
        return (
            "The package index could not be reached. Check the network; behind a proxy set HTTPS_PROXY, "
            "and for a mirror PIP_INDEX_URL. Then run the same command again; what was fetched is kept."
        )
    unavailable = "No matching distribution|Failed building|Failed to build|metadata-generation-failed"
    if re.search(unavailable, output):
        return (
            "Either the package index could not be reached in full (HTTPS_PROXY and PIP_INDEX_URL say where "
            "it is), or the package is not published ready-made for this Python on this machine and could "
            "not be built. Python 3.11, 3.12 or 3.13 on Linux (glibc), macOS or Windows needs no compiler."
        )
    return "Run the same command again; if it fails again, the lines above say why."


class _Progress:
    """Says how far pip is, from the lines that it prints.

    What changes here: everything, and only in `see`.
    """

    def __init__(self, locked: int) -> None:
        self._locked = locked
        self._collected = 0
        self._said_at_s = _now_s()

    def see(self, line: str) -> None:
        fetched = re.match(r"\s+(?:Downloading|Using cached) (.+?)-\d.* (\(\d+\.\d MB\))$", line)
        if line.startswith("Ignoring "):
            self._locked -= 1
        elif line.startswith(("Collecting ", "Processing ")):
            self._collected += 1
            # A name, or for a file on this machine its path.
            name = re.split(r"[/\\]", line.split(" (from ")[0].split(" ", 1)[1].strip())[-1]
            self._show(f"  {self._collected} of {self._locked}: {name}")
        elif fetched:
            self._show(f"  {self._collected} of {self._locked}: {fetched[1]} {fetched[2]}")
        elif line.startswith("Installing collected packages"):
            self._said_at_s = 0.0
            self._show(f"  fetched {self._collected}; unpacking")

    def _show(self, text: str) -> None:
        if sys.stderr.isatty():
            # To the line's start, the text, and clear the rest.
            sys.stderr.write(f"\r{text}\x1b[K" + ("\n" if "unpacking" in text else ""))
            sys.stderr.flush()
        elif _now_s() - self._said_at_s >= REPORT_EVERY_S:
            self._said_at_s = _now_s()
            _say(text)


def _last_lines(text: str, count: int = 12) -> str:
    return "\n".join(text.rstrip().splitlines()[-count:])


def _size_mb(folder: Path) -> int:
    paths = (Path(where, name) for where, _, names in os.walk(folder) for name in names)
    return round(sum(path.lstat().st_size for path in paths) / 1e6)


def _now_s() -> float:
    return time.monotonic()  # noqa: TID251 - a script has no Clock


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _fail(text: str) -> NoReturn:
    sys.exit(text)
