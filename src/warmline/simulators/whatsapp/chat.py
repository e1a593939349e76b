"""One person's chat with the business: all that was sent either way."""

from __future__ import annotations

import anyio

from warmline.simulators.whatsapp.people import Person
from warmline.simulators.whatsapp.report import ReceivedMessage, SentMessage

__all__ = ["Chat"]

_TYPING_S = 25.0
"""For how long somebody is shown to be writing, unless they send something."""


class Chat:
    """What a person's phone shows.

    What changes here: what was sent and received, and who is writing; `changed` is set then, and renewed.
    """

    def __init__(self, person: Person) -> None:
        self.person = person
        self.urls: tuple[str, ...] = ()
        """The server that is told of this person; empty: those that are told of everybody."""

        self.sent: list[SentMessage] = []
        self.received: list[ReceivedMessage] = []
        self.changed = anyio.Event()
        self.changed_at_s = 0.0
        """When something came, or somebody was shown to be writing."""

        self.typing_until_s = 0.0
        """Until when somebody is shown to be writing."""

    def receive(self, message: ReceivedMessage) -> None:
        """Show something that came."""
        self.received.append(message)
        self.typing_until_s = 0.0
        self._change(message.at_s)

    def mark_read(self, message: SentMessage, now_s: float, *, shows_typing: bool) -> None:
        """Show that something was read, and perhaps that somebody is writing."""
        if message.read_at_s is None:
            message.read_at_s = now_s
        if shows_typing:
            if message.typing_at_s is None:
                message.typing_at_s = now_s
            self.typing_until_s = now_s + _TYPING_S
        self._change(now_s)

    @property
    def last_wrote_at_s(self) -> float | None:
        """When the person last sent something; None if they never did."""
        return self.sent[-1].at_s if self.sent else None

    def _change(self, now_s: float) -> None:
        self.changed_at_s = now_s
        self.changed.set()
        self.changed = anyio.Event()
