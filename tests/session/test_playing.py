"""What a reply's sound leaves behind when the reply is over."""

import pytest

from warmline.core.formats import PCM_24K
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
