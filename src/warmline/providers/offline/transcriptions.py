"""Texts of whole recordings without a key or a network, by the recogniser of this machine."""

from __future__ import annotations

from typing import Final

import anyio
import anyio.to_thread

from warmline.audio.recordings import decode_recording
from warmline.core.formats import PCM_16K
from warmline.errors import ProviderError, ProviderRejected
from warmline.interfaces.stt import SpeechToText, SttStream, Transcript
from warmline.providers.offline.recogniser_line import PROVIDER
from warmline.providers.offline.stretches import stretches

__all__ = ["OfflineTranscriptions"]

_LIMIT_S: Final = 600.0
"""Ten minutes are 19 MB of samples, and two to four minutes of work for one core."""

_LANGUAGE: Final = "en"

_SILENCE: Final = PCM_16K.silence(0.5)
"""Before a stretch, because a line keeps so much from before an utterance, and would hear the end of the last
stretch again; after it, because a last word is known better when it is over."""


class OfflineTranscriptions:
    """A `Transcriber` on top of a recogniser that somebody else runs; keeps nothing between requests.

    Each recording has one of the recogniser's processes for as long as it takes: a fifth to two fifths of
    what it lasts, by how busy the machine is.
    """

    def __init__(self, recogniser: SpeechToText, *, limit_s: float = _LIMIT_S) -> None:
        """Prepare.

        Args:
            recogniser: Running.
            limit_s: What a recording may last.
        """
        self._recogniser = recogniser
        self._limit_s = limit_s

    async def transcribe(self, recording: bytes, name: str, language: str = "") -> str:
        """Return what is said, in lower case and without punctuation, as the recogniser writes.

        Cancelling gives the process back at once.

        Args:
            recording: A file's content, of any format.
            name: The file's, for people.
            language: `en`, or empty, which is taken for it.

        Raises:
            InputError: the recording is empty, is none, or lasts too long.
            ProviderUnavailable: all processes are in use, or this one failed.
            ProviderRejected: the language is none that is recognised here.
        """
        if language.partition("-")[0].lower() not in ("", _LANGUAGE):
            raise ProviderRejected(
                f"transcribing {name}: this machine's recogniser knows English alone, and not {language!r}; "
                'use a service: "deepgram" or "openai" in [providers]',
                provider=PROVIDER,
                phase="connect",
            )
        pcm = await anyio.to_thread.run_sync(
            lambda: decode_recording(recording, name, limit_s=self._limit_s), abandon_on_cancel=True
        )
        heard = _Heard()
        line = await self._recogniser.open(heard.take, heard.fail)
        try:
            texts = [
                await _recognised(line, heard, number, stretch)
                for number, stretch in enumerate(stretches(pcm), 1)
            ]
        finally:
            with anyio.CancelScope(shield=True):
                await line.aclose()
        return " ".join(text for text in texts if text)


class _Heard:
    """What a line says.

    What changes here: the final, and the problem, in the line's callbacks.
    """

    def __init__(self) -> None:
        self.final: Transcript | None = None
        self.problem: ProviderError | None = None
        self.changed = anyio.Event()

    def take(self, transcript: Transcript) -> None:
        if transcript.is_final:
            self.final = transcript
            self.changed.set()

    def fail(self, problem: ProviderError) -> None:
        self.problem = problem
        self.changed.set()


async def _recognised(line: SttStream, heard: _Heard, number: int, pcm: bytes) -> str:
    """Return one stretch's text; the next is sent when it is there, so that no line falls behind.

    Raises:
        ProviderUnavailable: the line failed.
    """
    heard.changed = anyio.Event()
    line.push(_SILENCE)
    line.begin_utterance(number)
    line.push(pcm)
    line.push(_SILENCE)
    line.finish_utterance()
    if heard.problem is None:
        await heard.changed.wait()
    if heard.problem is not None:
        raise heard.problem
    assert heard.final is not None
    return heard.final.text
