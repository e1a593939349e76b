"""How much of a reply was heard."""

import pytest

from warmline.audio.playout import Playout

pytestmark = pytest.mark.unit


def test_playing_is_reckoned_from_the_first_audio_until_somebody_reports():
    """A far end that never reports is taken to play in real time."""
    playout = Playout()
    assert playout.heard_s(9.0) == 0
    playout.sent(2.0, now_s=10.0)
    assert playout.heard_s(10.5) == pytest.approx(0.5)
    assert playout.lead_s(10.5) == pytest.approx(1.5)
    assert playout.heard_s(99.0) == 2.0


def test_an_underrun_is_not_heard():
    """While there was nothing to play, nothing was played."""
    playout = Playout()
    playout.sent(1.0, now_s=0.0)
    playout.sent(1.0, now_s=5.0)  # four seconds of silence before it
    assert playout.heard_s(5.25) == pytest.approx(1.25)


def test_a_report_moves_the_reckoning():
    """The far end knows better."""
    playout = Playout()
    playout.sent(3.0, now_s=0.0)
    playout.started(now_s=0.2)
    assert playout.heard_s(0.2) == 0
    playout.progressed(0.5, now_s=1.0)  # it plays slowly
    assert playout.heard_s(1.5) == pytest.approx(1.0)


@pytest.mark.parametrize(("said", "believed"), [(99.0, 3.0), (-1.0, 0.0)])
def test_a_report_beyond_what_was_sent_counts_as_all_of_it(said, believed):
    """Nonsense from the far end does not reach the context."""
    playout = Playout()
    playout.sent(3.0, now_s=0.0)
    playout.progressed(said, now_s=1.0)
    assert playout.heard_s(1.0) == believed


def test_nothing_is_heard_while_the_channel_plays_what_it_was_sent_before():
    """Until the far end says otherwise."""
    playout = Playout()
    playout.follows(12.0)
    playout.sent(1.0, now_s=10.0)
    playout.sent(1.0, now_s=11.0)
    assert playout.heard_s(11.9) == 0
    assert playout.heard_s(12.5) == pytest.approx(0.5)
    playout.started(now_s=12.5)
    playout.sent(1.0, now_s=13.0)
    assert playout.heard_s(13.5) == pytest.approx(1.0)


def test_what_was_sent_ends_after_what_the_channel_had_before():
    """Two replies may be left playing, one behind the other."""
    playout = Playout()
    assert playout.until_s(10.0) == 10.0
    playout.follows(12.0)
    playout.sent(1.0, now_s=10.0)
    assert playout.until_s(10.5) == pytest.approx(13.0)
    assert playout.until_s(12.5) == pytest.approx(13.0)
    assert playout.until_s(20.0) == pytest.approx(20.0)
