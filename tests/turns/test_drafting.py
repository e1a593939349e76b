"""When to begin a draft."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.turns.drafting import (
    ENDING_MS,
    DraftAction,
    DraftDecision,
    DraftingPolicy,
    DraftReason,
    DraftTrigger,
    Pause,
    Spent,
    decide_draft,
    to_table,
)
from warmline.turns.endings import Ending

pytestmark = pytest.mark.unit

POLICY = DraftingPolicy()
PARTIAL, FINAL, EAGER = DraftTrigger.PARTIAL, DraftTrigger.FINAL, DraftTrigger.EAGER_END

WORDS = {
    Ending.QUESTION: "do you open on Sunday?",
    Ending.SENTENCE: "I want a book.",
    Ending.OPEN: "when do you open",
    Ending.COMMA: "on Sundays,",
    Ending.TRAILING_OFF: "I was thinking...",
    Ending.PREPOSITION: "I come from",
    Ending.CONJUNCTION: "on Sundays and",
    Ending.HESITATION: "I want um",
    Ending.ARTICLE: "I want the",
}


def decide(trigger=PARTIAL, text="when do you open", stood_ms=0, debounce_ms=400, **more):
    pause = Pause(trigger, text, more.pop("silence_ms", stood_ms), stood_ms, more.pop("confidence", None))
    policy, language = more.pop("policy", POLICY), more.pop("language", "en")
    return decide_draft(pause, Spent(**more), debounce_ms, policy, language)


def needed_ms(trigger, **more):
    """Return how long the trigger must stand."""
    decision = decide(trigger, **more)
    assert decision.action is not DraftAction.SKIP
    return decision.wait_ms


@pytest.mark.parametrize("debounce_ms", [200, 350, 400, 450, 800])
@pytest.mark.parametrize(
    ("trigger", "confidence", "ending"),
    list(itertools.product(DraftTrigger, [None, 0.3, 0.6, 0.9], Ending)),
)
def test_the_wait_is_the_debounce_and_what_the_text_and_the_provider_say(
    debounce_ms, trigger, confidence, ending
):
    """A partial waits the whole debounce; a final and an eager end only what was learned beyond 400 ms."""
    base_ms = debounce_ms if trigger is PARTIAL else max(debounce_ms - 400, 0)
    sure_ms = {None: 0, 0.3: POLICY.doubtful_ms, 0.6: 0, 0.9: POLICY.sure_ms}[confidence]
    expected_ms = max(base_ms + POLICY.ending_ms[ending] + sure_ms, 0)
    decision = decide(trigger, WORDS[ending], debounce_ms=debounce_ms, confidence=confidence)
    assert decision.wait_ms == expected_ms
    if expected_ms:
        assert (decision.action, decision.reason) == (DraftAction.WAIT, DraftReason.NOT_LONG_ENOUGH)
    else:
        assert (decision.action, decision.reason) == (DraftAction.BEGIN, DraftReason.STOOD_LONG_ENOUGH)
    assert decide(trigger, WORDS[ending], expected_ms, debounce_ms, confidence=confidence).action is (
        DraftAction.BEGIN
    )


def test_what_is_finished_waits_less_and_what_must_go_on_waits_more():
    """Than what shows neither."""
    waits = {ending: needed_ms(PARTIAL, text=text) for ending, text in WORDS.items()}
    less = {Ending.QUESTION, Ending.SENTENCE}
    assert all((waits[ending] < 400) == (ending in less) for ending in Ending if ending is not Ending.OPEN)
    assert waits[Ending.OPEN] == 400


def test_a_partial_is_counted_from_the_silence_or_its_last_change_whichever_is_later():
    """Words that came late in the silence have stood for a short time."""
    assert decide(stood_ms=100, silence_ms=390).wait_ms == 300
    assert decide(stood_ms=390, silence_ms=100).wait_ms == 300
    assert decide(stood_ms=900, silence_ms=0).wait_ms == 400


@pytest.mark.parametrize("trigger", [FINAL, EAGER])
def test_a_final_and_an_eager_end_are_counted_from_their_arrival(trigger):
    """Silence says nothing beside them; an eager end comes before there is any."""
    assert decide(trigger, stood_ms=0, silence_ms=0).action is DraftAction.BEGIN
    assert decide(trigger, stood_ms=20, silence_ms=900, debounce_ms=500).wait_ms == 80
    assert decide(trigger, stood_ms=100, silence_ms=0, debounce_ms=500).action is DraftAction.BEGIN


def test_every_decision_says_why_in_words():
    """They stand on the timeline."""
    assert decide(text="on Sundays and", stood_ms=410, confidence=0.31) == DraftDecision(
        DraftAction.WAIT,
        DraftReason.NOT_LONG_ENOUGH,
        "partial stood 410 of 850 ms: debounce 400, a conjunction at its end +300, confidence 0.31 +150",
        440,
    )
    assert decide(FINAL, "Are you open?", debounce_ms=450).text == (
        "final stood 0 of 0 ms: debounce beyond the default 50, a question at its end -150"
    )
    assert decide(EAGER).text == "eager end stood 0 of 0 ms: debounce beyond the default 0"


@pytest.mark.parametrize(
    ("spent", "reason", "text"),
    [
        ({"text": "yes"}, DraftReason.TOO_FEW_WORDS, "partial has 1 of 2 words"),
        ({"text": "um, uh"}, DraftReason.TOO_FEW_WORDS, "partial has 0 of 2 words"),
        ({"trigger": FINAL, "text": ""}, DraftReason.TOO_FEW_WORDS, "final has 0 of 1 words"),
        ({"trigger": EAGER, "text": "Um."}, DraftReason.TOO_FEW_WORDS, "eager end has 0 of 1 words"),
        ({"drafts_this_turn": 3}, DraftReason.TOO_MANY_DRAFTS, "3 drafts this turn, the limit is 3"),
        (
            {"wasted_tokens_last_minute": 10_000},
            DraftReason.TOO_MUCH_WASTED,
            "10000 tokens wasted in the last minute, the limit is 10000",
        ),
    ],
)
def test_a_limit_that_is_reached_stops_drafts_however_long_the_words_stand(spent, reason, text):
    """Nothing is to be waited for."""
    assert decide(stood_ms=9_999, **spent) == DraftDecision(DraftAction.SKIP, reason, text)


def test_just_below_the_limits_a_draft_is_begun():
    """One word is enough for a final, and two Chinese words need no blank."""
    last = decide(stood_ms=400, drafts_this_turn=2, wasted_tokens_last_minute=9_999)
    assert last.action is DraftAction.BEGIN
    assert decide(FINAL, "Yes.").action is DraftAction.BEGIN
    assert decide(text="你们开门吗", stood_ms=400, language="zh").action is DraftAction.BEGIN


def test_the_figures_are_the_policys():
    """Each can be set."""
    policy = replace(
        POLICY, ending_ms={**ENDING_MS, Ending.CONJUNCTION: 1000}, sure_from=0.6, sure_ms=-50, least_words=1
    )
    assert decide(text="and", policy=policy).wait_ms == 1400
    assert decide(confidence=0.6, policy=policy).wait_ms == 350
    assert set(ENDING_MS) == set(Ending)


PAUSES = st.builds(
    Pause,
    st.sampled_from(DraftTrigger),
    st.sampled_from([*WORDS.values(), "", "yes", "um"]),
    st.integers(0, 2000),
    st.integers(0, 2000),
    st.none() | st.floats(0, 1),
)
SPENT = st.builds(Spent, st.integers(0, 4), st.integers(0, 12_000))
DEBOUNCES_MS = st.integers(200, 800)


@given(PAUSES, SPENT, DEBOUNCES_MS)
def test_after_the_wait_the_draft_is_begun(pause, spent, debounce_ms):
    """If nothing changed meanwhile; and not a millisecond sooner."""
    decision = decide_draft(pause, spent, debounce_ms, POLICY)
    assert (decision.wait_ms > 0) == (decision.action is DraftAction.WAIT)
    if decision.action is not DraftAction.WAIT:
        return
    for early_ms, action in [(0, DraftAction.BEGIN), (1, DraftAction.WAIT)]:
        passed_ms = decision.wait_ms - early_ms
        later = replace(
            pause, silence_ms=pause.silence_ms + passed_ms, unchanged_ms=pause.unchanged_ms + passed_ms
        )
        assert decide_draft(later, spent, debounce_ms, POLICY).action is action


@given(PAUSES, SPENT, DEBOUNCES_MS, DEBOUNCES_MS)
def test_a_longer_debounce_never_begins_a_draft_sooner(pause, spent, one_ms, other_ms):
    """For any trigger."""
    shorter, longer = (decide_draft(pause, spent, ms, POLICY) for ms in sorted([one_ms, other_ms]))
    assert shorter.wait_ms <= longer.wait_ms
    assert not (longer.action is DraftAction.BEGIN and shorter.action is not DraftAction.BEGIN)


@given(PAUSES, SPENT, DEBOUNCES_MS)
def test_the_users_words_are_in_no_decision(pause, spent, debounce_ms):
    """A timeline may be logged; a transcript may not."""
    secret = replace(pause, text=f"zzyzx {pause.text}")
    assert "zzyzx" not in repr(decide_draft(secret, spent, debounce_ms, POLICY))


def test_the_page_about_turns_shows_these_figures():
    """The table is the code's."""
    page = Path(__file__).parents[2] / "docs" / "concepts" / "turns.md"
    assert to_table(POLICY) in page.read_text(encoding="utf-8")
    assert "+1000 ms" in to_table(replace(POLICY, doubtful_ms=1000))
