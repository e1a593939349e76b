"""Who writes down what is said in a whole recording, as opposed to a call that goes on."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Transcriber"]


class Transcriber(Protocol):
    """A recogniser of recordings; serves many sessions."""

    async def transcribe(self, recording: bytes, name: str, language: str = "") -> str:
        """Return what is said.

        Args:
            recording: A file's content, such as a WAV or OGG.
            name: The file's; its ending tells the format.
            language: ISO 639-1, such as `de`; empty lets the model find out.

        Raises:
            InputError: the recording is empty, or too large.
            ProviderError: it did not answer, or refused.
        """
        ...
