"""Whether somebody may be sent anything but a template. No I/O; the time is an argument."""

from __future__ import annotations

from typing import Final

__all__ = ["MARGIN_S", "WINDOW_S", "is_open"]

WINDOW_S: Final = 24 * 3600
"""From their last message on; longer after some advertisements, which are not told from others here.
https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages"""

MARGIN_S: Final = 60
"""What is sent at the last moment may arrive after it, and clocks differ."""


def is_open(last_user_message_s: float, now_s: float, *, margin_s: float = MARGIN_S) -> bool:
    """Return whether a person may be sent what we like.

    Args:
        last_user_message_s: When they last wrote or called, in seconds since 1970; a time to come, by a
            clock that is ahead of ours, counts as now.
        now_s: The wall clock, in seconds since 1970.
        margin_s: How long before its end the window counts as closed.
    """
    return now_s - last_user_message_s < WINDOW_S - margin_s
