"""What the terminal tells of a turn beside its waterfall."""

from typing import Any

import pytest
from rich.console import Console

from warmline.cli.turn_words import draft_lines, note_cells, setback_lines, underrun_line
from warmline.cli.waterfall import waterfall
from warmline.core.setback import ProviderRole, Remedy, Setback, SetbackKind
from warmline.timeline.contributions import Contribution
from warmline.timeline.notes import DraftReport, Note, NoteKind, Waste
from warmline.timeline.report import PlayoutTruth, TurnReport, TurnStatus
from warmline.turns.draft import DraftEvent

pytestmark = pytest.mark.unit

KEPT = DraftReport("final", DraftEvent.COMMITTED.value, 332_000, 512_000)
DROPPED = DraftReport(
    "eager end", DraftEvent.USER_WENT_ON.value, -1_400_000, -1_100_000, Waste(1_200, 14, 52)
)
LATE = Setback(ProviderRole.LLM, "openai", SetbackKind.LATE, Remedy.RETRY, "anthropic", 12.0, 0.7)


def report(**fields: Any) -> TurnReport:
    values: dict[str, Any] = {
        "number": 1,
        "reply_id": "resp_1",
        "status": TurnStatus.COMPLETED,
        "user_text": "when do you open",
        "reply_text": "At nine.",
        "heard_text": "At nine.",
        "playout": PlayoutTruth.REPORTED,
        "response_us": 522_000,
        "contributions": (Contribution("endpointing", 512_000), Contribution("delivery", 10_000)),
        "spans": (),
        "marks_us": {"tts_first_audio": 432_000, "audio_sent": 512_000},
    }
    return TurnReport(**{**values, **fields})


def shown(turn: TurnReport, *, with_notes: bool = False) -> str:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(waterfall(turn, with_notes=with_notes))
    return captured.get()


def test_a_draft_that_was_kept_says_how_early_it_was_and_how_long_its_sound_waited():
    """512 - 332, and 512 - 432."""
    [line] = draft_lines(report(drafts=(KEPT,)))
    assert line == (
        "Answer begun 180 ms before the end of the turn, on a final; its sound was held for 80 ms"
    )


def test_a_sound_that_came_after_the_end_of_the_turn_was_not_held():
    """The draft was still being made."""
    late = {"tts_first_audio": 600_000, "audio_sent": 600_020}
    [line] = draft_lines(report(drafts=(KEPT,), marks_us=late))
    assert line == "Answer begun 180 ms before the end of the turn, on a final"


def test_a_dropped_draft_says_why_and_what_it_cost():
    """The prompt's tokens and the answer's are one figure."""
    line, _ = draft_lines(report(drafts=(DROPPED, KEPT)))
    assert line == (
        "Answer begun on an eager end and dropped: the user went on; "
        "wasted about 1,214 tokens and 52 characters of speech"
    )


@pytest.mark.parametrize(
    ("setbacks", "told"),
    [
        ([LATE], ["openai was late after 0.7 s; anthropic answered"]),
        (
            [Setback(ProviderRole.LLM, "openai", SetbackKind.CUT, Remedy.CONTINUATION, "openai", 1.0, 0.0)],
            ["openai broke off; it was asked for the rest"],
        ),
        (
            [Setback(ProviderRole.TTS, "elevenlabs", SetbackKind.SLOW, Remedy.HEDGE, "offline", 1.0, 0.31)],
            ["elevenlabs was slow after 0.3 s; offline was asked as well"],
        ),
        (
            [Setback(ProviderRole.STT, "deepgram", SetbackKind.CUT, Remedy.REPLAY, "offline", 1.0, 0.2)],
            ["deepgram broke off after 0.2 s; offline was sent the words once more"],
        ),
        (
            [LATE, Setback(ProviderRole.LLM, "anthropic", SetbackKind.REFUSED, Remedy.NONE, "", 13.0, 0.0)],
            ["openai was late after 0.7 s; anthropic was asked", "anthropic refused"],
        ),
    ],
    ids=["another answered", "the same went on", "both were asked", "heard once more", "none could answer"],
)
def test_setbacks_are_told_in_plain_words(setbacks, told):
    """Nobody is said to have answered who then failed."""
    assert setback_lines(setbacks) == told


@pytest.mark.parametrize("kind", SetbackKind)
@pytest.mark.parametrize("remedy", Remedy)
@pytest.mark.parametrize("taken_by", ["other", "first"])
@pytest.mark.parametrize("role", ProviderRole)
def test_there_are_words_for_every_setback(kind, remedy, taken_by, role):
    """Whatever went wrong, and whatever was done about it."""
    by = "" if remedy is Remedy.NONE else taken_by
    [line] = setback_lines([Setback(role, "first", kind, remedy, by, 1.0, 0.0)])
    assert line.startswith("first ")
    assert ("; " in line) == (remedy is not Remedy.NONE)


def test_gaps_in_the_sound_are_counted_and_measured():
    """And not mentioned where there were none."""
    assert underrun_line(report()) == ""
    gaps = report(underruns=2, underrun_us=340_000)
    assert underrun_line(gaps) == "The sound ran out twice, for 340 ms in all"


def test_decisions_are_listed_only_where_they_are_asked_for():
    """Each with its instant and its reason."""
    turn = report(notes=(Note(-420_000, NoteKind.DRAFT_WAITS, "partial stood 0 of 400 ms"),))
    assert "partial stood" not in shown(turn)
    assert "-420 ms  draft waits: partial stood 0 of 400 ms" in shown(turn, with_notes=True)
    assert note_cells(Note(3_100_000, NoteKind.FALSE_INTERRUPTION)) == ("+3,100 ms", "false interruption")


def test_a_turn_in_which_nothing_was_played_still_says_what_went_wrong():
    """That is when one wants to know."""
    failed = report(status=TurnStatus.FAILED, response_us=None, contributions=(), setbacks=(LATE,))
    assert shown(failed).splitlines() == [
        "Turn 1: nothing was played failed",
        "openai was late after 0.7 s; anthropic answered",
    ]


def test_a_turn_without_drafts_and_setbacks_is_its_waterfall_alone():
    """No empty headings."""
    assert shown(report()).splitlines()[-1].startswith("Everything else")
