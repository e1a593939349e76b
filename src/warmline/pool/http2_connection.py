"""The protocol library h2 from a client's side, with two of its answers put right."""

from __future__ import annotations

from typing import Final

from h2.config import H2Configuration
from h2.connection import ConnectionInputs, H2Connection, H2ConnectionStateMachine
from h2.errors import ErrorCodes
from h2.events import Event
from h2.settings import SettingCodes, Settings

__all__ = ["MAX_STREAMS", "Http2Connection"]

MAX_STREAMS: Final = 100
"""Streams at once, however many more the far end would take."""

_STREAM_WINDOW_BYTES: Final = 1_048_576
"""Body that may lie unread on a stream before the far end is made to wait."""

_CONNECTION_WINDOW_BYTES: Final = 2 * MAX_STREAMS * _STREAM_WINDOW_BYTES
"""Twice what all streams may hold unread: h2 gives back what was read by halves, so it is never empty."""

_HEADER_BYTES: Final = 65_536

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FRAME_HEADER_BYTES: Final = 9
_RST_STREAM: Final = 3
_STREAM_CLOSED: Final = int(ErrorCodes.STREAM_CLOSED).to_bytes(4, "big")


class _StateMachine(H2ConnectionStateMachine):
    def process_input(self, input_: ConnectionInputs) -> list[Event]:
        if input_ is ConnectionInputs.RECV_GOAWAY:
            return []
        return super().process_input(input_)


class Http2Connection(H2Connection):
    """What to send and what has come, as values; no I/O.

    GOAWAY forbids new streams, and those up to the last one it names go on (RFC 9113, 6.8); h2 by
    itself refuses whatever comes after it. What still comes for a stream that was reset is dropped
    (5.4.2); h2 by itself resets the stream again for each frame, and far ends that count resets
    close the connection over it.
    """

    def __init__(self) -> None:
        super().__init__(H2Configuration(client_side=True))
        self.state_machine = _StateMachine()
        self.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW_BYTES,
                SettingCodes.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
                SettingCodes.MAX_HEADER_LIST_SIZE: _HEADER_BYTES,
            },
        )
        self.initiate_connection()
        self.increment_flow_control_window(_CONNECTION_WINDOW_BYTES - self.inbound_flow_control_window)

    def clear_outbound_data_buffer(self) -> None:
        """Keep it: h2 clears it at a GOAWAY, and windows given back would be lost."""

    def take_outgoing(self) -> bytes:
        """Return what is to be sent, without resets of streams that are closed already."""
        data = self.data_to_send()
        start = len(_PREFACE) if data.startswith(_PREFACE) else 0
        kept = bytearray(data[:start])
        while start < len(data):
            end = start + _FRAME_HEADER_BYTES + int.from_bytes(data[start : start + 3], "big")
            if data[start + 3] != _RST_STREAM or data[end - 4 : end] != _STREAM_CLOSED:
                kept += data[start:end]
            start = end
        return bytes(kept)
