from pathlib import Path

import pytest

pytestmark = pytest.mark.wire

CONFTEST = Path(__file__).with_name("conftest.py")

# Each outer test runs an inner session of its own, with the real conftest.
INI = """
[pytest]
markers =
    unit
    loop
    wire
    e2e
filterwarnings = error
"""


@pytest.fixture
def inner(pytester, monkeypatch):
    """Run pytest on one test file under the house rules, in a process of its own."""
    pytester.makeini(INI)
    # The inner session is not to load `pytester` a second time from a conftest that is not at its root.
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    monkeypatch.delenv("WARMLINE_REQUIRE_ALL", raising=False)

    def run(source, *arguments):
        pytester.makepyfile(test_inner=source)
        return pytester.runpytest_subprocess("-p", "no:randomly", "-ra", *arguments)

    return run


@pytest.mark.parametrize(
    ("mark", "declared"),
    [("", "none"), ("pytestmark = [pytest.mark.unit, pytest.mark.wire]", "unit, wire")],
)
def test_a_file_without_exactly_one_kind_is_refused(inner, mark, declared):
    """Whoever adds a test decides how much it may cost."""
    result = inner(f"import pytest\n{mark}\n@pytest.mark.loop\ndef test_nothing(): pass")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*test_inner.py declares {declared}"])


@pytest.mark.parametrize("kind", ["loop", "wire"])
def test_a_test_that_leaves_a_task_running_fails(inner, kind):
    """A leak is found where it is made."""
    result = inner(
        f"""
        import asyncio, pytest
        pytestmark = [pytest.mark.{kind}, pytest.mark.anyio]

        @pytest.fixture(scope="module")
        async def lives_longer():
            task = asyncio.get_running_loop().create_task(asyncio.sleep(3600))
            yield
            task.cancel()

        async def leaked():
            await asyncio.Event().wait()

        async def test_leaks(lives_longer):
            test_leaks.task = asyncio.get_running_loop().create_task(leaked())

        async def test_leaks_nothing(lives_longer):
            async with asyncio.timeout(5):
                await asyncio.get_running_loop().create_task(asyncio.sleep(0))

        def test_has_no_loop(): pass
        """
    )

    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*the test left tasks running:*", "*: leaked at *test_inner.py:*"])


def test_a_loop_test_runs_on_the_clock_that_jumps(inner):
    """An hour's wait costs nothing, and a wire test would have timed out on it."""
    inner(
        """
        import asyncio, pytest
        pytestmark = [pytest.mark.loop, pytest.mark.anyio]
        async def test_an_hour():
            await asyncio.sleep(3600)
            assert asyncio.get_running_loop().time() >= 3600
        """,
        "--timeout=20",
    ).assert_outcomes(passed=1)


def test_a_wire_test_runs_on_the_real_clock(inner):
    """Other processes answer in real time."""
    inner(
        """
        import asyncio, pytest
        from warmline.testing.virtual_time import VirtualTimeLoop
        pytestmark = [pytest.mark.wire, pytest.mark.anyio]
        async def test_loop():
            assert not isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
        """
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize(("kind", "outcome"), [("loop", "failed"), ("wire", "passed")])
def test_code_of_warmline_that_blocks_the_loop_fails_a_loop_test(inner, kind, outcome):
    """Reading a file on the loop would hold up every call of the process."""
    result = inner(
        f"""
        import pytest
        from warmline.server.settings import load_settings
        pytestmark = [pytest.mark.{kind}, pytest.mark.anyio]
        async def test_reads_a_file(tmp_path):
            path = tmp_path / "x.toml"
            path.touch()
            load_settings(path, {{}}, {{}})
        """
    )

    result.assert_outcomes(**{outcome: 1})
    if outcome == "failed":
        result.stdout.fnmatch_lines(["*BlockingError: Blocking call to *"])


SKIPS = """
import pytest
pytestmark = pytest.mark.unit
def test_runs(): pass
@pytest.mark.skip(reason="no voices here")
def test_does_not(): pass
"""


def test_a_skipped_test_is_listed_with_its_reason(inner):
    """A person without every tool still gets a green run, and sees what was left out."""
    result = inner(SKIPS)

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["SKIPPED*: no voices here"])


def test_a_skipped_test_fails_the_run_where_all_are_required(inner, monkeypatch):
    """In continuous integration a test cannot quietly stop running."""
    monkeypatch.setenv("WARMLINE_REQUIRE_ALL", "1")

    result = inner(SKIPS)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([
        "*nothing may be skipped*",
        "*test_inner.py::test_does_not: *no voices here",
    ])


def test_a_run_without_skips_passes_where_all_are_required(inner, monkeypatch):
    """The rule is about skips alone."""
    monkeypatch.setenv("WARMLINE_REQUIRE_ALL", "1")

    assert inner(SKIPS, "-k", "test_runs").ret == pytest.ExitCode.OK
