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

    eager_end_ms: float = 0.0
    """Flux: silence after which a client that asked for it is told that the turn may be over; 0: the
    silence that the client's own threshold stands for. Counted in slices of 32 ms, as all silence here;
    `transcript_ms` is not added, and what really recognising takes is, unless `transcript` is set."""

    end_of_turn_ms: float = 0.0
    """Flux: silence after which the turn is over, likewise; never with a threshold of 1."""

    eager_end_confidence: float = 0.0
    """Flux: how sure it is then; the client's threshold if that is more."""

    end_of_turn_confidence: float = 0.8
    """Flux: how sure it is at the end; the client's threshold if that is more."""

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
        changed = msgspec.convert({**msgspec.to_builtins(self), **fields}, type(self))
        for name in self.__struct_fields__:
            setattr(self, name, getattr(changed, name))
