"""Turns that are over, as the tests of what watches them need them."""

from typing import Any

from warmline.reporting.turn import ReportedTurn
from warmline.server.observability.observer import KeptTurn
from warmline.timeline.marks import Mark
from warmline.timeline.report import PlayoutTruth, TurnStatus

FACTS = {
    "channel": "browser",
    "stt": "deepgram",
    "stt_model": "nova-3",
    "llm": "openai",
    "llm_model": "gpt-5.4-mini",
    "tts": "elevenlabs",
    "tts_model": "flash",
}

MARKS = {
    Mark.SPEECH_STARTED: -1_500.0,
    Mark.SPEECH_ENDED: 0.0,
    Mark.SILENCE_REACHED: 500.0,
    Mark.TRANSCRIPT_FINAL: 300.0,
    Mark.TURN_COMMITTED: 500.0,
    Mark.RETRIEVAL_STARTED: 310.0,
    Mark.RETRIEVAL_DONE: 400.0,
    Mark.LLM_STARTED: 510.0,
    Mark.LLM_FIRST_TEXT: 760.0,
    Mark.FIRST_CLAUSE: 800.0,
    Mark.TTS_STARTED: 801.0,
    Mark.TTS_FIRST_AUDIO: 921.0,
    Mark.AUDIO_SENT: 922.0,
    Mark.AUDIO_PLAYED: 930.0,
    Mark.LLM_DONE: 1_500.0,
    Mark.TTS_DONE: 1_900.0,
    Mark.PLAYOUT_DONE: 4_000.0,
}


def turn(marks: dict[Mark, float] | None = None, **fields: Any) -> ReportedTurn:
    """Return a turn as it should be, with what is given instead."""
    given: dict[str, Any] = {
        "number": 1,
        "call": "sess_1",
        "at_s": 1_795_250_000.0,
        "marks_ms": {**MARKS, **(marks or {})},
        "status": TurnStatus.COMPLETED,
        "playout": PlayoutTruth.REPORTED,
        "passages": 2,
        "facts": FACTS,
    }
    return ReportedTurn(**{**given, **fields})


def kept(reported: ReportedTurn | None = None, **fields: Any) -> KeptTurn:
    """Return a turn as a sink is given it; what was said is in it."""
    said = {"user_text": "canary one", "reply_text": "canary two three", "heard_text": "canary two"}
    return KeptTurn(reported or turn(), **{**said, **fields})
