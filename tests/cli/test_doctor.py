"""`warmline doctor`, as a person runs it and from within, against simulators in the test's own loop."""

import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import numpy as np
import pytest
from aiohttp import web

from warmline.server.doctor.clean_up import connections
from warmline.server.doctor.findings import Finding, Status
from warmline.server.doctor.speaking import audio_problem
from warmline.server.doctor.suite import examine, planned
from warmline.server.settings import load_settings
from warmline.simulators.faults import parse_fault
from warmline.simulators.running import Running, simulators_running
from warmline.simulators.script import Script

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

WRONG_KEY = "sk-a-very-secret-key-of-mine"
SENTENCES = ["The library is open from nine to five."]
CONNECTIONS = ["connect", "pooling", "warm-up"]
ALL = (
    [(check, role) for check in CONNECTIONS for role in ("llm", "tts", "stt")]
    + [("reply", "llm"), ("speech by socket", "tts"), ("speech by HTTP", "tts"), ("recognition", "stt")]
    + [("clean-up", role) for role in ("llm", "tts", "stt")]
)
BILLED = ("/v1/chat/completions", "/v1/text-to-speech/", "/v1/listen")


@asynccontextmanager
async def far_ends(**scripts: Script) -> AsyncIterator[Running]:
    async with simulators_running(
        only=["openai", "elevenlabs", "deepgram"], scripts=scripts, sentences=SENTENCES
    ) as running:
        yield running


async def doctor(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Return the exit status, the output and the messages of a command with these keys and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    done = await anyio.run_process(
        [sys.executable, "-m", "warmline.cli.main", "doctor", *arguments],
        env={**inherited, **environment},
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def written(running: Running, folder: Path) -> str:
    """Return a settings file that leads to the simulators."""
    path = folder / "doctor.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in running.settings.items()]
    path.write_text("\n".join(lines))
    return str(path)


async def examined(
    running: Running, *, is_free: bool = False, **settings: object
) -> dict[tuple[str, str], Finding]:
    named = {name.replace("__", "."): value for name, value in settings.items()}
    loaded = load_settings(None, {**running.settings, **named}, running.environment)
    plan = await planned(loaded.settings, is_free=is_free)
    return {(each.check, each.role): each async for each in examine(plan)}


def failed(findings: dict[tuple[str, str], Finding]) -> dict[tuple[str, str], str]:
    return {name: each.advice for name, each in findings.items() if each.status is Status.FAIL}


async def test_everything_passes_and_is_told_as_json(tmp_path):
    async with far_ends() as running:
        status, output, errors = await doctor(
            "--json", "--config", written(running, tmp_path), **running.environment
        )
    assert status == 0, errors
    told = json.loads(output)
    assert told["verdict"] == "16 passed"
    assert [(row["check"], row["role"]) for row in told["rows"]] == ALL
    assert {row["status"] for row in told["rows"]} == {"pass"}
    figures = {(row["check"], row["role"]): row["figures"] for row in told["rows"]}
    assert set(figures["connect", "tts"]) == {"dns_ms", "tcp_ms", "tls_ms", "socket_ms", "socket_upgrade_ms"}
    assert figures["connect", "llm"]["tls_ms"] > 0.1
    for role in ("llm", "tts", "stt"):
        pooled = figures["pooling", role]
        assert pooled["second_wait_ms"] < pooled["first_wait_ms"]
        assert figures["clean-up", role]["were_open"] >= 1
        assert figures["clean-up", role]["left_open"] == 0
    # The script's own pace: 180 ms to the first token, 75 to the first sound.
    assert figures["reply", "llm"]["warm_first_token_ms"] >= 180
    assert figures["reply", "llm"]["warm_total_ms"] > figures["reply", "llm"]["warm_first_token_ms"]
    assert figures["speech by socket", "tts"]["first_byte_again_ms"] >= 75
    assert 0 < figures["recognition", "stt"]["final_ms"] < figures["recognition", "stt"]["speech_ms"]


async def test_wrong_key_is_said_once_and_never_shown(tmp_path):
    """By its service's own advice; the others are checked all the same."""
    async with far_ends(openai=Script(key="the-right-one")) as running:
        keys = {**running.environment, "OPENAI_API_KEY": WRONG_KEY}
        status, output, errors = await doctor("--free", "--config", written(running, tmp_path), **keys)
    assert status == 1, errors
    assert output.count("FAIL") == 1
    assert "OPENAI_API_KEY" in output
    assert "connect failed" in output
    assert "8 passed, 1 failed, 7 skipped" in output
    assert WRONG_KEY not in output + errors


async def test_fallbacks_are_checked_as_the_first_choices_are():
    """A fallback that does not work is found out before it is needed."""
    keys = {f"{name}_API_KEY": "a-key" for name in ("OPENAI", "ANTHROPIC", "ELEVENLABS", "DEEPGRAM")}
    fallbacks = {"providers.llm_fallbacks": ["anthropic", "offline"], "providers.stt_fallbacks": ["offline"]}
    plan = await planned(load_settings(None, fallbacks, keys).settings)
    assert [(each.check, each.role) for each in plan if each.service != "anthropic"] == ALL
    checks = [each.check for each in plan if each.service == "anthropic"]
    assert checks == [*CONNECTIONS, "reply", "clean-up"]


async def test_mute_socket_fails_alone():
    """Although a call would go on over HTTP."""
    async with far_ends() as running:
        running.simulators["elevenlabs"].faults.add(parse_fault("mute;path=stream-input;times=0"))
        findings = await examined(running, elevenlabs__first_audio_ms=400)
    assert list(findings) == ALL
    assert list(failed(findings)) == [("speech by socket", "tts")]
    assert "no audio came within 0.4 s" in findings["speech by socket", "tts"].advice
    assert {each.status for each in findings.values()} == {Status.PASS, Status.FAIL}


async def test_deaf_recogniser_fails():
    """Deepgram need not answer where it heard nothing; a clear sentence is not nothing."""
    async with far_ends() as running:
        running.simulators["deepgram"].faults.add(parse_fault("mute;path=listen;times=0"))
        findings = await examined(running)
    assert list(failed(findings)) == [("recognition", "stt")]


async def test_other_words_are_worth_a_note_alone():
    async with far_ends(deepgram=Script(transcript="quite another thing")) as running:
        findings = await examined(running)
    assert not failed(findings)
    assert "none of the expected words" in findings["recognition", "stt"].advice


async def test_nothing_that_is_billed_is_asked_with_free():
    """Not even a socket, over which nothing would be said."""
    async with far_ends() as running:
        findings = await examined(running, is_free=True)
        paths = {each.path for simulator in running.simulators.values() for each in simulator.requests}
    assert not failed(findings)
    assert paths == {"/v1/models", "/v1/voices/21m00Tcm4TlvDq8ikWAM", "/v1/projects"}
    assert not any(path.startswith(BILLED) for path in paths)
    skipped = [check for (check, _), each in findings.items() if each.status is Status.SKIP]
    assert skipped == ["reply", "speech by socket", "speech by HTTP", "recognition"]


async def test_service_that_is_not_there_is_left_alone_after_connecting_failed():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        async with far_ends() as running:
            findings = await examined(running, is_free=True, elevenlabs__base_urls=[url])
    assert list(failed(findings)) == [("connect", "tts")]
    assert findings["warm-up", "tts"].status is Status.SKIP
    assert findings["warm-up", "stt"].status is Status.PASS


async def test_line_that_is_closed_after_each_answer_is_no_pool():
    async def models(_: web.Request) -> web.Response:
        response = web.json_response({"data": []})
        response.force_close()
        return response

    application = web.Application()
    application.add_routes([web.get("/v1/models", models)])
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        settings = {"openai.base_urls": [f"http://127.0.0.1:{runner.addresses[0][1]}/v1"]}
        plan = await planned(load_settings(None, settings, {}).settings, is_free=True)
        findings = {(each.check, each.role): each async for each in examine(plan)}
    finally:
        await runner.cleanup()
    assert list(failed(findings)) == [("pooling", "llm")]
    assert "lines.proxy" in findings["pooling", "llm"].advice
    assert findings["all", "tts"].status is Status.SKIP
    assert "ELEVENLABS_API_KEY" in findings["all", "tts"].advice


async def test_without_any_service_it_says_how_to_try_it(tmp_path):
    """Nothing is wrong with that: a fresh install needs none."""
    empty = tmp_path / "empty.toml"
    empty.touch()
    status, output, errors = await doctor("--config", str(empty))
    assert status == 0, errors
    assert "warmline doctor --simulate" in output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--set", "providers.tts=elevenlabs"], "ELEVENLABS_API_KEY"),
        (["--simulate", "--profile", "moon"], "moon"),
    ],
)
async def test_wrong_settings_are_one_message(arguments, says):
    status, output, errors = await doctor(*arguments)
    assert status == 2
    assert output == ""
    assert says in errors
    assert "Traceback" not in errors


def test_audio_is_looked_at():
    """Too short, silent, or speech."""
    noise = (np.random.default_rng(1).standard_normal(24_000 * 2) * 3_000).astype("<i2").tobytes()
    assert "0.5 s" in audio_problem(noise[:24_000])
    assert "silent" in audio_problem(bytes(96_000))
    assert audio_problem(noise) == ""


def test_connections_of_the_process_are_seen_until_they_are_closed():
    before = connections()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as line:
            assert (line.getsockname(), line.getpeername()) in connections() - before
    assert connections() == before
