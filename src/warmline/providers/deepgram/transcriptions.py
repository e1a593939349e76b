"""Texts of whole recordings by Deepgram, on warm lines."""

from __future__ import annotations

from typing import Final

from warmline.core.line_use import OnLine
from warmline.errors import PoolError, ProviderUnavailable, RemoteProtocolError
from warmline.pool.endpoint import HttpEndpoint
from warmline.providers.deepgram.failures import PROVIDER, failure, pool_failure
from warmline.providers.deepgram.protocol import PROJECTS
from warmline.providers.deepgram.transcriptions_protocol import (
    TranscriptionSettings,
    transcript,
    transcription_request,
)

__all__ = ["DeepgramTranscriptions"]

_FIRST_RESULT_S: Final = 120.0
"""For the upload and the whole of the work."""

_METADATA_S: Final = 10.0


class DeepgramTranscriptions:
    """A `Transcriber`; keeps nothing between requests."""

    def __init__(self, endpoint: HttpEndpoint, settings: TranscriptionSettings) -> None:
        """Prepare.

        Args:
            endpoint: Its lines, whose headers carry the key.
            settings: What every recording is asked for with.
        """
        self._endpoint = endpoint
        self._settings = settings

    async def transcribe(self, recording: bytes, name: str, language: str = "") -> str:
        """Return what is said.

        Args:
            recording: A file's content, in any container, such as a voice note's Ogg.
            name: The file's, for people.
            language: ISO 639-1, such as `de`; empty for that of the settings.

        Raises:
            InputError: the recording is empty, or larger than 2 GB.
            ProviderUnavailable: no line, no answer, or one that was cut.
            ProviderRejected: the key, the model or the quota is wrong, or the file is no recording.
        """
        request = transcription_request(recording, name, language, self._settings)
        try:
            async with self._endpoint.request(request, first_result_s=_FIRST_RESULT_S) as response:
                body = await response.read()
                if response.status != 200:
                    raise failure(response.status, response.headers, body)
        except PoolError as error:
            raise pool_failure(error, phase="first_result") from error
        try:
            return transcript(body)
        except RemoteProtocolError as error:
            raise ProviderUnavailable(
                f"listening by Deepgram: it sent {error}",
                provider=PROVIDER,
                phase="first_result",
                request_id=response.headers.get("dg-request-id", ""),
            ) from error

    async def check_key(self, on_line: OnLine | None = None) -> None:
        """Ask for the key's projects: it costs nothing, and a wrong key shows before anybody speaks.

        Args:
            on_line: Told of the line.

        Raises:
            ProviderError: they could not be had.
        """
        try:
            asking = self._endpoint.request(PROJECTS, first_result_s=_METADATA_S, on_line=on_line)
            async with asking as response:
                body = await response.read()
                if response.status != 200:
                    raise failure(response.status, response.headers, body, phase="connect")
        except PoolError as error:
            raise pool_failure(error, phase="connect") from error
