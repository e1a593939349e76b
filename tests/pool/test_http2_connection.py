"""What h2 would do by itself, and must not."""

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, StreamEnded, StreamReset
from hyperframe.frame import GoAwayFrame

from warmline.pool import http2_connection
from warmline.pool.http2_connection import Http2Connection

pytestmark = pytest.mark.unit

REQUEST = [(":method", "GET"), (":scheme", "https"), (":authority", "far"), (":path", "/")]
PIECE = b"x" * 16_000


@pytest.fixture
def ends(monkeypatch):
    """Return two ends, with a request between them that is being answered; the windows are small."""
    monkeypatch.setattr(http2_connection, "_STREAM_WINDOW_BYTES", 262_144)
    monkeypatch.setattr(http2_connection, "_CONNECTION_WINDOW_BYTES", 1_048_576)
    near, far = Http2Connection(), H2Connection(H2Configuration(client_side=False))
    far.initiate_connection()
    far.receive_data(near.take_outgoing())
    near.receive_data(far.data_to_send())
    near.send_headers(1, REQUEST, end_stream=True)
    far.receive_data(near.take_outgoing())
    far.send_headers(1, [(":status", "200")])
    near.receive_data(far.data_to_send())
    return near, far


def test_what_comes_after_a_reset_is_not_answered_with_more_resets(ends):
    """A far end that counts resets would hang up."""
    near, far = ends
    for _ in range(10):
        far.send_data(1, PIECE)
    near.reset_stream(1, ErrorCodes.CANCEL)
    assert [type(event) for event in far.receive_data(near.take_outgoing())] == [StreamReset]

    assert near.receive_data(far.data_to_send()) == []
    assert near.take_outgoing() == b""


def test_the_window_of_what_comes_after_a_reset_is_given_back(ends):
    """Four times as much is cancelled as the connection's window holds."""
    near, far = ends
    window = near.inbound_flow_control_window
    cancelled = 0
    while cancelled < 4 * window:
        stream_id = near.get_next_available_stream_id()
        near.send_headers(stream_id, REQUEST, end_stream=True)
        far.receive_data(near.take_outgoing())
        far.send_headers(stream_id, [(":status", "200")])
        for _ in range(5):
            far.send_data(stream_id, PIECE)
            cancelled += len(PIECE)
        near.reset_stream(stream_id, ErrorCodes.CANCEL)
        near.receive_data(far.data_to_send())
        far.receive_data(near.take_outgoing())
    assert near.inbound_flow_control_window >= window / 2


def test_streams_go_on_after_a_goodbye_and_nothing_that_was_to_be_sent_is_lost(ends):
    """In one read with it, as they come from a socket."""
    near, far = ends
    far.send_data(1, PIECE)
    far.ping(b"12345678")
    before = far.data_to_send()
    far.send_data(1, PIECE, end_stream=True)
    goodbye = GoAwayFrame(last_stream_id=1).serialize()

    events = near.receive_data(before + goodbye + far.data_to_send())

    assert sum(isinstance(event, DataReceived) for event in events) == 2
    assert isinstance(events[-1], StreamEnded)
    assert b"12345678" in near.take_outgoing()  # the answer to the ping
