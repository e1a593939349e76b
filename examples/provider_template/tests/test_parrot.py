"""The parrot, against a service that is one. Run with `pytest`."""

import asyncio

import pytest
from aiohttp import web
from warmline_parrot.model import open_parrot

from warmline.errors import ConfigError, ProviderRejected
from warmline.interfaces.llm import LlmRequest, Message, Role
from warmline.pool.lines import Lines
from warmline.server.settings import Secret


async def say(request: web.Request) -> web.StreamResponse:
    """Repeat a text, a few bytes at a time."""
    if request.headers.get("authorization") != "Bearer good":
        return web.Response(status=401)
    text = await request.read()
    response = web.StreamResponse()
    await response.prepare(request)
    for start in range(0, len(text), 3):
        await response.write(text[start : start + 3])
    return response


async def ask(question: str, key: str) -> str:
    """Ask a parrot that is started for it."""
    application = web.Application()
    application.router.add_post("/say", say)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        settings = {"base_url": f"http://127.0.0.1:{runner.addresses[0][1]}", "api_key": Secret(key)}
        async with Lines() as lines, open_parrot(settings, lines) as model:
            async with model.stream(LlmRequest([Message(Role.USER, question)])) as text:
                return "".join([piece async for piece in text])
    finally:
        await runner.cleanup()


def test_it_repeats_what_it_is_asked() -> None:
    """Whatever the language."""
    assert asyncio.run(ask("Wie spät ist es, मीरा?", "good")) == "Wie spät ist es, मीरा?"


def test_a_wrong_key_is_told_without_showing_it() -> None:
    """So that it can be put into a log."""
    with pytest.raises(ProviderRejected, match=r"plugins\.parrot\.api_key"):
        asyncio.run(ask("Hello?", "wrong"))


def test_settings_that_are_wrong_are_named() -> None:
    """By their key."""

    async def opening() -> None:
        async with Lines() as lines, open_parrot({"base_ulr": "http://127.0.0.1"}, lines):
            pass

    with pytest.raises(ConfigError, match="base_ulr"):
        asyncio.run(opening())
