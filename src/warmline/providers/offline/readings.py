"""Two readings of what was said: one that expects anything, one that expects the documents' words."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Final, NamedTuple

from pocketsphinx import Decoder

__all__ = ["Expectation", "Reading", "Readings"]

DOCUMENTS_MARGIN: Final = 0.15
"""By how much (in natural logarithm of the path's score) the documents' reading must be the more
probable one to be taken. 100 spoken sentences of the documents, by a human and two synthetic voices,
came out at +0.13 to +0.77; 150 about other things had a median of -0.1 and a 95th percentile of
+0.13. At this margin the choice is as good as always knowing which it was, to within two words in
a hundred; it was read off these same recordings."""

STARTING_MEAN: Final = "43.3,1.7,1.2,5.5,-3.1,1.1,-1.9,-0.7,0.6,-0.1,0.4,-0.1,1.1"
"""The mean spectrum (13 cepstra) that a new speaker is taken to have until the first utterance has ended:
the average over three voices, a volunteer reader, a studio speaker and a synthetic one. The model's
own, 40,3,-1 and zeros, is that of no voice; with the mean of the other two, each voice's first utterance
had fewer wrong words: 27 instead of 29%, 26 instead of 37%, 14 instead of 15%."""

NARROWBAND_MEAN: Final = "44.6,40.8,-33.2,34.8,-0.6,-19.9,22.1,-16.4,1.4,13.4,-15.8,7.1,0.4"
"""The same for speech over the telephone, whose empty upper band is most of its spectrum: the average over
the volunteer and the studio speaker. A narrowband speaker's utterances each begin with it. Wrong words
of each call's first utterance at 8 kHz: 69 instead of 94%, and 41 instead of 76%; in a whole call 64
instead of 78%, and 44 instead of 54% (40 studio prompts, and 5 sentences by a volunteer)."""

_CUT_AT_PAUSE_S: Final = 15.0
_CUT_S: Final = 30.0
"""The memory and the last pass of a decoder grow with the utterance. A long one is decoded in
stretches, cut at a pause if there is one, so that neither does without bound."""

_BYTES_PER_S: Final = 32_000
_NOT_WORDS: Final = re.compile(r"\(\d+\)|<[^>]*>|\[[^\]]*\]|\+\+[^+]*\+\+")


class Expectation(NamedTuple):
    """What the documents let expect, as files for a decoder."""

    language_model: Path
    dictionary: Path


class Reading(NamedTuple):
    """The best path of one decoder."""

    text: str
    score: float
    """Natural logarithm of its probability, as PocketSphinx reckons it; -inf if there is no path."""


class Readings:
    """Decodes one speaker's utterances, one at a time, with one or two decoders.

    What changes here: the decoders' state, and the text of the stretches that are done, in every
    method but `partial`.
    """

    def __init__(self, documents: Expectation | None) -> None:
        """Load the decoders: a quarter of a second each, and 90 MB for the general one."""
        # Without the flat-lexicon pass a final takes 15 ms instead of 140, is mostly the last partial,
        # and has no more errors on human speech (25.4 against 25.1% of the words of 40 prompts).
        self._decoders = [Decoder(loglevel="FATAL", fwdflat=False)]
        if documents is not None:
            model, dictionary = str(documents.language_model), str(documents.dictionary)
            self._decoders.append(Decoder(loglevel="FATAL", fwdflat=False, lm=model, dict=dictionary))
        self._done: list[tuple[str, str]] = []
        self._stretch_bytes = 0
        self._half_sample = b""
        self._is_narrowband = False
        self.reset()

    def begin(self) -> None:
        """Begin an utterance."""
        self._done.clear()
        self._half_sample = b""
        if self._is_narrowband:
            self._set_mean(NARROWBAND_MEAN)
        self._start_stretch()

    def hear(self, pcm: bytes) -> None:
        """Decode more of the utterance: 16 kHz pcm16 of any length."""
        if self._half_sample or len(pcm) & 1:
            pcm = self._half_sample + pcm
            whole = len(pcm) & ~1
            pcm, self._half_sample = pcm[:whole], pcm[whole:]
        if not pcm:
            return
        for decoder in self._decoders:
            decoder.process_raw(pcm, False, False)
        self._stretch_bytes += len(pcm)
        seconds = self._stretch_bytes / _BYTES_PER_S
        if seconds >= _CUT_S or (seconds >= _CUT_AT_PAUSE_S and not self._decoders[0].get_in_speech()):
            self._done.append(self._end_stretch())
            self._start_stretch()

    def partial(self) -> str:
        """Return the better reading so far."""
        best, _ = self._best()
        return " ".join(text for text in (*(chosen for chosen, _ in self._done), best) if text)

    def finish(self) -> tuple[str, tuple[str, ...]]:
        """End the utterance and return the better reading, and the other one if it differs."""
        self._done.append(self._end_stretch())
        text = " ".join(chosen for chosen, _ in self._done if chosen)
        other = " ".join(rejected for _, rejected in self._done if rejected)
        return text, ((other,) if other and other != text else ())

    def discard(self) -> None:
        """End the utterance without reading it."""
        for decoder in self._decoders:
            decoder.end_utt()

    def reset(self) -> None:
        """Forget the speaker, to whose mean spectrum the decoders adapt from one utterance to the next."""
        self._is_narrowband = False
        self._set_mean(STARTING_MEAN)

    def set_narrowband(self, is_narrowband: bool) -> None:
        """Say whether the speaker is heard over a telephone; may change in the middle of an utterance."""
        if is_narrowband is not self._is_narrowband:
            self._is_narrowband = is_narrowband
            self._set_mean(NARROWBAND_MEAN if is_narrowband else STARTING_MEAN)

    def _set_mean(self, mean: str) -> None:
        for decoder in self._decoders:
            decoder.set_cmn(mean)

    def _start_stretch(self) -> None:
        self._stretch_bytes = 0
        for decoder in self._decoders:
            decoder.start_utt()

    def _end_stretch(self) -> tuple[str, str]:
        for decoder in self._decoders:
            decoder.end_utt()
        return self._best()

    def _best(self) -> tuple[str, str]:
        """Return the better reading of the stretch and the other one."""
        readings = [_reading(decoder) for decoder in self._decoders]
        general = readings[0]
        if len(readings) == 1:
            return general.text, ""
        documents = readings[1]
        if general.text and documents.score > general.score + DOCUMENTS_MARGIN:
            return documents.text, general.text
        return general.text, documents.text


def _reading(decoder: Decoder) -> Reading:
    hypothesis = decoder.hyp()
    if hypothesis is None or not hypothesis.hypstr:
        return Reading("", -math.inf)
    text = " ".join(_NOT_WORDS.sub(" ", hypothesis.hypstr).split())
    return Reading(text, math.log(hypothesis.score) if hypothesis.score > 0 else -math.inf)
