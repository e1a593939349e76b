"""What a reply's sound leaves behind when the reply is over."""

import random
from typing import cast

import pytest

from warmline.core.formats import PCM_24K
from warmline.interfaces.channel import Channel
from warmline.session.playing import Playing
from warmline.testing.line import Line
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

SECOND = b"\x01" * PCM_24K.size_bytes(1.0)


def playing(line, lead_s):
    return Playing("resp_1", line, LoopClock(), lead_s=lead_s, held_s=10, on_first_sent=lambda: None)


async def test_sound_that_is_over_is_let_go_and_what_was_cut_off_is_known():
    """A late report of what was heard needs to know that more was to come."""
    line = Line(reports_playout=False)
    sound = playing(line, lead_s=1.0)
    sound.open()
    for _ in range(4):
        sound.add(SECOND, PCM_24K)
    assert sound.kept_s == 4
    sound.close()
    assert sound.kept_s == 0
    assert sound.has_more
    assert sound.playout.sent_s == 1.25  # the lead, and the piece with which it was reached


async def test_a_piece_that_comes_after_the_end_is_not_sent():
    """Its reply was interrupted while it was on its way; the channel was told to be silent."""
    line = Line(reports_playout=False)
    sound = playing(line, lead_s=5.0)
    sound.open()
    sound.add(SECOND, PCM_24K)
    sound.close()
    sound.add(SECOND, PCM_24K)
    assert line.played_bytes == {"resp_1": len(SECOND)}
    assert not sound.has_more


class Tape:
    """A channel that keeps what it is sent, and can be wound back to a sample."""

    def __init__(self):
        self.sound = b""

    def play(self, reply_id, audio):
        self.sound += audio


@pytest.mark.parametrize("seed", range(40))
async def test_however_often_it_is_paused_every_sample_is_sent_once_in_its_place(seed):
    """Pauses come between two samples; what is sent again begins at a sample."""
    draw = random.Random(seed)
    tape = Tape()
    sound = Playing(
        "resp_1", cast("Channel", tape), LoopClock(), lead_s=60, held_s=60, on_first_sent=lambda: None
    )
    whole = b"".join(number.to_bytes(2, "little") for number in range(24_000))
    sound.open()
    at = 0
    while at < len(whole):
        size = 2 * draw.randint(1, 3_000)
        sound.add(whole[at : at + size], PCM_24K)
        at += size
        if draw.random() < 0.5:
            sound.shut()
            sound.rewind(sound.playout.sent_s * draw.random())
            tape.sound = tape.sound[: PCM_24K.size_bytes(sound.playout.sent_s + 1e-6)]
            sound.open()
    assert tape.sound == whole
    assert sound.playout.sent_s == pytest.approx(1.0, abs=1e-5)
