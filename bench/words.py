"""How many words the offline recogniser gets wrong, on recordings of people.

    python bench/words.py [--quick] [--json]

Each recording goes the way a caller's audio goes: in 20 ms frames through the provider and its child
process, an utterance begun and finished around it; at four times the speed of speech, but for the
half second of quiet at its end. The recordings of one set are one call. They are Debian's: apt install
asterisk-core-sounds-en asterisk-core-sounds-en-g722 pocketsphinx-testdata ffmpeg

The times mean something on a quiet machine with a core to spare.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio
import numpy as np
from rich.console import Console
from rich.table import Table

from warmline.audio.recordings import read_recording
from warmline.audio.resample import StreamResampler
from warmline.core.clock import SystemClock
from warmline.core.formats import PCM_16K
from warmline.errors import ProviderError
from warmline.interfaces.stt import Transcript
from warmline.providers.offline.recogniser import OfflineRecogniser

PROMPTS: Final = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
PROMPT_TEXTS: Final = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")
TEST_DATA: Final = Path("/usr/share/pocketsphinx/test/data")

PROMPT_COUNT: Final = 40
QUICK_COUNT: Final = 2
FRAME_BYTES: Final = PCM_16K.size_bytes(0.02)
SPEED: Final = 4.0
ROOM_NOISE: Final = 8.0
"""Standard deviation of the noise before and after each recording, in samples: a quiet room."""


@dataclass
class Clip:
    """A recording and what is said in it."""

    text: str
    pcm: bytes


@dataclass
class Tally:
    """What one set gave in one way of recognising."""

    set_name: str
    way: str
    words: int = 0
    errors: int = 0
    audio_s: float = 0.0
    cpu_s: float = 0.0
    final_ms: list[float] = field(default_factory=list)

    def row(self) -> dict[str, object]:
        """Return the figures, rounded."""
        ordered = sorted(self.final_ms)
        return {
            "recordings": self.set_name,
            "recogniser": self.way,
            "words": self.words,
            "wrong_%": round(100 * self.errors / self.words, 1),
            "cpu_s_per_s": round(self.cpu_s / self.audio_s, 3),
            "final_p50_ms": round(statistics.median(ordered), 1),
            "final_p95_ms": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 1),
        }


class Caller:
    """Says clips on one line and keeps what comes back."""

    def __init__(self) -> None:
        self._final = anyio.Event()
        self._heard = ""

    def on_transcript(self, transcript: Transcript) -> None:
        """Take a transcript."""
        if transcript.is_final:
            self._heard = transcript.text
            self._final.set()

    def on_failure(self, problem: ProviderError) -> None:
        """Give up: there is nothing to measure."""
        sys.exit(str(problem))

    async def say_all(self, recogniser: OfflineRecogniser, clips: Sequence[Clip], tally: Tally) -> None:
        """Say the clips, one utterance each, and add to the tally."""
        clock = SystemClock()
        line = await recogniser.open(self.on_transcript, self.on_failure)
        (pid,) = recogniser.process_ids
        for number, clip in enumerate(clips):
            cpu_before_s = _cpu_s(pid)
            self._final = anyio.Event()
            pcm = _in_a_quiet_room(clip.pcm)
            line.push(pcm[:16_000])
            line.begin_utterance(number)
            began_at_s = clock.now_s()
            due_at_s = began_at_s
            for start in range(16_000, len(pcm), FRAME_BYTES):
                line.push(pcm[start : start + FRAME_BYTES])
                # In the quiet at the end the process catches up, as it would with a person speaking.
                due_at_s += 0.02 if start >= len(pcm) - 16_000 else 0.02 / SPEED
                await anyio.sleep(max(due_at_s - clock.now_s(), 0))
            finished_at_s = clock.now_s()
            line.finish_utterance()
            await self._final.wait()
            tally.final_ms.append((clock.now_s() - finished_at_s) * 1000)
            tally.cpu_s += _cpu_s(pid) - cpu_before_s
            tally.audio_s += PCM_16K.duration_s(len(pcm))
            said = words_of(clip.text)
            tally.words += len(said)
            tally.errors += word_errors(said, words_of(self._heard))
        await line.aclose()


def words_of(text: str) -> list[str]:
    """Return the words, in lower case and without punctuation."""
    return re.sub(r"[^a-z' ]", " ", text.lower()).split()


def word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Return the least number of words changed, left out or added."""
    row = list(range(len(heard) + 1))
    for index, word in enumerate(said, 1):
        diagonal, row[0] = row[0], index
        for column, other in enumerate(heard, 1):
            best = min(row[column] + 1, row[column - 1] + 1, diagonal + (word != other))
            diagonal, row[column] = row[column], best
    return row[-1]


def read_prompts() -> tuple[list[Clip], list[str]]:
    """Return a spread of the telephone prompts, and the text of all of them."""
    texts: dict[str, str] = {}
    with gzip.open(PROMPT_TEXTS, "rt", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name, colon, text = line.partition(":")
            if colon and not name.startswith(";") and re.fullmatch(r"[A-Za-z ,.'?!-]+", text.strip()):
                texts[name.strip()] = text.strip()
    spoken = {text.lower(): name for name, text in sorted(texts.items(), reverse=True)}
    names = sorted(
        name
        for text, name in spoken.items()
        if 5 <= len(text.split()) <= 14 and (PROMPTS / f"{name}.g722").exists() and "..." not in text
    )
    chosen = names[:: max(1, len(names) // PROMPT_COUNT)][:PROMPT_COUNT]
    clips = [Clip(texts[name], _decode_g722(PROMPTS / f"{name}.g722")) for name in chosen]
    return clips, list(texts.values())


def read_test_data(transcripts: Path, folder: Path) -> list[Clip]:
    """Return the recordings that a transcription file of PocketSphinx lists."""
    clips = []
    for line in transcripts.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"<s> (.*?)\s*</s> \((.*)\)", line):
            # The reader did not say the extra article that the transcript has.
            text = match[1].replace("more a amiable", "more amiable")
            clips.append(Clip(text, read_recording(folder / f"{match[2]}.wav")))
    return clips


def _decode_g722(path: Path) -> bytes:
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "g722",
        "-i",
        str(path),
        "-ac",
        "1",
        "-ar",
        "16000",
        "-f",
        "s16le",
        "-",
    ]
    return subprocess.run(command, check=True, capture_output=True).stdout


def _over_the_telephone(pcm: bytes) -> bytes:
    """Return the recording as a telephone at 8 kHz would carry it."""
    for resampler in (StreamResampler(16_000, 8_000), StreamResampler(8_000, 16_000)):
        pcm = resampler.convert(pcm) + resampler.flush()
    return pcm


def _in_a_quiet_room(pcm: bytes) -> bytes:
    noise = np.random.default_rng(1).normal(0, ROOM_NOISE, 16_000).astype(np.int16).tobytes()
    return noise[:16_000] + pcm + noise[16_000:]


def _cpu_s(pid: int) -> float:
    """Return the processor time a process has used; 0 where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def missing_packages() -> list[str]:
    """Return what has to be installed before anything can be measured."""
    needed = {
        "asterisk-core-sounds-en": PROMPT_TEXTS.exists(),
        "asterisk-core-sounds-en-g722": any(PROMPTS.glob("*.g722")),
        "pocketsphinx-testdata": TEST_DATA.is_dir(),
        "ffmpeg": shutil.which("ffmpeg") is not None,
    }
    return [package for package, is_there in needed.items() if not is_there]


async def measure(*, quick: bool) -> list[Tally]:
    """Recognise every set without documents and with documents as the documents."""
    prompts, texts = read_prompts()
    chosen = prompts[::5] if quick else prompts
    sets = {
        "studio prompts": chosen,
        "the same, telephone": [Clip(clip.text, _over_the_telephone(clip.pcm)) for clip in chosen],
        "novel, volunteer": read_test_data(TEST_DATA / "librivox" / "transcription", TEST_DATA / "librivox"),
        "playing cards": read_test_data(TEST_DATA / "cards" / "cards.transcription", TEST_DATA / "cards"),
    }
    if quick:
        sets = {name: clips[:QUICK_COUNT] for name, clips in sets.items()}
    tallies = []
    for way, documents in (("general", []), ("with documents", texts)):
        async with OfflineRecogniser(documents, max_processes=1) as recogniser:
            for name, clips in sets.items():
                tallies.append(Tally(name, way))
                await Caller().say_all(recogniser, clips, tallies[-1])
    return tallies


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two recordings of each set; under 40 s")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    if missing := missing_packages():
        sys.exit(f"the recordings are not here: apt install {' '.join(missing)}")
    rows = [tally.row() for tally in anyio.run(lambda: measure(quick=arguments.quick))]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(title="Offline recogniser on human speech")
    for title in ("recordings", "recogniser", "words", "wrong %", "cpu s/s", "final p50", "p95 ms"):
        table.add_column(title, justify="left" if title.startswith("reco") else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console = Console(width=100)
    console.print(table)
    console.print(
        "The documents are the prompts' own sentences: what people ask is never so close to what is written."
    )


if __name__ == "__main__":
    main()
