"""How fast the simulated providers are, and what they say."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Script", "ScriptedCall"]


class ScriptedCall(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A tool that the language model calls, where the request offers it."""

    name: str
    arguments: dict[str, Any] | str = {}
    """A text is sent as it is, for arguments that are malformed."""

    when: str = ""
    """What the user has to have said, as a part of it in any case; empty: anything."""

    say: str = ""
    """What the model says before it calls."""


class Script(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One provider's delays and words; may be changed while it runs.

    The delays are the providers' own, without the network: medians that they publish or that
    independent measurements found. A network profile adds the way there and back.
    """

    key: str = ""
    """The only key that is accepted; any that is not empty if this is empty."""

    first_token_ms: float = 180.0
    """From a request to the first token of a language model."""

    token_ms: float = 12.0
    """From one token to the next: about 80 a second."""

    reply: str = ""
    """What the language model answers; with `{question}` for what was asked, and `{result}` for what
    tools answered. Empty: its own words."""

    tool_calls: tuple[ScriptedCall, ...] = ()
    """What it calls before it answers: all that fit, at once."""

    speech_ms: float = 75.0
    """From text to the first audio: ElevenLabs's figure for its flash models."""

    speech_speed: float = 20.0
    """How many times faster than real time speech is made."""

    transcript_ms: float = 60.0
    """From the end of an utterance to its transcript, beyond what recognising itself takes."""

    transcript: str = ""
    """What every utterance is recognised as; empty: it is really recognised."""

    voices: tuple[str, ...] = ("21m00Tcm4TlvDq8ikWAM",)
    """The voices that exist."""

    models: tuple[str, ...] = ()
    """The models that exist; empty: any name that the provider is known to have."""

    concurrency: int = 0
    """How many requests or streams at once before 429; 0 for any number."""

    idle_s: float = 0.0
    """The socket's idle limit, where it is not to be the provider's own."""

    chunk_bytes: int = 0
    """Bytes of audio in each piece of an answer; 0: as the provider does. An odd number cuts samples."""

    def update(self, fields: dict[str, object]) -> None:
        """Change some fields.

        Raises:
            msgspec.ValidationError: there is no such field, or the value does not fit.
        """
        changed = msgspec.convert({**msgspec.to_builtins(self), **fields}, Script)
        for name in self.__struct_fields__:
            setattr(self, name, getattr(changed, name))
