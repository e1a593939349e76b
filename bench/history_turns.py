"""Turns such as a server holds, drawn from a seed, as many as are wanted."""

from __future__ import annotations

import random
from collections.abc import Iterator

from warmline.reporting.turn import ReportedDraft, ReportedLine, ReportedNote, ReportedSetback, ReportedTurn
from warmline.store.turn_keeping import ArrivedTurn
from warmline.timeline.marks import Mark
from warmline.timeline.report import PlayoutTruth, TurnStatus

__all__ = ["DAYS", "FROM_S", "arrived_turns"]

FROM_S = 1_795_219_200.0
"""2026-11-21 00:00:00 UTC."""

DAYS = 30

_TURNS_A_CALL = 8
_FACTS = [
    {"channel": channel, "stt": "deepgram", "stt_model": "flux-general-en", **model}
    for channel in ("browser", "telephone")
    for model in (
        {"llm": "openai", "llm_model": "gpt-5.4-mini", "tts": "elevenlabs", "tts_model": "speed"},
        {"llm": "anthropic", "llm_model": "claude-haiku-4-5", "tts": "elevenlabs", "tts_model": "speed"},
        {"llm": "openai", "llm_model": "gpt-5.4-mini", "tts": "openai"},
    )
]
"""Six configurations, as where some are being compared."""

_STATUSES = [TurnStatus.COMPLETED] * 17 + [TurnStatus.INTERRUPTED] * 2 + [TurnStatus.FAILED]


def arrived_turns(count: int, seed: int = 1) -> Iterator[ArrivedTurn]:
    """Yield turns in the order of time, spread over `DAYS`; each call is of one configuration."""
    draw = random.Random(seed)
    for number in range(count):
        call, of_call = divmod(number, _TURNS_A_CALL)
        at_s = round(FROM_S + DAYS * 86_400 * number / count, 6)
        facts = _FACTS[call % len(_FACTS)]
        turn = _turn(draw, f"sess_{seed:02x}{call:022x}", of_call + 1, at_s, facts)
        yield ArrivedTurn(turn, at_s + 8.0)


def _turn(draw: random.Random, call: str, number: int, at_s: float, facts: dict[str, str]) -> ReportedTurn:
    def took(median_ms: float) -> float:
        return draw.lognormvariate(0.0, 0.4) * median_ms

    over_ms = took(420)
    begun_ms = over_ms - took(120)
    asked_ms = begun_ms + took(1)
    text_ms = asked_ms + took(300)
    clause_ms = text_ms + took(40)
    voice_ms = clause_ms + took(130)
    sent_ms = max(voice_ms, over_ms)
    marks_ms = {
        Mark.SPEECH_STARTED: -took(2_200),
        Mark.SPEECH_ENDED: 0.0,
        Mark.DRAFT_BEGUN: begun_ms,
        Mark.TRANSCRIPT_FINAL: over_ms - took(20),
        Mark.SILENCE_REACHED: over_ms,
        Mark.TURN_COMMITTED: over_ms,
        Mark.RETRIEVAL_STARTED: -took(600),
        Mark.RETRIEVAL_DONE: -took(300),
        Mark.LLM_STARTED: asked_ms,
        Mark.LLM_FIRST_TEXT: text_ms,
        Mark.FIRST_CLAUSE: clause_ms,
        Mark.TTS_STARTED: clause_ms + took(0.2),
        Mark.TTS_FIRST_AUDIO: voice_ms,
        Mark.AUDIO_SENT: sent_ms,
        Mark.AUDIO_PLAYED: sent_ms + took(35),
        Mark.LLM_DONE: text_ms + took(900),
        Mark.TTS_DONE: voice_ms + took(1_200),
        Mark.PLAYOUT_DONE: sent_ms + took(4_500),
    }
    drafts = [ReportedDraft("final", "adopted", round(begun_ms, 3), round(over_ms, 3))]
    if draw.random() < 0.4:
        drafts.insert(0, ReportedDraft("final", "user_went_on", -900.0, -420.5, 812, 14, 58))
    setbacks = (ReportedSetback("tts", "elevenlabs", "late", "retry", "elevenlabs", 742.1),)
    return ReportedTurn(
        number=number,
        call=call,
        at_s=at_s,
        marks_ms={mark: round(ms, 3) for mark, ms in marks_ms.items()},
        status=draw.choice(_STATUSES),
        playout=PlayoutTruth.REPORTED,
        notes=(
            ReportedNote("draft_begun", round(begun_ms, 3), "a final, and 200 ms of silence"),
            ReportedNote("draft_adopted", round(over_ms, 3), "the words still fit"),
        ),
        passages=draw.choice([None, 2, 4]),
        drafts_begun=len(drafts),
        drafts_dropped=len(drafts) - 1,
        setbacks=setbacks if draw.random() < 0.02 else (),
        drafts=tuple(drafts),
        debounce_ms=200,
        lines=(
            ReportedLine("llm", 0.021, draw.random() < 0.01, 41_250.5, "api.openai.com"),
            ReportedLine("tts", 0.018, False, 12_004.25, "api.elevenlabs.io"),
        ),
        heard_share=1.0,
        loop_lag_ms=round(took(0.4), 3),
        facts=facts,
    )
