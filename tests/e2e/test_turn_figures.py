"""What the page shows of a turn beside its waiting time: early answers, setbacks, decisions."""

import re
from dataclasses import replace

import pytest

from tests.e2e.browser import eventually, needs_chromium, opened_page, say
from tests.e2e.humming import hum
from tests.journeys.conversation import Stagehands
from tests.wire.server import running_server
from warmline.core.setback import SetbackKind
from warmline.failover.legs import FailoverState, Leg
from warmline.failover.settings import FailoverSettings
from warmline.testing.scripted import (
    ScriptedFault,
    ScriptedModel,
    ScriptedRecogniser,
    ScriptedVoice,
    Utterance,
)
from warmline.timeline.notes import NoteKind
from warmline.turns.draft import DraftEvent, DraftState, next_draft_state
from warmline.turns.drafting import DraftTrigger

pytestmark = [pytest.mark.e2e, pytest.mark.anyio, needs_chromium]

REPLY = "We open at nine in the morning."
PHONE = {"width": 390, "height": 844}

OUTSIDE = """() => {
  const card = document.querySelector("[data-testid=waterfall]").getBoundingClientRect();
  return [...document.querySelectorAll(".block")].filter((block) => {
    const { left, right, width } = block.getBoundingClientRect();
    return width < 2 || left < card.left || right > card.right;
  }).length;
}"""


def hands(*utterances: str) -> Stagehands:
    """Return far ends that understand at once, and think and speak within a pause."""
    return Stagehands(
        recogniser=ScriptedRecogniser([Utterance(text, final_after_s=0.02) for text in utterances]),
        model=ScriptedModel([REPLY], first_word_s=0.02),
        voice=ScriptedVoice(first_audio_s=0.05),
    )


async def test_an_early_answer_stands_in_the_chart_and_its_reasons_behind_a_fold(tmp_path):
    """By keyboard, while the answer is still being played: the fold stays open when the figures change."""
    async with (
        running_server(hands("when do you open").providers()) as server,
        opened_page(server.url) as page,
    ):
        await page.get_by_test_id("mic-button").click()
        await eventually(page, "warmline.stats.micFramesSent > 20")
        await say(page, hum(tmp_path / "question.wav", 1.2))
        await eventually(page, "warmline.turns.length")
        why = page.get_by_test_id("why")
        assert not await why.locator(".notes").is_visible()
        await why.locator("summary").focus()
        await page.keyboard.press("Enter")
        over = "warmline.turns.filter(turn => turn.status !== 'playing')"
        [turn] = await eventually(page, over)
        assert await why.locator(".notes").is_visible()
        assert await page.evaluate("document.activeElement.closest('details').className") == "why"
        shown = await why.locator("[data-note]").evaluate_all("notes => notes.map(one => one.dataset.note)")
        assert shown == [note["kind"] for note in turn["notes"]]
        assert {"draft_begun", "draft_adopted"} <= set(shown)

        row = page.locator("[data-span=drafts]")
        said = await row.text_content() or ""
        assert "after your last word, on your words, which were certain; kept: you were done" in said
        assert await row.locator(".block.draft:not(.dropped)").count() == 1
        held = page.locator("[data-span=voice_first_audio] .held")
        box, limit = await held.bounding_box(), await row.locator(".block").bounding_box()
        assert box is not None
        assert limit is not None
        # The sound was held until the draft became the answer.
        assert box["width"] > 5
        assert box["x"] + box["width"] == pytest.approx(limit["x"] + limit["width"], abs=4)
        assert await page.get_by_test_id("setbacks").count() == 0


async def test_a_dropped_draft_is_told_from_the_one_that_was_kept_on_a_phone_too(tmp_path):
    """It lies before the end of speech, or points there, and says what it cost."""
    far_ends = hands("when do you open", "on Sundays")
    async with (
        running_server(far_ends.providers()) as server,
        opened_page(server.url, viewport=PHONE) as page,
    ):
        await page.get_by_test_id("mic-button").click()
        await eventually(page, "warmline.stats.micFramesSent > 20")
        await say(page, hum(tmp_path / "question.wav", 1.2, 0.44, 0.9))
        over = "warmline.turns.filter(turn => turn.status !== 'playing')"
        [turn] = await eventually(page, over)
        assert [draft["outcome"] for draft in turn["drafts"]] == [
            DraftEvent.USER_WENT_ON.value,
            DraftEvent.COMMITTED.value,
        ]
        await page.get_by_test_id("timeline").locator("summary").click()
        row = page.locator("[data-span=drafts]")
        assert await row.locator(".block.dropped").count() == 1
        assert await row.locator(".block").count() == 2
        said = await row.text_content() or ""
        assert "before your last word" in said
        assert "dropped: you went on, wasted about" in said
        assert await page.evaluate(OUTSIDE) == 0
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


async def test_a_setback_is_told_in_plain_words_above_the_chart():
    """The first model fails, and fails again; the second answers."""
    far_ends = hands()
    far_ends.model.faults = [ScriptedFault("unavailable", times=9)]
    stand_in = Leg(ScriptedModel([REPLY]), "anthropic")
    providers = replace(
        far_ends.providers(),
        llm_name="openai",
        llm_fallbacks=(stand_in,),
        failover=FailoverState(FailoverSettings(apology="")),
    )
    async with running_server(providers) as server, opened_page(server.url) as page:
        await page.get_by_test_id("text-input").fill("When are you open?")
        await page.keyboard.press("Enter")
        over = "warmline.turns.filter(turn => turn.status !== 'playing')"
        [turn] = await eventually(page, over)
        assert turn["status"] == "completed"
        told = await page.get_by_test_id("setbacks").locator("li").all_inner_texts()
        failed = r"openai failed( after 0\.\d s)?"  # on a busy machine
        assert re.fullmatch(rf"{failed}; it was asked again\.", told[0])
        assert re.fullmatch(rf"{failed}; anthropic answered\.", told[1])
        assert len(told) == 2


async def test_the_page_has_words_for_whatever_a_turn_may_tell():
    """Its tables and the engine's names are the same."""
    async with running_server() as server, opened_page(server.url) as page:
        tables = await page.evaluate("() => import('/page/decisions.js').then((words) => ({ ...words }))")
    assert set(tables["TRIGGERS"]) == {trigger.value for trigger in DraftTrigger}
    assert set(tables["NOTES"]) == {kind.value for kind in NoteKind}
    assert set(tables["SETBACKS"]) == {kind.value for kind in SetbackKind}
    ends = {
        event: next_draft_state(DraftState.HELD, event)
        for event in DraftEvent
        if event is not DraftEvent.AUDIO_MADE
    }
    assert {name: outcome["kept"] for name, outcome in tables["OUTCOMES"].items()} == {
        event.value: state is DraftState.ADOPTED for event, state in ends.items()
    }
