"""A sound that is no turn, in a real browser: the reply stops, and goes on where it stopped."""

import pytest

from tests.e2e.browser import eventually, needs_chromium, opened_page, say
from tests.e2e.humming import hum
from tests.journeys.conversation import Stagehands
from tests.wire.server import running_server
from warmline.server.settings import PlayoutTable
from warmline.testing.scripted import ScriptedModel, ScriptedRecogniser

pytestmark = [pytest.mark.e2e, pytest.mark.anyio, needs_chromium]

LONG = "We open at nine in the morning on every day of the week but Sunday. On Sundays we are closed."
LASTS_S = len(LONG.split()) * 0.3
OUTPUT_HZ = 24_000

MOST_BUBBLES = """() => {
  const count = () => document.querySelectorAll("[data-testid=user-turn]").length;
  window.mostBubbles = count();
  const look = () => { window.mostBubbles = Math.max(window.mostBubbles, count()); };
  new MutationObserver(look).observe(document.getElementById("turns"), { childList: true });
}"""


@pytest.mark.parametrize(
    ("understood", "lead_ms"),
    [("mhm", 500), ("", 60_000)],
    ids=["an acknowledgement while most is still to be sent", "a cough when all was sent"],
)
async def test_a_reply_goes_on_where_a_short_sound_stopped_it(tmp_path, understood, lead_ms):
    """Silent at once, then whole: every word is heard, and the page says so."""
    hands = Stagehands(recogniser=ScriptedRecogniser([understood]), model=ScriptedModel([LONG]))
    playout = PlayoutTable(lead_ms=lead_ms)
    async with running_server(hands.providers(), playout=playout) as server, opened_page(server.url) as page:
        await page.get_by_test_id("mic-button").click()
        await eventually(page, "warmline.stats.micFramesSent > 20")
        await page.get_by_test_id("text-input").fill("When are you open?")
        await page.keyboard.press("Enter")
        await eventually(page, f"warmline.stats.playedSamples > {OUTPUT_HZ}")
        await page.evaluate(MOST_BUBBLES)
        await say(page, hum(tmp_path / "hum.wav", 0.4))
        [stop] = await eventually(page, "warmline.stats.stops.length && warmline.stats.stops")
        assert stop["silentAtContextS"] - stop["receivedAtContextS"] < 0.02
        assert 1000 < stop["playedMs"] < 1000 * LASTS_S
        [resume] = await eventually(page, "warmline.stats.resumes.length && warmline.stats.resumes")
        assert resume["responseId"] == stop["responseId"]
        # The beginning of the word that was cut, or of the one before if its beginning was still on its way.
        assert 0 <= stop["playedMs"] - resume["fromMs"] <= 350
        assert (resume["untilMs"] is not None) == (lead_ms == 60_000)
        assert 0 < resume["receivedAtMs"] - stop["receivedAtMs"] < 1500
        # What was said had a bubble while it could still become a turn.
        assert await page.evaluate("mostBubbles") == 2
        assert await page.locator("[data-testid=user-turn] .words").all_inner_texts() == [
            "When are you open?"
        ]
        await eventually(page, "warmline.floor === 'agent'")

        over = "warmline.turns.filter(turn => turn.status !== 'playing')"
        [turn] = await eventually(page, over, within_s=15)
        assert (turn["status"], turn["playout"], turn["heard_text"]) == ("completed", "reported", LONG)
        assert "false_interruption" in [note["kind"] for note in turn["notes"]]
        assert await page.evaluate("warmline.stats.stops.length") == 1
        assert await page.locator(".unheard").count() == 0
        # The part of a word that was cut is heard twice, and nothing is missing.
        played_s = await page.evaluate("warmline.stats.playedSamples") / OUTPUT_HZ
        again_s = (stop["playedMs"] - resume["fromMs"]) / 1000
        assert played_s == pytest.approx(LASTS_S + again_s, abs=0.06)
        assert await page.evaluate("warmline.stats.underruns") == 0


async def test_a_sound_before_the_first_word_of_a_reply_delays_it_at_most(tmp_path):
    """Nothing had been heard that could go on; all of it is heard once it is clear that nobody spoke."""
    model = ScriptedModel([LONG], first_word_s=1.5)
    hands = Stagehands(recogniser=ScriptedRecogniser(["mhm"]), model=model)
    async with running_server(hands.providers()) as server, opened_page(server.url) as page:
        await page.get_by_test_id("mic-button").click()
        await eventually(page, "warmline.stats.micFramesSent > 20")
        await page.get_by_test_id("text-input").fill("When are you open?")
        await page.keyboard.press("Enter")
        await eventually(page, "warmline.floor === 'thinking'")
        await say(page, hum(tmp_path / "hum.wav", 0.4))
        await eventually(page, "warmline.floor === 'user'")
        await eventually(page, "warmline.floor === 'thinking'")
        over = "warmline.turns.filter(turn => turn.status !== 'playing')"
        [turn] = await eventually(page, over, within_s=30)
        assert (turn["status"], turn["playout"], turn["heard_text"]) == ("completed", "reported", LONG)
        played_s = await page.evaluate("warmline.stats.playedSamples") / OUTPUT_HZ
        assert played_s == pytest.approx(LASTS_S, abs=0.06)
