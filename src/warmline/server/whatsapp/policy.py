"""What the operator chose for messages, and what follows from it. No I/O."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from warmline.channels.whatsapp.incoming import IncomingMessage, MessageKind
from warmline.turns.fit import normalised

__all__ = ["ASIDE", "DEAD_S", "PAUSE", "MessagePolicy", "job_id_of", "priority_of", "queue_key"]

PAUSE: Final = "whatsapp"
"""What stands still while the token is no good."""

ASIDE: Final = 900
"""The part of a message that is no answer: an apology, or a template."""

DEAD_S: Final = 60.0
"""A process that has not been seen for so long is taken for dead. If it was not, a message is still not sent
twice: each is claimed before it is sent."""

_EPOCH_S: Final = 1_577_836_800
"""2020: an engine's priorities are whole numbers from 1 to 2**31 - 1."""


@dataclass(frozen=True, slots=True)
class MessagePolicy:
    """How messages are answered."""

    speaks_to_text: bool = False
    """Whether who writes is answered by voice."""

    speaks_to_voice: bool = True
    """Whether who speaks is."""

    apology: str = "I'm sorry, I couldn't answer that. Please try again later."
    """Written where it failed; empty for nothing."""

    not_understood: str = "I'm sorry, I couldn't understand that recording. Could you write it, please?"
    not_readable: str = "I can read text and listen to voice messages. Could you put it that way, please?"
    """Written to pictures and the like."""

    forget_words: tuple[str, ...] = ("forget me",)
    """A message of these words alone deletes what is kept of its sender."""

    forgotten: str = "I have deleted our conversation."
    history: int = 20
    """Messages before that the model is shown."""

    template: str = ""
    """Sent where the window is closed: somebody who is asked to write again. Empty: nothing is."""

    template_language: str = "en_US"

    def speaks_to(self, message: IncomingMessage) -> bool:
        """Return whether a message is answered by voice."""
        return self.speaks_to_voice if message.kind is MessageKind.AUDIO else self.speaks_to_text

    def is_to_forget(self, text: str) -> bool:
        """Return whether a person asks to be forgotten."""
        return normalised(text) in {normalised(words) for words in self.forget_words}


def job_id_of(message: IncomingMessage) -> str:
    """Return the job of a message: the same for every delivery, and nobody's number can be read from it."""
    return f"wa_{_digest(message.phone_number_id, message.id)}"


def queue_key(user_key: str, phone_number_id: str) -> str:
    """Return what the messages of one conversation wait for each other by."""
    return f"wa_{_digest(phone_number_id, user_key)}"


def priority_of(sent_s: int) -> int:
    """Return the place of a message among its sender's: earlier ones first, however they were delivered."""
    return min(max(sent_s - _EPOCH_S, 1), 2**31 - 1)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
