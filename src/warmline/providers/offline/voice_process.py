"""The process in which all sessions' speech is made: `python -m` this.

One thread reads commands, so that a request can be cancelled in the middle of a word; the other
makes one piece of each request in turn, so that a long text holds nobody up.
"""

from __future__ import annotations

import argparse
import queue
import threading
from bisect import bisect_right
from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from warmline.audio.conversion import FormatEncoder
from warmline.core.formats import AudioFormat, Encoding
from warmline.errors import WarmlineError
from warmline.providers.offline.espeak import Espeak, WordEvent
from warmline.providers.offline.pipes import ChildPipes, Frame
from warmline.providers.offline.silence_trim import SilenceTrimmer
from warmline.providers.offline.speakable import Piece, pieces_of, words_of
from warmline.providers.offline.voice_messages import Command, Report, Spoken, decode_request, encode_spoken

PIECES_AHEAD: Final = 2
"""How many pieces of a request are made before the first is used up; bounds what waits in memory."""


class SpeechRequest:
    """One text on its way to audio.

    What changes here: the pieces left, the place in the audio and in the text, in `speak_piece`.
    """

    def __init__(self, number: int, payload: bytes) -> None:
        """Read a `SpeakRequest`.

        Raises:
            ValueError: it is none.
        """
        request = decode_request(payload)
        self.number = number
        self.pieces: deque[Piece] = deque(pieces_of(request.text))
        self.is_cancelled = False
        self.pieces_wanted = PIECES_AHEAD
        self._format = AudioFormat(Encoding(request.encoding), request.rate_hz)
        self._encoder: FormatEncoder | None = None
        self._words = words_of(request.text)
        self._starts = [word.start for word in self._words]
        self._next_word = 0
        self._spoken_samples = 0

    def speak_piece(self, espeak: Espeak, pipes: ChildPipes) -> None:
        """Make the next piece, sending audio as it comes; stops early if cancelled."""
        if self._encoder is None:
            self._encoder = FormatEncoder(espeak.rate_hz, self._format)
        encoder = self._encoder
        piece = self.pieces.popleft()
        trimmer = SilenceTrimmer(espeak.rate_hz)
        piece_start = self._spoken_samples
        waiting: list[WordEvent] = []

        def send(samples: NDArray[np.int16]) -> None:
            self._spoken_samples += len(samples)
            lead = trimmer.dropped_samples
            words = []
            for event in waiting:
                at = piece_start + max(event.at_ms * espeak.rate_hz // 1000 - lead, 0)
                if (word := self._word_at(piece.start + event.character)) is not None:
                    words.append((*word, at * 1000 // espeak.rate_hz))
            waiting.clear()
            if len(samples) or words:
                audio = encoder.convert(samples.tobytes())
                pipes.write(Report.AUDIO, self.number, encode_spoken(Spoken(audio, tuple(words))))

        def on_spoken(samples: NDArray[np.int16], events: list[WordEvent]) -> bool:
            waiting.extend(events)
            ready = trimmer.feed(samples)
            if len(ready):
                send(ready)
            return not self.is_cancelled

        espeak.speak(piece.text, on_spoken)
        if not self.is_cancelled:
            send(trimmer.finish())

    def finish(self, pipes: ChildPipes) -> None:
        """Send what the converter still holds."""
        if self._encoder is not None and (rest := self._encoder.flush()):
            pipes.write(Report.AUDIO, self.number, encode_spoken(Spoken(rest)))

    def _word_at(self, character: int) -> tuple[int, int] | None:
        """Return the span of the word that holds or follows a character; None if it was told before.

        espeak tells of "$42.50" six times, and of some words never.
        """
        index = max(bisect_right(self._starts, character) - 1, 0)
        if index < len(self._words) and self._words[index].end <= character:
            index += 1
        if not self._next_word <= index < len(self._words):
            return None
        self._next_word = index + 1
        return self._words[index].start, self._words[index].end


class VoiceChild:
    """Takes commands from one thread and carries them out in another.

    What changes here: the requests, and only in the thread that calls `run`; a cancellation is a
    flag that the reading thread may set at any time.
    """

    def __init__(self, pipes: ChildPipes, espeak: Espeak) -> None:
        self._pipes = pipes
        self._espeak = espeak
        self._commands: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._requests: dict[int, SpeechRequest] = {}
        self._turns: deque[SpeechRequest] = deque()
        self._problem: Exception | None = None

    def run(self) -> None:
        """Serve until the parent is gone.

        Raises:
            ValueError: the parent sent what is no command.
            RemoteProtocolError: it sent what is no frame.
        """
        threading.Thread(target=self._read_commands, name="commands", daemon=True).start()
        while True:
            while not self._turns or not self._commands.empty():
                frame = self._commands.get()
                if frame is None:
                    if self._problem is not None:
                        raise self._problem
                    return
                self._obey(frame)
            self._serve(self._turns.popleft())

    def _read_commands(self) -> None:
        try:
            for frames in self._pipes.read():
                for frame in frames:
                    request = self._requests.get(frame.number)
                    if frame.kind == Command.CANCEL and request is not None:
                        request.is_cancelled = True
                    self._commands.put(frame)
        except Exception as problem:  # noqa: BLE001 - raised in `run`, where it ends the process
            self._problem = problem
        self._commands.put(None)

    def _obey(self, frame: Frame) -> None:
        command = Command(frame.kind)
        request = self._requests.get(frame.number)
        if command is Command.SPEAK:
            try:
                request = SpeechRequest(frame.number, frame.payload)
            except ValueError as problem:
                self._pipes.write(Report.FAILED, frame.number, str(problem).encode())
                return
            self._requests[frame.number] = request
            self._turns.append(request)
        elif request is None:
            return
        elif command is Command.CANCEL:
            del self._requests[frame.number]
            request.is_cancelled = True
        else:
            request.pieces_wanted += 1
            if request.pieces_wanted == 1:
                self._turns.append(request)

    def _serve(self, request: SpeechRequest) -> None:
        """Make a piece of the request, and put it behind the others if more of it is wanted."""
        if request.is_cancelled:
            return
        try:
            if request.pieces:
                request.speak_piece(self._espeak, self._pipes)
                request.pieces_wanted -= 1
                self._pipes.write(Report.PIECE_DONE, request.number)
            if not request.pieces:
                request.finish(self._pipes)
                self._pipes.write(Report.DONE, request.number)
                self._requests.pop(request.number, None)
                return
        except OSError:
            raise
        except Exception as problem:  # noqa: BLE001 - one text must not end the speech of all sessions
            self._requests.pop(request.number, None)
            self._pipes.write(Report.FAILED, request.number, f"{type(problem).__name__}: {problem}".encode())
            return
        if request.pieces_wanted > 0:
            self._turns.append(request)


def main() -> None:
    """Load, say so, and serve until the parent is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--voice", required=True)
    parser.add_argument("--rate-wpm", type=int, required=True)
    parser.add_argument("--pitch", type=int, required=True)
    arguments = parser.parse_args()
    pipes = ChildPipes()
    try:
        espeak = Espeak(voice=arguments.voice, rate_wpm=arguments.rate_wpm, pitch=arguments.pitch)
    except WarmlineError as problem:
        pipes.write(Report.FAILED, 0, str(problem).encode())
        return
    pipes.write(Report.READY)
    VoiceChild(pipes, espeak).run()


if __name__ == "__main__":
    main()
