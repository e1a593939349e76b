"""Turns that were made up, as many as are wanted, so that a dashboard has something to show."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from warmline.reporting.turn import (
    ReportedDraft,
    ReportedLine,
    ReportedNote,
    ReportedSetback,
    ReportedTurn,
)
from warmline.store.database import Database
from warmline.store.turn_keeping import ArrivedTurn, TurnKeeping
from warmline.store.turn_upkeep import TurnUpkeep
from warmline.store.turn_views import TurnTexts
from warmline.timeline.marks import Mark
from warmline.timeline.report import PlayoutTruth, TurnStatus

__all__ = ["database_at", "fill", "made_turns"]

_MODELS = (
    # Who answers, with what, and how soon in the median.
    ("openai", "gpt-5.4-mini", 240.0, "api.openai.com"),
    ("anthropic", "claude-haiku-4-5", 330.0, "api.anthropic.com"),
)
_CHANNELS = ("telnyx", "telnyx", "telnyx", "twilio", "browser")
_SAID = (
    ("When are you open on Saturdays?", "We are open from nine in the morning to five."),
    ("How many books can I borrow?", "You can have up to fifteen items at the same time."),
    ("Can I book a study room?", "Yes. Rooms can be booked for two hours a day, up to a week ahead."),
)
_BATCH = 500


def made_turns(
    count: int, *, until_s: float, spread_s: float = 86_400.0, seed: int = 1
) -> Iterator[ArrivedTurn]:
    """Yield turns in the order of time, evenly before an instant: some calls at a time, six turns in each."""
    draw = random.Random(seed)
    for index in range(count):
        call, number = divmod(index, 6)
        at_s = until_s - spread_s * (1 - (index + draw.random()) / count) - 1
        yield _made(draw, f"call_{seed}_{call:05}", number + 1, at_s, share=index / count)


def fill(url: str, arrived: Iterator[ArrivedTurn], *, until_s: float) -> None:
    """Keep turns in a database, which is made if it is not there, and look after it as a server does."""
    with Database(url) as database:
        keeping = TurnKeeping(database, "made-up")
        while some := list(islice(arrived, _BATCH)):
            keeping.keep(some)
        upkeep = TurnUpkeep(database)
        while upkeep.fold(until_s):
            pass


def _made(draw: random.Random, call: str, number: int, at_s: float, share: float) -> ArrivedTurn:
    dice = random.Random(call)
    llm, model, model_ms, host = _MODELS[dice.random() < 0.3]
    # An hour in which the model is slow, which a dashboard is to make plain.
    is_slow = 0.62 < share < 0.7 and llm == "openai"
    voice_host = "api.eu.elevenlabs.io" if dice.random() < 0.4 else "api.us.elevenlabs.io"
    facts = {
        "channel": _CHANNELS[dice.randrange(len(_CHANNELS))],
        "stt": "deepgram",
        "llm": llm,
        "tts": "elevenlabs",
        "stt_model": "flux-general-en",
        "llm_model": model,
        "tts_model": "eleven_flash_v2_5",
    }
    is_greeting = number == 1
    marks = _greeting(draw) if is_greeting else _marks(draw, model_ms * (2.6 if is_slow else 1.0))
    is_cold = draw.random() < (0.05 if number == 2 else 0.004)
    is_interrupted = draw.random() < 0.1
    has_failed = draw.random() < 0.006
    setbacks = _setbacks(draw, llm, has_failed=has_failed, is_slow=is_slow)
    drafts = () if is_greeting else _drafts(draw, marks)
    dropped = sum("fits" not in draft.outcome for draft in drafts)
    heard_share = draw.uniform(0.2, 0.9) if is_interrupted else 1.0
    if has_failed:
        marks = {mark: at for mark, at in marks.items() if mark not in (Mark.AUDIO_SENT, Mark.AUDIO_PLAYED)}
    status = TurnStatus.COMPLETED
    if has_failed or is_interrupted:
        status = TurnStatus.FAILED if has_failed else TurnStatus.INTERRUPTED
    underruns = int(draw.random() < 0.008)
    turn = ReportedTurn(
        number=number,
        call=call,
        at_s=at_s,
        marks_ms=marks,
        status=status,
        playout=PlayoutTruth.REPORTED,
        notes=_notes(drafts),
        passages=0 if is_greeting else draw.choice([0, 2, 4]),
        drafts_begun=len(drafts),
        drafts_dropped=dropped,
        setbacks=setbacks,
        drafts=drafts,
        debounce_ms=160,
        lines=_lines(draw, (llm, host), (facts["tts"], voice_host), is_cold=is_cold),
        underruns=underruns,
        underrun_ms=underruns * draw.uniform(40, 300),
        heard_share=None if has_failed else round(heard_share, 3),
        loop_lag_ms=round(draw.expovariate(1), 2),
        collector_ms=round(draw.expovariate(2), 2),
        facts=facts,
    )
    user, reply = ("", "Hello, this is the library.") if is_greeting else _SAID[number % len(_SAID)]
    texts = TurnTexts(user, reply, reply[: round(len(reply) * heard_share)])
    return ArrivedTurn(turn, at_s + 6, texts)


def _greeting(draw: random.Random) -> dict[Mark, float]:
    sent_ms = draw.uniform(0.2, 2)
    return {
        Mark.RINGING: -900.0,
        Mark.ANSWERED: 0.0,
        Mark.TURN_COMMITTED: 0.0,
        Mark.AUDIO_SENT: sent_ms,
        Mark.AUDIO_PLAYED: sent_ms + draw.uniform(10, 40),
    }


def _marks(draw: random.Random, model_ms: float) -> dict[Mark, float]:
    final_ms = draw.uniform(180, 420)
    over_ms = max(final_ms, draw.gauss(540, 90))
    asked_ms = draw.uniform(0.6, 0.95) * over_ms if draw.random() < 0.6 else over_ms + draw.uniform(0.3, 2)
    found_ms = asked_ms - draw.uniform(1, 40)
    text_ms = asked_ms + model_ms * draw.lognormvariate(0, 0.35)
    clause_ms = text_ms + draw.uniform(10, 60)
    spoken_ms = clause_ms + 2 + 125 * draw.lognormvariate(0, 0.3)
    sent_ms = max(spoken_ms, over_ms) + draw.uniform(0.1, 1)
    played_ms = sent_ms + draw.uniform(20, 90)
    return {
        Mark.SPEECH_STARTED: -draw.uniform(900, 3_500),
        Mark.SPEECH_ENDED: 0.0,
        Mark.TRANSCRIPT_FINAL: final_ms,
        Mark.SILENCE_REACHED: over_ms,
        Mark.TURN_COMMITTED: over_ms,
        Mark.RETRIEVAL_STARTED: found_ms - draw.uniform(5, 60),
        Mark.RETRIEVAL_DONE: found_ms,
        Mark.LLM_STARTED: asked_ms,
        Mark.LLM_FIRST_TEXT: text_ms,
        Mark.FIRST_CLAUSE: clause_ms,
        Mark.TTS_STARTED: clause_ms + 1,
        Mark.TTS_FIRST_AUDIO: spoken_ms,
        Mark.AUDIO_SENT: sent_ms,
        Mark.AUDIO_PLAYED: played_ms,
        Mark.LLM_DONE: text_ms + draw.uniform(300, 1_500),
        Mark.TTS_DONE: spoken_ms + draw.uniform(600, 2_500),
        Mark.PLAYOUT_DONE: played_ms + draw.uniform(1_500, 7_000),
    }


def _drafts(draw: random.Random, marks: dict[Mark, float]) -> tuple[ReportedDraft, ...]:
    made = []
    if draw.random() < 0.42:
        begun_ms = marks[Mark.SPEECH_STARTED] * draw.uniform(0.2, 0.6)
        made.append(
            ReportedDraft(
                "partial",
                draw.choice(["the user went on", "the turn was committed with other words"]),
                begun_ms,
                begun_ms + draw.uniform(80, 400),
                draw.randrange(100, 420),
                draw.randrange(0, 30),
                draw.randrange(0, 60),
            )
        )
    if marks[Mark.LLM_STARTED] < marks[Mark.TURN_COMMITTED]:
        outcome = "the turn was committed, and it fits"
        made.append(ReportedDraft("final", outcome, marks[Mark.LLM_STARTED], marks[Mark.TURN_COMMITTED]))
    return tuple(made)


def _notes(drafts: tuple[ReportedDraft, ...]) -> tuple[ReportedNote, ...]:
    notes = []
    for draft in drafts:
        kind = "draft_adopted" if "fits" in draft.outcome else "draft_dropped"
        notes += [
            ReportedNote("draft_begun", draft.begun_ms, f"on a {draft.trigger}"),
            ReportedNote(kind, draft.ended_ms, draft.outcome),
        ]
    return tuple(sorted(notes, key=lambda note: note.at_ms))


def _setbacks(
    draw: random.Random, llm: str, *, has_failed: bool, is_slow: bool
) -> tuple[ReportedSetback, ...]:
    if has_failed:
        return (ReportedSetback("llm", llm, "unavailable", "none", lost_ms=900),)
    if draw.random() < (0.3 if is_slow else 0.02):
        other = "anthropic" if llm == "openai" else "openai"
        return (ReportedSetback("llm", llm, "late", "hedge", other, 450),)
    return ()


def _lines(
    draw: random.Random, model: tuple[str, str], voice: tuple[str, str], *, is_cold: bool
) -> tuple[ReportedLine, ...]:
    waited_ms = draw.uniform(180, 900) if is_cold else draw.uniform(0.02, 0.3)
    age_ms = 0.0 if is_cold else draw.uniform(2_000, 900_000)
    return (
        ReportedLine(model[0], waited_ms, is_cold=is_cold, age_ms=age_ms, region=model[1]),
        ReportedLine(voice[0], 0.1, is_cold=False, age_ms=draw.uniform(5e3, 3e5), region=voice[1]),
    )


def database_at(folder: Path) -> str:
    """Return the URL of a database in a folder."""
    return f"sqlite:///{folder / 'turns.db'}"
