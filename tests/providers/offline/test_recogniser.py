"""The offline recogniser with its real processes, on real speech where there is some."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from warmline.audio.conversion import FormatEncoder, Pcm16kDecoder
from warmline.audio.recordings import read_recording
from warmline.core.formats import PCMA_8K, PCMU_8K, AudioFormat, Encoding
from warmline.errors import ProviderError, ProviderUnavailable
from warmline.interfaces.stt import Transcript
from warmline.providers.offline.recogniser import OfflineRecogniser

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

DOCUMENT = [
    "What are your opening hours?",
    "The shop is open from 9 in the morning until six in the evening, Monday to Saturday.",
    "Zyxxel & qwrt: 100% of nonsense!",
    "",
]
LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")
FRAME_BYTES = 640
PCM_8K = AudioFormat(Encoding.PCM16, 8_000)


class Listener:
    """Keeps what a line says, and can be awaited."""

    def __init__(self) -> None:
        self.transcripts: list[Transcript] = []
        self.failures: list[ProviderError] = []
        self._changed = anyio.Event()

    def on_transcript(self, transcript: Transcript) -> None:
        self.transcripts.append(transcript)
        self._changed.set()

    def on_failure(self, problem: ProviderError) -> None:
        self.failures.append(problem)
        self._changed.set()

    @property
    def finals(self) -> list[Transcript]:
        return [transcript for transcript in self.transcripts if transcript.is_final]

    async def wait_for(self, *, finals: int = 0, failures: int = 0) -> None:
        with anyio.fail_after(30):
            while len(self.finals) < finals or len(self.failures) < failures:
                assert len(self.failures) <= failures
                self._changed = anyio.Event()
                await self._changed.wait()


def push(line, pcm: bytes) -> None:
    """Push audio as a channel does, 20 ms at a time."""
    for start in range(0, len(pcm), FRAME_BYTES):
        line.push(pcm[start : start + FRAME_BYTES])


@pytest.fixture(scope="module")
async def recogniser() -> AsyncIterator[OfflineRecogniser]:
    async with OfflineRecogniser(DOCUMENT, max_processes=3) as running:
        yield running


async def recognise(recogniser: OfflineRecogniser, pcm: bytes) -> Transcript:
    """Return the final of one utterance, said on a fresh line."""
    listener = Listener()
    line = await recogniser.open(listener.on_transcript, listener.on_failure)
    push(line, bytes(16_000))
    line.begin_utterance(1)
    push(line, pcm + bytes(8_000))
    line.finish_utterance()
    await listener.wait_for(finals=1)
    await line.aclose()
    return listener.finals[0]


def word_errors(said: str, heard: str) -> int:
    """Return how many words were changed, left out or added."""
    row = list(range(len(heard.split()) + 1))
    for i, word in enumerate(said.split(), 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(heard.split(), 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1]


async def test_utterance_when_finished_has_partials_and_one_final(recogniser, speech):
    """Words grow while somebody speaks; the final comes once, under the utterance's number."""
    listener = Listener()
    line = await recogniser.open(listener.on_transcript, listener.on_failure)
    push(line, speech[:9_600])
    line.begin_utterance(7)
    push(line, speech[9_600:])
    line.finish_utterance()
    line.finish_utterance()
    await listener.wait_for(finals=1)
    await line.aclose()
    assert {transcript.utterance for transcript in listener.transcripts} == {7}
    assert [transcript.is_final for transcript in listener.transcripts[-2:]] == [False, True]
    partials = [transcript.text for transcript in listener.transcripts if not transcript.is_final]
    assert all(one != other for one, other in itertools.pairwise(partials))
    final = listener.finals[0]
    assert final.text
    assert final.text not in final.alternatives
    assert listener.failures == []


@pytest.mark.parametrize("audio_format", [PCMU_8K, PCMA_8K, PCM_8K], ids=lambda f: f.encoding.value)
async def test_a_telephones_audio_is_recognised_as_a_recording_from_a_telephone_is(
    recogniser, speech, audio_format
):
    """A line takes the format that it is opened for, and the process does not have to find out its band."""
    encoder = FormatEncoder(16_000, audio_format)
    listener = Listener()
    line = await recogniser.open(listener.on_transcript, listener.on_failure, None, audio_format)
    line.push(audio_format.silence(0.5))
    line.begin_utterance(1)
    audio = encoder.convert(speech) + encoder.flush() + audio_format.silence(0.25)
    size = audio_format.size_bytes(0.032)
    for start in range(0, len(audio), size):
        line.push(audio[start : start + size])
    line.finish_utterance()
    await listener.wait_for(finals=1)
    await line.aclose()
    [final] = listener.finals
    converter = Pcm16kDecoder(audio_format)
    recording = await recognise(recogniser, converter.convert(audio) + converter.flush())
    assert final.text.startswith("what are you")
    assert word_errors(recording.text, final.text) <= 1
    assert listener.failures == []


async def test_utterances_when_they_follow_at_once_each_have_a_final(recogniser, speech):
    """Speech that resumes before the last final is there loses neither; a new one ends the old."""
    listener = Listener()
    line = await recogniser.open(listener.on_transcript, listener.on_failure)
    for number in (1, 2, 3):
        line.begin_utterance(number)
        push(line, speech)
        if number != 2:
            line.finish_utterance()
    await listener.wait_for(finals=3)
    await line.aclose()
    assert [final.utterance for final in listener.finals] == [1, 2, 3]
    assert all(final.text for final in listener.finals)


async def test_utterance_when_discarded_has_no_final(recogniser, speech):
    """What was dropped is not heard of again; the next utterance is."""
    listener = Listener()
    line = await recogniser.open(listener.on_transcript, listener.on_failure)
    line.begin_utterance(1)
    push(line, speech)
    line.discard_utterance()
    line.begin_utterance(2)
    line.finish_utterance()
    await listener.wait_for(finals=1)
    await line.aclose()
    assert {transcript.utterance for transcript in listener.transcripts} == {2}
    assert len(listener.finals) == 1


async def test_speech_when_before_the_utterance_is_recognised_from_the_pre_roll(recogniser, speech):
    """The first word is not lost to the time it takes to notice it, nor is older sound taken in."""
    whole, late, nothing = Listener(), Listener(), Listener()
    texts = []
    for listener, before, after in (
        (whole, b"", speech),
        (late, speech[:14_400], speech[14_400:]),
        (nothing, speech + bytes(19_200), b""),
    ):
        line = await recogniser.open(listener.on_transcript, listener.on_failure)
        push(line, before)
        line.begin_utterance(1)
        push(line, after)
        line.finish_utterance()
        await listener.wait_for(finals=1)
        await line.aclose()
        texts.append(listener.finals[0].text)
    assert texts[0] == texts[1] != ""
    assert texts[2] == ""


async def test_silence_when_recognised_is_an_empty_final(recogniser):
    """A final comes even if nobody spoke."""
    final = await recognise(recogniser, bytes(16_000))
    assert (final.text, final.is_final) == ("", True)


async def test_line_when_closed_in_mid_utterance_gives_its_process_to_the_next(speech):
    """Hanging up while speaking leaves nothing of the words to the next caller."""
    async with OfflineRecogniser(max_processes=1) as recogniser:
        (pid,) = recogniser.process_ids
        first = Listener()
        line = await recogniser.open(first.on_transcript, first.on_failure)
        line.begin_utterance(1)
        push(line, speech)
        line.finish_utterance()
        await line.aclose()
        final = await recognise(recogniser, bytes(8_000))
        assert (final.text, final.alternatives) == ("", ())
        assert first.transcripts == []
        assert recogniser.process_ids == [pid]


async def test_lines_when_more_than_processes_are_refused(speech):
    """The refusal says what the limit is; a line given back can be had again."""
    async with OfflineRecogniser(spare_processes=0, max_processes=1) as recogniser:
        listener = Listener()
        line = await recogniser.open(listener.on_transcript, listener.on_failure)
        with pytest.raises(ProviderUnavailable, match=r"all 1 processes are in use.*max_processes"):
            await recogniser.open(listener.on_transcript, listener.on_failure)
        await line.aclose()
        again = await recogniser.open(listener.on_transcript, listener.on_failure)
        await again.aclose()


async def test_opening_when_cancelled_leaves_the_process_to_others():
    """A caller who hangs up before a line is ready takes none away."""
    async with OfflineRecogniser(spare_processes=0, max_processes=1) as recogniser:
        listener = Listener()
        with anyio.move_on_after(0.02) as scope:
            await recogniser.open(listener.on_transcript, listener.on_failure)
        assert scope.cancelled_caught
        line = await recogniser.open(listener.on_transcript, listener.on_failure)
        await line.aclose()


async def test_process_when_killed_fails_its_line_and_is_replaced(speech):
    """Its session is told once, and the next caller does not notice."""
    async with OfflineRecogniser(spare_processes=0) as recogniser:
        listener = Listener()
        line = await recogniser.open(listener.on_transcript, listener.on_failure)
        (pid,) = recogniser.process_ids
        line.begin_utterance(1)
        push(line, speech)
        os.kill(pid, signal.SIGKILL)
        await listener.wait_for(failures=1)
        push(line, speech)
        line.finish_utterance()
        line.begin_utterance(2)
        await line.aclose()
        assert isinstance(listener.failures[0], ProviderUnavailable)
        assert "status -9" in str(listener.failures[0])
        assert listener.finals == []
        assert (await recognise(recogniser, speech)).text
        assert len(listener.failures) == 1
        assert pid not in recogniser.process_ids


async def test_recogniser_when_closed_leaves_nothing_behind(monkeypatch, tmp_path):
    """No process, zombie or file; a line still open is told."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    listener = Listener()
    async with OfflineRecogniser(DOCUMENT, spare_processes=2) as recogniser:
        await recogniser.open(listener.on_transcript, listener.on_failure)
        pids = recogniser.process_ids
        assert any(tmp_path.iterdir())
    await listener.wait_for(failures=1)
    assert list(tmp_path.iterdir()) == []
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(ProviderUnavailable, match="not running"):
        await recogniser.open(listener.on_transcript, listener.on_failure)


async def test_recogniser_when_it_cannot_start_says_why(monkeypatch):
    """A broken installation is told at start, in the process's own words."""
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(ProviderUnavailable, match="status 1"):
        async with OfflineRecogniser():
            pass


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"", 0), (b"\xff" * 100, 1), (bytes(13), 1)],
    ids=["nothing", "no frame", "no command"],
)
def test_child_when_its_input_ends_or_is_garbage_ends(sent, status):
    """It does not outlive its parent, and does not guess."""
    module = "warmline.providers.offline.recogniser_process"
    ended = subprocess.run(
        [sys.executable, "-m", module], input=sent, capture_output=True, timeout=30, check=False
    )
    assert ended.returncode == status
    assert bool(ended.stderr) == bool(status)


def test_child_when_its_parent_is_killed_leaves_no_files(tmp_path):
    """The documents' words do not stay on the disk."""
    folder = tmp_path / "warmline-x"
    folder.mkdir()
    sentences = folder / "sentences.txt"
    sentences.write_text("The shop is open.")
    module = "warmline.providers.offline.recogniser_process"
    subprocess.run(
        [sys.executable, "-m", module, "--sentences", sentences], input=b"", timeout=30, check=True
    )
    assert not folder.exists()


@pytest.mark.skipif(not LIBRIVOX.is_dir(), reason="apt install pocketsphinx-testdata")
async def test_people_when_recorded_are_recognised(recogniser):
    """Three sentences read from a novel by a volunteer: most words are right."""
    said = {
        "0880": "he was not an ill disposed young man",
        "0890": "unless to be rather cold hearted and rather selfish is to be ill disposed",
        "0930": "he might even have been made amiable himself",
    }
    errors = 0
    for number, text in said.items():
        pcm = read_recording(LIBRIVOX / f"sense_and_sensibility_01_austen_64kb-{number}.wav")
        errors += word_errors(text, (await recognise(recogniser, pcm)).text)
    assert errors <= 14


@pytest.mark.skipif(shutil.which("flite") is None, reason="apt install flite")
@pytest.mark.parametrize(
    ("text", "allowed"), [("what are your opening hours", 0), ("what time does the train leave tomorrow", 2)]
)
async def test_question_when_about_the_documents_or_not_is_understood(recogniser, tmp_path, text, allowed):
    """The documents' words are expected, and other words are still heard."""
    spoken = tmp_path / "x.wav"
    await anyio.run_process(["flite", "-voice", "rms", "-t", text, "-o", str(spoken)])
    final = await recognise(recogniser, read_recording(spoken))
    assert word_errors(text, final.text) <= allowed
