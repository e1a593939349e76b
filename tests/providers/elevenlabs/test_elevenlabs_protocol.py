"""Messages and alignment, without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.core.formats import PCM_16K, AudioFormat, Encoding
from warmline.errors import ProviderRejected, RemoteProtocolError
from warmline.interfaces.tts import SpokenWord
from warmline.providers.elevenlabs.aligned import AlignedSpeech
from warmline.providers.elevenlabs.protocol import Alignment, decode_message, output_format

pytestmark = pytest.mark.unit


def test_both_spellings_of_the_wire_are_read():
    new = decode_message(b'{"audio":null,"isFinal":true,"contextId":"a"}')
    old = decode_message(b'{"audio":null,"is_final":true,"context_id":"a"}')
    assert new == old
    assert new.is_final


def test_kinds_that_are_not_known_say_nothing():
    message = decode_message(b'{"type":"flush_done","context_id":"a","later":[1]}')
    assert (message.audio, message.alignment, message.is_final, message.error) == (b"", None, False, "")


@pytest.mark.parametrize("payload", [b"", b"[]", b'{"audio":"%%"}', b"\xff"])
def test_garbage_is_an_error(payload: bytes):
    with pytest.raises(RemoteProtocolError):
        decode_message(payload)


def test_format_that_is_not_offered_is_refused():
    with pytest.raises(ProviderRejected, match="ulaw_16000"):
        output_format(AudioFormat(Encoding.PCMU, 16_000))


@given(st.data())
def test_words_are_found_wherever_audio_and_alignment_are_cut(data: st.DataObject):
    text = "Grüße, it's 5 o'clock  now. And then?"
    characters = [*text, " "]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(characters)), max_size=6)))
    speech = AlignedSpeech(PCM_16K)
    speech.given(text)
    words: list[SpokenWord] = []
    audio = b""
    # Each character lasts 10 ms.
    for begin, end in zip([0, *cuts], [*cuts, len(characters)], strict=True):
        part = characters[begin:end]
        alignment = Alignment(tuple(part), tuple(10.0 * index for index in range(len(part))))
        odd = data.draw(st.integers(0, 1))
        chunk = speech.take(bytes(320 * len(part) + odd), alignment if part else None)
        # The odd byte would shift what follows; the next piece makes up for it.
        words += chunk.words
        audio += chunk.audio
        assert len(chunk.audio) % 2 == 0
    assert [text[word.text_start : word.text_end] for word in words] == text.split()
    assert all(abs(word.start_ms - 10 * word.text_start) <= 1 for word in words)


def test_what_was_not_begun_is_unspoken():
    speech = AlignedSpeech(PCM_16K)
    speech.given("one two three ")
    speech.take(bytes(320 * 5), Alignment(tuple("one two"), tuple(10.0 * index for index in range(7))))
    place, said_ms = speech.unspoken()
    assert (place, said_ms) == (7, 50)
    assert speech.text[place:] == " three "


def test_alignment_that_spells_other_than_the_text_is_followed_again_at_a_word():
    speech = AlignedSpeech(PCM_16K)
    speech.given("Call 555 now please ")
    spoken = "Call five five five now please"
    chunk = speech.take(bytes(32_000), Alignment(tuple(spoken), tuple(float(i) for i in range(len(spoken)))))
    found = [speech.text[word.text_start : word.text_end] for word in chunk.words]
    assert found[0] == "Call"
    assert found[-2:] == ["now", "please"]
