"""The page in a real browser, against the real server and the offline providers."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from tests.e2e.browser import eventually, needs_chromium, opened_page, say
from tests.wire.server import Server, knowledge, running_server
from warmline.core.formats import PCM_16K, AudioFormat
from warmline.interfaces.vad import OnProbability, VoiceActivityDetector, VoiceActivityStream
from warmline.server.assembly import open_providers
from warmline.server.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.anyio, needs_chromium]

EXAMPLES = Path(__file__).parents[2] / "examples"
OPEN = EXAMPLES / "when-are-you-open.wav"
BOOKS = EXAMPLES / "how-many-books.wav"

TURN_OVER = "warmline.turns.filter(turn => turn.status !== 'playing')"


class TimedDetector:
    """A voice activity detector that notes, by the wall clock, when it told what it heard."""

    def __init__(self, detector: VoiceActivityDetector) -> None:
        self._detector = detector
        self.told_at_ms: list[float] = []

    def open(self, on_probability: OnProbability, audio_format: AudioFormat = PCM_16K) -> VoiceActivityStream:
        """Open the detector with a stopwatch before it."""

        def timed(probability: float, end_sample: int) -> None:
            self.told_at_ms.append(time.time() * 1000)  # noqa: TID251 - the browser has no other clock
            on_probability(probability, end_sample)

        return self._detector.open(timed, audio_format)


@asynccontextmanager
async def real_server() -> AsyncIterator[tuple[Server, TimedDetector]]:
    known = await anyio.to_thread.run_sync(knowledge)
    async with open_providers(Settings(), known) as providers:
        detector = TimedDetector(providers.vad)
        async with running_server(replace(providers, vad=detector)) as server:
            yield server, detector


async def test_spoken_question_is_heard_answered_and_explained():
    """A recording as microphone: the transcript grows, the answer sounds, the waterfall adds up."""
    async with real_server() as (server, _), opened_page(server.url, recording=OPEN) as page:
        await page.get_by_test_id("mic-button").click()
        await eventually(page, "warmline.stats.received['warmline.transcript.partial'] >= 3")
        await eventually(page, "warmline.turns.length")
        assert "when are you open" in (await page.get_by_test_id("user-turn").inner_text()).lower()
        # The answer's samples arrive at the loudspeaker, and are no silence.
        await eventually(page, "warmline.stats.playedSamples > 24000")
        assert await eventually(page, "warmline.stats.outputRms", holds=lambda rms: rms > 0.005)
        [turn] = await eventually(page, TURN_OVER, within_s=40)
        assert turn["status"] == "completed"
        assert turn["playout"] == "reported"
        assert "from nine in the morning" in turn["heard_text"]
        assert sum(part["duration_us"] for part in turn["contributions"]) == turn["response_us"]
        shown = await page.get_by_test_id("waterfall-total").inner_text()
        assert shown.startswith(f"{turn['response_us'] / 1000:,.0f}")
        assert await page.get_by_test_id("waterfall").is_visible()
        assert await page.evaluate("warmline.stats.underruns") == 0
        # All of it was played: the pauses between words are a small part of speech.
        played_s = await page.evaluate("warmline.stats.playedSamples / 24000")
        reported_s = (turn["marks_us"]["playout_done"] - turn["marks_us"]["audio_played"]) / 1e6
        assert 0.7 * reported_s < played_s < 1.02 * reported_s


async def test_speaking_interrupts_within_60_ms_of_detection_and_the_context_keeps_what_was_heard():
    """From the detector's word to the last sample: across the socket, into the audio thread."""
    async with real_server() as (server, detector), opened_page(server.url) as page:
        await page.get_by_test_id("mic-button").click()
        await eventually(page, "warmline.stats.micFramesSent > 20")
        await say(page, OPEN)
        await eventually(page, "warmline.floor === 'agent'")
        await anyio.sleep(1.5)
        await say(page, BOOKS)
        [stop] = await eventually(page, "warmline.stats.stops.length && warmline.stats.stops")
        origin_ms = await page.evaluate("performance.timeOrigin")
        received_at_ms = origin_ms + stop["receivedAtMs"]
        silent_at_ms = received_at_ms + 1000 * (stop["silentAtContextS"] - stop["receivedAtContextS"])
        detected_at_ms = max(at for at in detector.told_at_ms if at <= received_at_ms)
        assert 0 <= silent_at_ms - detected_at_ms < 60
        first, second = await eventually(page, TURN_OVER, within_s=40, holds=lambda turns: len(turns) == 2)
        assert first["status"] == "interrupted"
        assert 0 < len(first["heard_text"]) < len(first["reply_text"])
        assert "fifteen items" in second["heard_text"]


async def test_typed_question_is_answered_aloud_without_a_microphone():
    """Enter sends; Escape stops the answer."""
    async with real_server() as (server, _), opened_page(server.url) as page:
        await page.get_by_test_id("text-input").fill("How much does printing cost?")
        await page.keyboard.press("Enter")
        await eventually(page, "warmline.stats.playedSamples > 12000")
        await page.locator("body").press("Escape")
        [turn] = await eventually(page, TURN_OVER)
        assert turn["status"] == "cancelled"
        assert await eventually(page, "warmline.stats.outputRms", holds=lambda rms: rms == 0) == 0
        assert "cents" in await page.get_by_test_id("agent-turn").inner_text()


async def test_a_goodbye_is_said_back_and_the_page_says_that_it_is_over():
    """Typed, as it may be spoken."""
    async with real_server() as (server, _), opened_page(server.url) as page:
        await page.get_by_test_id("text-input").fill("Thank you, goodbye!")
        await page.get_by_test_id("send-button").click()
        await eventually(page, "warmline.state === 'ended'")
        assert await page.evaluate("warmline.turns[0].heard_text") == "Goodbye."
        await server.has_no_session()


async def test_closing_the_page_ends_its_session():
    """In the middle of an answer."""
    async with real_server() as (server, _):
        async with opened_page(server.url) as page:
            await page.get_by_test_id("text-input").fill("When are you open?")
            await page.keyboard.press("Enter")
            await eventually(page, "warmline.floor === 'agent'")
        await server.has_no_session()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_page_fits_a_phone_in_light_and_dark(scheme):
    """Nothing is wider than the screen, and the controls can be reached."""
    viewport = {"width": 360, "height": 740}
    async with (
        real_server() as (server, _),
        opened_page(server.url, viewport=viewport, color_scheme=scheme) as page,
    ):
        await page.get_by_test_id("text-input").fill("When is story time?")
        await page.get_by_test_id("send-button").click()
        await eventually(page, "document.querySelectorAll('[data-testid=waterfall]').length")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        for name in ("mic-button", "text-input"):
            box = await page.get_by_test_id(name).bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 360
            assert box["y"] + box["height"] <= 740
