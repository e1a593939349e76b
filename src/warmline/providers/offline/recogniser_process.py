"""The process in which one session's speech is recognised: `python -m` this.

PocketSphinx holds Python's global lock while it decodes, so that in the server's process it would
stop every session for as long.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from pathlib import Path
from typing import Final

import pocketsphinx

from warmline.audio.bandwidth import BandwidthDetector
from warmline.providers.offline.phrases import (
    phrase_lines,
    read_dictionary,
    write_dictionary,
    write_language_model,
)
from warmline.providers.offline.pipes import ChildPipes, Frame
from warmline.providers.offline.readings import Expectation, Readings
from warmline.providers.offline.recogniser_messages import Command, Heard, Report, encode_heard

_PARTIAL_EVERY_BYTES: Final = 3_200
"""How much audio (100 ms) comes between two looks at the words so far; one costs about a millisecond."""


class RecogniserChild:
    """Carries out commands, one after the other.

    What changes here: the utterance in progress, and only in `obey`.
    """

    def __init__(self, pipes: ChildPipes, readings: Readings) -> None:
        self._pipes = pipes
        self._readings = readings
        self._utterance: int | None = None
        self._unread_bytes = 0
        self._last_partial = ""
        self._bandwidth: BandwidthDetector | None = BandwidthDetector()

    def obey(self, frame: Frame) -> None:
        """Carry out one command.

        Raises:
            ValueError: there is no such command.
        """
        command = Command(frame.kind)
        if command is Command.BEGIN:
            self._readings.begin()
            self._utterance, self._unread_bytes, self._last_partial = frame.number, 0, ""
        elif command is Command.RESET:
            self._end_without_reading()
            self._readings.reset()
            self._bandwidth = BandwidthDetector()
            self._pipes.write(Report.READY)
        elif command is Command.NARROWBAND:
            self._bandwidth = None
            self._readings.set_narrowband(True)
        elif self._utterance is None:
            return
        elif command is Command.AUDIO:
            self._hear(frame.payload)
        elif command is Command.FINISH:
            heard = Heard(*self._readings.finish())
            self._pipes.write(Report.FINAL, self._utterance, encode_heard(heard))
            self._utterance = None
        else:
            self._end_without_reading()

    def _hear(self, pcm: bytes) -> None:
        if self._bandwidth is not None:
            self._bandwidth.hear(pcm)
            self._readings.set_narrowband(self._bandwidth.is_narrow)
        self._readings.hear(pcm)
        self._unread_bytes += len(pcm)
        if self._unread_bytes < _PARTIAL_EVERY_BYTES or self._utterance is None:
            return
        self._unread_bytes = 0
        partial = self._readings.partial()
        if partial and partial != self._last_partial:
            self._last_partial = partial
            self._pipes.write(Report.PARTIAL, self._utterance, encode_heard(Heard(partial)))

    def _end_without_reading(self) -> None:
        if self._utterance is not None:
            self._readings.discard()
            self._utterance = None


def expectation(sentences_path: Path) -> Expectation:
    """Return what the documents let expect; made beside the sentences by whichever process comes first."""
    made = Expectation(
        language_model=sentences_path.with_suffix(".arpa"), dictionary=sentences_path.with_suffix(".dict")
    )
    if not made.language_model.exists():
        sentences = sentences_path.read_text(encoding="utf-8").splitlines()
        entries = read_dictionary(Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict")
        lines = list(phrase_lines(sentences, entries))
        unfinished = sentences_path.with_suffix(f".{os.getpid()}")
        write_dictionary(unfinished, lines, entries)
        unfinished.replace(made.dictionary)
        write_language_model(unfinished, lines)
        unfinished.replace(made.language_model)
    return made


def tidy_up(sentences_path: Path) -> None:
    """Remove what a parent that was killed has left behind.

    A parent that closes tidies up itself, and kills this process before its input ends.
    """
    for path in sentences_path.parent.glob("sentences.*"):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        sentences_path.parent.rmdir()


def main() -> None:
    """Load, say so, and obey until the parent is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sentences", type=Path, help="what the documents say, one sentence a line")
    arguments = parser.parse_args()
    pipes = ChildPipes()
    readings = Readings(expectation(arguments.sentences) if arguments.sentences else None)
    child = RecogniserChild(pipes, readings)
    pipes.write(Report.READY)
    for frames in pipes.read():
        for frame in frames:
            child.obey(frame)
    if arguments.sentences:
        tidy_up(arguments.sentences)


if __name__ == "__main__":
    main()
