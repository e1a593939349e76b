"""Turns to be kept, as tests of the store need them."""

import random

from warmline.reporting.turn import ReportedDraft, ReportedLine, ReportedNote, ReportedSetback, ReportedTurn
from warmline.store.turn_keeping import ArrivedTurn
from warmline.timeline.marks import Mark
from warmline.timeline.report import PlayoutTruth, TurnStatus

NOON_S = 1_795_262_400.0
"""2026-11-21 12:00:00 UTC."""

FACTS = {
    "channel": "browser",
    "stt": "deepgram",
    "llm": "openai",
    "tts": "elevenlabs",
    "llm_model": "gpt-5.4-mini",
}


def turn(number=1, *, call="sess_1", at_s=NOON_S, response_ms=800.0, marks_ms=None, **fields):
    """Return a turn that was asked and answered, with everything about it that can be kept."""
    marks_ms = marks_ms or {
        Mark.SPEECH_STARTED: -1_500.0,
        Mark.SPEECH_ENDED: 0.0,
        Mark.SILENCE_REACHED: 0.4 * response_ms,
        Mark.TRANSCRIPT_FINAL: 0.3 * response_ms,
        Mark.TURN_COMMITTED: 0.4 * response_ms,
        Mark.RETRIEVAL_STARTED: -700.0,
        Mark.RETRIEVAL_DONE: -650.0,
        Mark.LLM_STARTED: 0.41 * response_ms,
        Mark.LLM_FIRST_TEXT: 0.7 * response_ms,
        Mark.FIRST_CLAUSE: 0.72 * response_ms,
        Mark.TTS_STARTED: 0.72 * response_ms,
        Mark.TTS_FIRST_AUDIO: 0.95 * response_ms,
        Mark.AUDIO_SENT: 0.95 * response_ms,
        Mark.AUDIO_PLAYED: response_ms,
        Mark.PLAYOUT_DONE: response_ms + 3_000.0,
    }
    told = {
        "status": TurnStatus.COMPLETED,
        "playout": PlayoutTruth.REPORTED,
        "notes": (ReportedNote("line_cold", 10.0, "openai"),),
        "passages": 3,
        "drafts_begun": 2,
        "drafts_dropped": 1,
        "drafts": (
            ReportedDraft("final", "user_went_on", -300.0, -100.0, 900, 12, 40),
            ReportedDraft("final", "adopted", 10.0, 0.4 * response_ms),
        ),
        "setbacks": (ReportedSetback("tts", "elevenlabs", "late", "retry", "elevenlabs", 120.0),),
        "debounce_ms": 200,
        "lines": (ReportedLine("openai", 12.5, True, 30.0, "api.openai.com"),),
        "underruns": 1,
        "underrun_ms": 35.5,
        "heard_share": 0.75,
        "loop_lag_ms": 1.25,
        "collector_ms": 0.5,
        "facts": FACTS,
    }
    return ReportedTurn(number, call, at_s, marks_ms, **{**told, **fields})


def greeting(number=1, **fields):
    """Return a turn for which nobody asked."""
    marks_ms = {Mark.ANSWERED: 0.0, Mark.TURN_COMMITTED: 0.0, Mark.AUDIO_SENT: 20.0, Mark.AUDIO_PLAYED: 60.0}
    return turn(number, marks_ms=marks_ms, passages=None, **fields)


def arrived(told, **fields):
    """Return a turn as it is given to be kept."""
    at_s = NOON_S if told.at_s is None else told.at_s
    return ArrivedTurn(told, **{"arrived_s": at_s + 5.0, **fields})


def many(count, *, from_s=NOON_S, every_s=7.0, seed=1):
    """Return turns of several channels and models, one after another, with all sorts of response times."""
    draw = random.Random(seed)
    return [
        arrived(
            turn(
                number % 10 + 1,
                call=f"sess_{number // 10:04}",
                at_s=from_s + number * every_s,
                response_ms=draw.lognormvariate(6.7, 0.5),
                status=draw.choice(list(TurnStatus)[1:]),
                facts={
                    **FACTS,
                    "channel": draw.choice(["browser", "telephone"]),
                    "llm": draw.choice(["openai", "anthropic"]),
                },
            )
        )
        for number in range(count)
    ]
