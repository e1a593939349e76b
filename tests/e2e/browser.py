"""A real Chromium, headless, with a microphone that is a recording or speaks when a test says so."""

from __future__ import annotations

import base64
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from playwright.async_api import Page, async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
]

_REFUSED = "Failed to load resource: the server responded with a status of "

# Replaces the microphone by one that is silent until a test calls `say(wav)`.
SPEAKING_MICROPHONE = """(() => {
  let context, destination;
  const stream = () => {
    if (!context) {
      context = new AudioContext();
      destination = context.createMediaStreamDestination();
      const silence = context.createConstantSource();
      const off = context.createGain();
      off.gain.value = 0;
      silence.connect(off).connect(destination);
      silence.start();
    }
    return destination.stream;
  };
  navigator.mediaDevices.getUserMedia = async () => stream().clone();
  window.say = async (base64) => {
    stream();
    await context.resume();
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const source = context.createBufferSource();
    source.buffer = await context.decodeAudioData(bytes.buffer);
    source.connect(destination);
    source.start();
  };
})()"""

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt install chromium")


@asynccontextmanager
async def opened_page(
    url: str, *, recording: Path | None = None, refusals: bool = False, **context_options: Any
) -> AsyncIterator[Page]:
    """Open the page in a new browser; an error in its console fails the test.

    Args:
        url: Of the server.
        recording: What the microphone hears from the moment it is opened; None for one that speaks
            when `say` is called.
        refusals: Whether the server may refuse what is asked of it, which a browser tells in its console.
        context_options: For the browser's context, such as `viewport` and `color_scheme`.
    """
    flags = [*FLAGS]
    if recording:
        flags += [
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={recording}%noloop",
        ]
    troubles: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        context = await browser.new_context(permissions=["microphone"], **context_options)
        page = await context.new_page()
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        if not recording:
            await page.add_init_script(SPEAKING_MICROPHONE)
        await page.goto(url)
        yield page
        await context.close()
        await browser.close()
    assert [each for each in troubles if not (refusals and each.startswith(_REFUSED))] == []


async def say(page: Page, recording: Path) -> None:
    """Play a recording into the page's microphone; returns when it has begun."""
    wav = await anyio.to_thread.run_sync(recording.read_bytes)
    await page.evaluate("wav => say(wav)", base64.b64encode(wav).decode())


async def eventually(
    page: Page, expression: str, *, within_s: float = 20, holds: Callable[[Any], bool] = bool
) -> Any:
    """Return the value of a JavaScript expression once it holds."""
    with anyio.fail_after(within_s):
        while True:
            value = await page.evaluate(expression)
            if holds(value):
                return value
            await anyio.sleep(0.05)
