"""`warmline talk` with recordings of a person, as they come: telephone quality, and a studio's in stereo."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import samplerate
import soundfile

from warmline.audio.recordings import read_recording

SOUNDS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
DOCUMENTS = Path(__file__).parent / "telephone"

pytestmark = [
    pytest.mark.wire,
    pytest.mark.alone,
    pytest.mark.skipif(
        not (SOUNDS / "agent-pass.wav").exists(),
        reason="no recordings of people: apt install asterisk-core-sounds-en-wav",
    ),
]

SPOKEN = {
    "conf-waitforleader": "Until the leader arrives",
    "agent-pass": "Type the digits of your password",
    "conf-now-recording": "A conference can be recorded",
}
"""What is said ("The conference will begin when the leader arrives.", "Please enter your password followed
by the pound key.", "The conference is now being recorded."), and how the right passage begins."""


def talk(*recordings: Path) -> list[dict[str, str]]:
    command = [sys.executable, "-m", "warmline.cli.main", "talk", *map(str, recordings)]
    done = subprocess.run(
        [*command, "--documents", str(DOCUMENTS), "--json", "--speed", "3"],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_person_over_the_telephone_hears_the_passage_that_was_meant():
    """8 kHz recordings, about documents that put it in other words."""
    turns = talk(*(SOUNDS / f"{name}.wav" for name in SPOKEN))
    right = [
        turn["heard_text"].startswith(begins) for turn, begins in zip(turns, SPOKEN.values(), strict=True)
    ]
    assert sum(right) >= 2  # one in four of a person's words is misheard


@pytest.mark.parametrize(
    ("suffix", "rate_hz", "channels"), [("flac", 44_100, 2), ("ogg", 48_000, 1), ("mp3", 22_050, 2)]
)
def test_the_same_words_are_understood_from_any_format(tmp_path, suffix, rate_hz, channels):
    """Rates, channels and encodings as people's devices write them."""
    pcm, _ = soundfile.read(SOUNDS / "agent-pass.wav", dtype="float32")
    resampled = samplerate.resample(pcm, rate_hz / 8000, "sinc_best")
    written = tmp_path / f"question.{suffix}"
    soundfile.write(written, resampled.reshape(-1, 1).repeat(channels, 1), rate_hz)
    assert len(read_recording(written)) > 2 * 32_000
    [turn] = talk(written)
    assert turn["heard_text"].startswith("Type the digits of your password")
