"""Texts of whole recordings by OpenAI, on warm lines."""

from __future__ import annotations

from typing import Final

from warmline.core.ids import new_id
from warmline.errors import RemoteProtocolError
from warmline.pool.endpoint import HttpEndpoint
from warmline.providers.openai.asking import asked
from warmline.providers.openai.failures import garbled
from warmline.providers.openai.transcriptions_protocol import (
    TranscriptionSettings,
    transcript,
    transcription_request,
)

__all__ = ["OpenAiTranscriptions"]

_FIRST_RESULT_S: Final = 120.0
"""For the upload and the whole of the work."""


class OpenAiTranscriptions:
    """A `Transcriber`; keeps nothing between requests."""

    def __init__(self, endpoint: HttpEndpoint, settings: TranscriptionSettings) -> None:
        """Prepare.

        Args:
            endpoint: Its lines, whose headers carry the key.
            settings: What every request carries.
        """
        self._endpoint = endpoint
        self._settings = settings

    async def transcribe(self, recording: bytes, name: str, language: str = "") -> str:
        """Return what is said.

        Args:
            recording: A file's content.
            name: The file's; its ending tells the format.
            language: ISO 639-1, such as `de`; empty lets the model find out.

        Raises:
            InputError: the recording is empty, or larger than 25 MiB.
            ProviderUnavailable: no line, no answer, or one that was cut.
            ProviderRejected: the key, the model or the quota is wrong, or the file is no recording.
        """
        model = self._settings.model
        request = transcription_request(
            recording, name, language, self._settings, boundary=new_id("warmline")
        )
        async with asked(self._endpoint, request, model=model, first_result_s=_FIRST_RESULT_S) as response:
            body = await response.read()
        try:
            return transcript(body)
        except RemoteProtocolError as error:
            request_id = response.headers.get("x-request-id", "")
            raise garbled(error, model=model, request_id=request_id) from error
