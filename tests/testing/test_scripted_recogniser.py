"""The recogniser that tests of agents use: what it hints, and when."""

from __future__ import annotations

import pytest

from warmline.core.formats import PCM_16K
from warmline.interfaces.stt import Transcript, TurnHint, TurnHintKind
from warmline.testing.scripted import ScriptedRecogniser, Utterance

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

Told = Transcript | TurnHint
ROOM = Utterance("a room for two", eager_end_after_s=0.2, end_after_s=0.6, confidence=0.7)


def frames(duration_s: float, sample: bytes) -> list[bytes]:
    return [sample * (PCM_16K.size_bytes(0.02) // 2)] * round(duration_s / 0.02)


@pytest.mark.parametrize("ends_turns", [True, False])
async def test_hints_follow_the_silence_in_the_audio(ends_turns: bool):
    """Two words, a pause that is too short, two more words, and a long pause."""
    told: list[tuple[int, Told]] = []
    position_ms = 0
    recogniser = ScriptedRecogniser([ROOM], ends_turns=ends_turns)
    stream = await recogniser.open(
        lambda transcript: told.append((position_ms, transcript)),
        lambda error: pytest.fail(str(error)),
        on_hint=lambda hint: told.append((position_ms, hint)),
    )
    assert stream.ends_turns is ends_turns
    stream.begin_utterance(1)
    for sample, duration_s in ((b"\1\0", 0.6), (b"\0\0", 0.4), (b"\1\0", 0.6), (b"\0\0", 1.0)):
        for frame in frames(duration_s, sample):
            position_ms += 20
            stream.push(frame)
    assert [(at, each) for at, each in told if isinstance(each, TurnHint)] == [
        (800, TurnHint(TurnHintKind.EAGER_END, 1, "a room", 0.7)),
        (1020, TurnHint(TurnHintKind.RESUMED, 1, "a room")),
        (1800, TurnHint(TurnHintKind.EAGER_END, 1, "a room for two", 0.7)),
        (2200, TurnHint(TurnHintKind.END, 1, "a room for two", 0.7)),
    ]
    assert (2200, Transcript(1, "a room for two", is_final=ends_turns)) == told[-2]
    await stream.aclose()
