"""Speech over plain HTTP: what is used where no socket can be had, and for whole files."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Final

from warmline.core.formats import AudioFormat
from warmline.core.line_use import OnLine
from warmline.errors import PoolError, ProviderUnavailable, RemoteProtocolError
from warmline.interfaces.tts import SpeechChunk
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.http import HttpRequest, HttpResponse
from warmline.providers.elevenlabs.aligned import AlignedSpeech
from warmline.providers.elevenlabs.failures import PROVIDER, failure, pool_failure
from warmline.providers.elevenlabs.protocol import (
    decode_timed,
    output_format,
    speech_request,
    voice_request,
)
from warmline.providers.elevenlabs.settings import SpeechSettings

__all__ = ["ElevenLabsRest"]

_ERROR_BYTES: Final = 65_536
_LINE_BYTES: Final = 16_777_216
_FILE_BYTES: Final = 67_108_864
_METADATA_S: Final = 10.0


class ElevenLabsRest:
    """Speaks one text per request; keeps nothing between them."""

    def __init__(self, endpoint: HttpEndpoint, settings: SpeechSettings) -> None:
        """Prepare.

        Args:
            endpoint: Its lines, whose headers carry the key.
            settings: By whom and how.
        """
        self._endpoint = endpoint
        self._settings = settings

    @asynccontextmanager
    async def synthesise(
        self, text: str, audio_format: AudioFormat, on_line: OnLine | None = None
    ) -> AsyncIterator[AsyncIterator[SpeechChunk]]:
        """Return a stream of a text's audio; its words' places count from this text's beginning.

        Raises:
            ProviderError: from entering or iterating.
        """
        request = speech_request(text, self._settings, output_format(audio_format), is_timed=True)
        async with (
            self._asked(request, "speaking", on_line) as response,
            aclosing(self._chunks(text, audio_format, response)) as chunks,
        ):
            yield chunks

    async def file(self, text: str, format_name: str) -> bytes:
        """Return a text's speech, whole, such as an Ogg file for `opus_48000_32`.

        Raises:
            ProviderError: it could not be had.
        """
        request = speech_request(text, self._settings, format_name, is_timed=False)
        async with self._asked(request, "speaking", None) as response:
            try:
                return await response.read(at_most_bytes=_FILE_BYTES)
            except PoolError as error:
                raise pool_failure(error, what="speaking", phase="stream") from error

    async def check_key(self, on_line: OnLine | None = None) -> None:
        """Ask for the voice: it costs nothing, and a wrong key or voice shows before anybody listens.

        Args:
            on_line: Told of the line.

        Raises:
            ProviderError: it could not be had.
        """
        async with self._asked(voice_request(self._settings), "finding the voice", on_line) as response:
            try:
                await response.read()
            except PoolError as error:
                raise pool_failure(error, what="finding the voice", phase="connect") from error

    @asynccontextmanager
    async def _asked(
        self, request: HttpRequest, what: str, on_line: OnLine | None
    ) -> AsyncIterator[HttpResponse]:
        first_result_s = self._settings.first_audio_s if request.method == "POST" else _METADATA_S
        async with AsyncExitStack() as held:
            try:
                response = await held.enter_async_context(
                    self._endpoint.request(request, first_result_s=first_result_s, on_line=on_line)
                )
            except PoolError as error:
                raise pool_failure(error, what=what, phase="first_result") from error
            if response.status != 200:
                try:
                    body = await response.read(at_most_bytes=_ERROR_BYTES)
                except PoolError:
                    body = b""
                raise failure(response.status, response.headers, body, what=what)
            yield response

    async def _chunks(
        self, text: str, audio_format: AudioFormat, response: HttpResponse
    ) -> AsyncGenerator[SpeechChunk, None]:
        speech = AlignedSpeech(audio_format)
        speech.given(text)
        rest = bytearray()
        request_id = response.headers.get("request-id", "")
        try:
            async for piece in response.chunks():
                rest += piece
                *lines, last = bytes(rest).split(b"\n")
                rest = bytearray(last)
                if len(rest) > _LINE_BYTES:
                    raise RemoteProtocolError("a line larger than 16 MiB", code="line_too_large")
                for line in filter(None, lines):
                    message = decode_timed(line)
                    chunk = speech.take(message.audio, message.alignment)
                    if chunk.audio or chunk.words:
                        yield chunk
        except PoolError as error:
            raise pool_failure(error, what="speaking", phase="stream") from error
        except RemoteProtocolError as error:
            raise ProviderUnavailable(
                f"speaking by ElevenLabs: it sent {error}",
                provider=PROVIDER,
                phase="stream",
                request_id=request_id,
            ) from error
