"""Recordings: formats, rates, depths and damaged files."""

import io
import shutil
import subprocess
from importlib.util import find_spec

import numpy as np
import pytest
import soundfile

from warmline.audio.recordings import decode_recording, read_recording, wav_file, write_wav
from warmline.core.formats import PCM_16K, PCMA_8K, PCMU_8K
from warmline.errors import InputError

pytestmark = pytest.mark.wire

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="apt install ffmpeg")


def tone(rate_hz: int, seconds: float = 0.5, hz: float = 400.0) -> np.ndarray:
    return 0.4 * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz)


def assert_is_the_tone(pcm: bytes, *, seconds: float = 0.5, tolerance_s: float = 0.001, level: float = 0.4):
    samples = np.frombuffer(pcm, np.int16) / 32_768
    assert len(samples) / 16_000 == pytest.approx(seconds, abs=tolerance_s)
    inner = samples[2_000:6_000]
    assert np.sqrt(2 * (inner**2).mean()) == pytest.approx(level, rel=0.05)
    spectrum = np.abs(np.fft.rfft(inner * np.hanning(len(inner))))
    assert spectrum.argmax() * 16_000 / len(inner) == pytest.approx(400, abs=5)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_wav_when_of_any_rate_and_channels_is_read(tmp_path, rate_hz, channels):
    """Telephone, studio and computer rates all become 16 kHz mono."""
    path = tmp_path / "x.wav"
    soundfile.write(path, np.tile(tone(rate_hz)[:, None], channels), rate_hz)
    assert_is_the_tone(read_recording(path))


@pytest.mark.parametrize(
    "subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"]
)
def test_wav_when_of_any_depth_is_read(tmp_path, subtype):
    """From 8 bits to double precision, and G.711."""
    path = tmp_path / "x.wav"
    soundfile.write(path, tone(22_050), 22_050, subtype=subtype)
    assert_is_the_tone(read_recording(path))


@pytest.mark.parametrize("name", ["x.flac", "x.ogg", "x.opus", "x.mp3", "x.aiff"])
def test_compressed_recording_when_known_to_libsndfile_is_read(tmp_path, name):
    """What phones and browsers record, without any further package."""
    path = tmp_path / name
    kind = {"x.opus": {"format": "OGG", "subtype": "OPUS"}}.get(name, {})
    soundfile.write(path, tone(48_000), 48_000, **kind)
    assert_is_the_tone(read_recording(path), tolerance_s=0.08)
    assert decode_recording(path.read_bytes(), name) == read_recording(path)


def test_channels_when_different_are_mixed(tmp_path):
    """A caller on the left channel alone is heard at half the level, not lost."""
    path = tmp_path / "x.wav"
    soundfile.write(path, np.stack([tone(16_000), np.zeros(8_000)], axis=1), 16_000)
    assert_is_the_tone(read_recording(path), level=0.2)


def test_float_samples_when_out_of_range_or_no_numbers_do_no_harm(tmp_path):
    """A broken float file gives clipped sound, not wrapped noise."""
    path = tmp_path / "x.wav"
    soundfile.write(path, np.array([0.0, 5.0, -5.0, np.nan, np.inf, -np.inf] * 100), 16_000, subtype="FLOAT")
    samples = np.frombuffer(read_recording(path), np.int16)
    assert samples[:6].tolist() == [0, 32_767, -32_768, 0, 32_767, -32_768]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"no recording at all" * 50, "not WAV, FLAC, Ogg or MP3|convert it|no sound"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "not WAV|convert it|no sound"),
        (bytes(5_000), "not WAV|convert it|no sound"),
    ],
    ids=["empty", "text", "cut header", "zeros"],
)
@pytest.mark.parametrize("name", ["x.wav", "x.raw", "x"])
def test_file_when_no_recording_is_refused_with_advice(tmp_path, content, told, name):
    """Garbage gets an error that names the file and what to do."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=told) as refused:
        read_recording(path)
    assert str(path) in str(refused.value)
    with pytest.raises(InputError, match=told) as refused:
        decode_recording(content, name)
    assert name in str(refused.value)


def test_recording_when_without_samples_is_refused(tmp_path):
    """A header with nothing behind it is no speech."""
    path = tmp_path / "x.wav"
    soundfile.write(path, np.zeros(0), 16_000)
    with pytest.raises(InputError, match="no sound"):
        read_recording(path)


def test_recording_when_longer_than_the_limit_is_refused(tmp_path):
    """A limit is kept without reading all of a huge file into memory."""
    path = tmp_path / "x.wav"
    soundfile.write(path, np.zeros(16_000 * 3), 16_000)
    assert len(read_recording(path, limit_s=3.0)) == 96_000
    with pytest.raises(InputError, match=r"longer than 2\.5 s"):
        read_recording(path, limit_s=2.5)
    with pytest.raises(InputError, match=r"note\.wav: it lasts longer than 2\.5 s"):
        decode_recording(path.read_bytes(), "note.wav", limit_s=2.5)


def test_recording_when_its_header_asks_for_very_many_channels_is_refused(tmp_path):
    """Each block of it would be large."""
    path = tmp_path / "x.wav"
    soundfile.write(path, np.zeros((100, 200)), 16_000)
    with pytest.raises(InputError, match="200 channels"):
        read_recording(path)


@pytest.mark.parametrize("name", ["missing.wav", "."])
def test_recording_when_not_there_is_refused(tmp_path, name):
    """A mistyped path is told as such."""
    with pytest.raises(InputError, match="no such file"):
        read_recording(tmp_path / name)


def test_wav_when_written_and_read_is_the_same(tmp_path):
    """What is written is what is read, to the sample."""
    pcm = (tone(16_000) * 32_767).astype(np.int16).tobytes()
    write_wav(tmp_path / "x.wav", pcm)
    assert read_recording(tmp_path / "x.wav") == pcm


def test_wav_when_it_cannot_be_written_is_told(tmp_path):
    """The error names the path."""
    with pytest.raises(InputError, match="no-such-folder"):
        write_wav(tmp_path / "no-such-folder" / "x.wav", b"")


@needs_ffmpeg
@pytest.mark.parametrize("name", ["x.m4a", "x.webm"])
def test_recording_when_it_needs_pyav_is_read_or_the_way_to_it_is_told(tmp_path, name):
    """A phone's m4a works with the extra installed, and without it the error says how to get it."""
    soundfile.write(tmp_path / "x.wav", np.tile(tone(48_000)[:, None], 2), 48_000)
    path = tmp_path / name
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", tmp_path / "x.wav", path], check=True, stdin=subprocess.DEVNULL
    )
    if find_spec("av") is None:
        with pytest.raises(InputError, match=r"pip install \"warmline\[media\]\".*ffmpeg -i"):
            read_recording(path)
    else:
        assert_is_the_tone(read_recording(path), tolerance_s=0.08)
        assert decode_recording(path.read_bytes(), name) == read_recording(path)


@pytest.mark.parametrize(
    ("audio_format", "subtype"), [(PCMU_8K, "ULAW"), (PCMA_8K, "ALAW"), (PCM_16K, "PCM_16")]
)
def test_wav_when_made_in_memory_holds_the_samples_as_they_are(audio_format, subtype):
    """A telephone network is sent what its calls have anyway."""
    audio = bytes(range(256)) * 40
    file = wav_file(audio, audio_format)
    with soundfile.SoundFile(io.BytesIO(file)) as recording:
        assert (recording.subtype, recording.samplerate, recording.channels) == (
            subtype,
            audio_format.rate_hz,
            1,
        )
        assert recording.frames == len(audio) // audio_format.encoding.sample_bytes
    # mu-law writes zero in two ways, of which one is written here.
    expected = audio.replace(b"\x7f", b"\xff") if audio_format == PCMU_8K else audio
    assert file.endswith(expected)
