"""A call as a session's channel."""

import anyio
import pytest

from tests.channels.telephone.far_ends import Call, Socket
from warmline.channels.telephone.media import MediaStarted
from warmline.core.formats import PCMA_8K, PCMU_8K
from warmline.errors import RemoteProtocolError
from warmline.interfaces.channel import EndReason, ReplyAudioDone, ReplyResumed, ReplyStarted, SessionEvent

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

MS = 8
"""Bytes of mu-law."""


def says(call, reply_id, duration_ms, *, is_whole=True):
    """Have the session say something, all at once."""
    call.channel.send(ReplyStarted(reply_id, f"item_{reply_id}"))
    call.channel.play(reply_id, b"\x20" * duration_ms * MS)
    if is_whole:
        call.channel.send(ReplyAudioDone(reply_id, duration_ms))


async def test_it_rings_until_the_stream_has_started():
    """Nobody hears anything before."""
    call = Call()
    assert call.channel.is_ringing
    assert (call.channel.input_format, call.channel.output_format) == (PCMU_8K, PCMU_8K)
    call.connects()
    assert call.channel.is_ringing
    assert call.conversation.calls == []
    call.starts("PCMA")
    assert not call.channel.is_ringing
    assert call.conversation.names() == ["answered"]
    assert (call.channel.input_format, call.channel.output_format) == (PCMA_8K, PCMU_8K)


async def test_what_the_session_says_when_it_is_answered_leaves_in_that_call():
    """A greeting that is ready is not late."""
    call = Call()
    call.conversation.on_answered = lambda: says(call, "r1", 40)
    call.answers()
    assert call.socket.kinds() == ["media", "mark", "media", "mark"]


async def test_a_session_that_comes_late_is_told_that_the_call_was_answered():
    """The stream may be there first."""
    call = Call(is_attached=False).answers()
    call.speaks(1)
    call.channel.attach(call.conversation)
    assert call.conversation.names() == ["answered"]


async def test_what_is_said_before_the_stream_is_there_waits_for_it():
    """And is all there then."""
    call = Call()
    says(call, "r1", 300)
    call.connects()
    assert call.socket.sent == []
    call.starts()
    assert call.socket.audio() == b"\x20" * 300 * MS


async def test_what_waited_and_was_stopped_is_never_heard():
    """And nothing has to be cleared."""
    call = Call()
    says(call, "r1", 300)
    call.channel.stop_playout("r1")
    call.answers()
    assert call.socket.sent == []


async def test_audio_reaches_the_session_as_it_came_and_in_order():
    """No byte is decoded on the way."""
    call = Call().answers()
    call.speaks(1, b"\x01" * 160)
    call.speaks(3, b"\x03" * 160)
    call.speaks(2, b"\x02" * 160)
    call.speaks(3, b"\x03" * 160)
    heard = [audio for (audio,) in call.conversation.told("receive_audio")]
    assert heard == [b"\x01" * 160, b"\x02" * 160, b"\x03" * 160]


async def test_audio_without_a_start_goes_nowhere():
    """Its format is not known."""
    call = Call()
    call.connects()
    call.speaks(1)
    assert call.conversation.calls == []


async def test_marks_tell_the_session_what_is_played():
    """The first 20 ms, every 200 ms, and the end."""
    call = Call(plays=True).answers()
    says(call, "r1", 500)
    await anyio.sleep(1)
    assert call.conversation.calls[1:] == [
        (0.02, "playout_started", "r1", pytest.approx(0.0)),
        (0.02, "playout_progressed", "r1", 20),
        (0.22, "playout_progressed", "r1", 220),
        (0.42, "playout_progressed", "r1", 420),
        (0.5, "playout_finished", "r1"),
    ]


async def test_stopping_clears_the_queue_and_tells_what_was_heard():
    """Marks that come back because of it count for nothing."""
    call = Call(plays=True).answers()
    says(call, "r1", 1000)
    await anyio.sleep(0.35)
    call.channel.stop_playout("r1")
    assert call.conversation.told("playout_truncated") == []  # The session is still inside the stop.
    await anyio.sleep(1)
    assert call.socket.kinds()[-1] == "clear"
    assert call.conversation.told("playout_truncated") == [("item_r1", 350)]
    assert call.conversation.told("playout_progressed") == [("r1", 20), ("r1", 220)]
    assert call.conversation.told("playout_finished") == []


async def test_a_reply_that_was_heard_is_not_stopped():
    """There is nothing to clear."""
    call = Call(plays=True).answers()
    says(call, "r1", 100)
    await anyio.sleep(1)
    call.channel.stop_playout("r1")
    await anyio.sleep(0.1)
    assert "clear" not in call.socket.kinds()
    assert call.conversation.told("playout_truncated") == []


async def test_a_reply_goes_on_from_where_it_is_told_to():
    """Its milliseconds go on counting."""
    call = Call(plays=True).answers()
    says(call, "r1", 1000)
    await anyio.sleep(0.35)
    call.channel.stop_playout("r1")
    await anyio.sleep(0.65)
    call.conversation.calls.clear()
    call.channel.send(ReplyResumed("r1", "item_r1", 300, 1000))
    call.channel.play("r1", b"\x20" * 700 * MS)
    await anyio.sleep(1)
    assert call.conversation.calls == [
        (1.02, "playout_started", "r1", pytest.approx(1.0)),
        (1.02, "playout_progressed", "r1", 320),
        (1.22, "playout_progressed", "r1", 520),
        (1.42, "playout_progressed", "r1", 720),
        (1.62, "playout_progressed", "r1", 920),
        (1.7, "playout_finished", "r1"),
    ]


async def test_a_reply_that_goes_on_at_once_is_not_told_to_be_cut():
    """The figure would stop it for good."""
    call = Call(plays=True).answers()
    says(call, "r1", 1000)
    await anyio.sleep(0.35)
    call.channel.stop_playout("r1")
    call.channel.send(ReplyResumed("r1", "item_r1", 300, 1000))
    await anyio.sleep(0.1)
    assert call.conversation.told("playout_truncated") == []


async def test_keys_are_told_as_one_turn():
    """A hash sign ends them, or a while without one."""
    call = Call().answers()
    for digit in "12#":
        call.says("dtmf", dtmf={"digit": digit})
    call.says("dtmf", dtmf={"digit": "7"})
    await anyio.sleep(1.4)
    call.says("dtmf", dtmf={"digit": "8"})
    await anyio.sleep(1.4)
    assert call.conversation.told("receive_text") == [("Keys pressed: 1 2",)]
    await anyio.sleep(0.2)
    assert call.conversation.told("receive_text") == [("Keys pressed: 1 2",), ("Keys pressed: 7 8",)]


async def test_keys_are_forgotten_with_the_call():
    """No timer outlives it."""
    call = Call().answers()
    call.says("dtmf", dtmf={"digit": "7"})
    call.channel.close(EndReason.HUNG_UP)
    await anyio.sleep(5)
    assert call.conversation.told("receive_text") == []


async def test_a_stream_that_stops_ends_the_sound_and_not_the_conversation():
    """The network says by another way whether the call is over, too."""
    call = Call().answers()
    call.speaks(2)
    call.says("stop")
    call.channel.play("r1", b"\x20" * 800)
    assert call.conversation.names() == ["answered", "receive_audio"]
    assert not call.channel.is_streaming
    assert call.socket.sent == []


async def test_a_stream_that_is_replaced_plays_on():
    """The network lost what was in its queue; the session notices nothing."""
    call = Call(plays=True).answers()
    says(call, "r1", 500)
    await anyio.sleep(0.25)
    first, call.socket = call.socket, Socket()
    call.channel.stream_lost()
    first.send = None
    call.connects()
    call.starts()
    assert call.conversation.names().count("answered") == 1
    assert call.conversation.told("hang_up") == []
    assert len(call.socket.audio()) == (500 - 220) * MS


async def test_the_end_of_the_session_closes_the_stream():
    """Who made the channel hangs up."""
    events: list[SessionEvent] = []
    call = Call(on_event=events.append).answers()
    started = ReplyStarted("r1", "item_r1")
    call.channel.send(started)
    call.channel.close(EndReason.GOODBYE)
    call.channel.close(EndReason.FAILED)
    call.channel.play("r1", b"\x20" * 800)
    assert call.socket.closed == (1000, "goodbye")
    assert call.channel.end_reason is EndReason.GOODBYE
    assert call.conversation.told("hang_up") == []
    assert call.socket.sent == []
    assert events == [started]


async def test_what_a_message_says_is_returned():
    """The server wants to know of the stream as well."""
    call = Call()
    call.channel.connect(call.socket)
    assert call.says("unheard_of") is None
    media_format = {"encoding": "PCMU", "sample_rate": 8000, "channels": 1}
    found = call.says("start", stream_id="s", start={"call_control_id": "c", "media_format": media_format})
    assert isinstance(found, MediaStarted)


async def test_a_stream_that_nothing_can_be_made_of_does_not_start():
    """The server may ask for another."""
    call = Call()
    call.connects()
    with pytest.raises(RemoteProtocolError) as caught:
        call.starts("OPUS")
    assert caught.value.code == "unsupported_codec"
    assert call.channel.is_ringing


async def test_a_problem_at_the_far_end_is_in_the_log_and_no_end(caplog):
    """The call goes on."""
    call = Call().answers()
    call.says("error", payload={"code": 100004, "title": "invalid_media"})
    assert [record.message for record in caplog.records] == ["media.refused"]
    assert call.channel.is_streaming


class Sink:
    """Notes what it is asked for."""

    least_lead_s = 4.0

    def __init__(self):
        self.calls = []

    def play(self, audio):
        self.calls.append(("play", len(audio) // MS))

    def mark(self, name, *, is_last):
        self.calls.append(("mark", name, is_last))

    def clear(self):
        self.calls.append(("clear",))

    def close(self, code, reason):
        self.calls.append(("close", reason))


async def test_what_plays_in_place_of_a_stream_is_given_all_that_waits_and_what_comes():
    call = Call()
    says(call, "r1", 40)
    assert call.channel.least_lead_s == 0
    sink = Sink()
    call.channel.play_through(sink)
    assert call.channel.least_lead_s == 4
    assert call.conversation.names() == ["answered"]
    assert sink.calls == [("play", 20), ("mark", "1", False), ("play", 20), ("mark", "2", True)]
    call.channel.mark_reached("1")
    assert [told[0] for told in call.conversation.told("playout_started")] == ["r1"]
    call.channel.stop_playout("r1")
    assert sink.calls[-1] == ("clear",)
    call.channel.close(EndReason.GOODBYE)
    assert sink.calls[-1] == ("close", "goodbye")
    late = Sink()
    call.channel.play_through(late)
    assert late.calls == [("close", "goodbye")]


async def test_a_stream_that_starts_takes_over_and_one_that_only_connects_does_not():
    call = Call()
    sink = Sink()
    call.channel.play_through(sink)
    call.connects()
    says(call, "r1", 40)
    assert [kind for kind, *_ in sink.calls] == ["play", "mark", "play", "mark"]
    assert call.socket.kinds() == []
    call.starts()
    assert sink.calls[-1][0] == "close"
    assert call.socket.kinds() == ["media", "mark", "media", "mark"]
    assert call.channel.least_lead_s == 0


async def test_words_that_the_network_recognised_are_a_turn_when_they_are_final():
    """Others take the floor from an agent that is heard, and from no other."""
    call = Call(holds_back=True)
    call.channel.play_through(Sink())
    call.channel.heard_words("hello", is_final=True)
    assert call.conversation.calls == []  # it is not known yet who answered
    call.channel.let_in()
    call.channel.heard_words("when", is_final=False)
    call.channel.heard_words(" when do you open ", is_final=True)
    call.channel.heard_words(" ", is_final=True)
    assert call.conversation.names() == ["answered", "receive_text"]
    assert call.conversation.told("receive_text") == [("when do you open",)]
    says(call, "r1", 40)
    call.channel.heard_words("and", is_final=False)
    assert call.conversation.names()[-1] == "barge_in"
