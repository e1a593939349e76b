"""Turns and reports as tests need them."""

from pathlib import Path

from warmline.reporting.pattern_file import load_pattern
from warmline.reporting.period import Period
from warmline.reporting.reading import LineCounts, read_turns
from warmline.reporting.report import made_report
from warmline.reporting.turn import ReportedTurn
from warmline.timeline.marks import Mark

LOGS = Path(__file__).with_name("logs")


def turn(number=1, *, voice_ms=200.0, model_ms=400.0, **fields):
    """Return an answered turn: 500 ms of silence, the model, the voice, 40 ms until it was heard."""
    asked_ms = 502.0
    clause_ms = asked_ms + model_ms
    marks_ms = {
        Mark.SPEECH_STARTED: -1_500.0,
        Mark.SPEECH_ENDED: 0.0,
        Mark.SILENCE_REACHED: 500.0,
        Mark.TRANSCRIPT_FINAL: 330.0,
        Mark.TURN_COMMITTED: 500.0,
        Mark.LLM_STARTED: asked_ms,
        Mark.LLM_FIRST_TEXT: clause_ms,
        Mark.FIRST_CLAUSE: clause_ms,
        Mark.TTS_STARTED: clause_ms,
        Mark.TTS_FIRST_AUDIO: clause_ms + voice_ms,
        Mark.AUDIO_SENT: clause_ms + voice_ms,
        Mark.AUDIO_PLAYED: clause_ms + voice_ms + 40.0,
    }
    return ReportedTurn(number, **{"marks_ms": marks_ms, **fields})


def period(turns, name="now"):
    """Return turns, folded."""
    made = Period(name)
    for each in turns:
        made.add(each)
    return made


def report(turns, before=None, **options):
    """Return the report on turns, against others where there are some."""
    past = None if before is None else period(before, "before")
    return made_report(period(turns), LineCounts(), past, None if past is None else LineCounts(), **options)


def read(text, pattern="seed"):
    """Return the turns in a log's text, and the counts of its lines."""
    counts = LineCounts()
    how = load_pattern(pattern) if isinstance(pattern, str) else pattern
    return list(
        read_turns(text.splitlines(), how, counts),
    ), counts


def read_log(name):
    """Return the turns of one of the logs beside this file, folded, and the counts of its lines."""
    turns, counts = read((LOGS / name).read_text("utf-8"))
    return period(turns, name), counts
