"""What is sent, and how what is too long is cut."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from warmline.channels.whatsapp.addressee import Addressee
from warmline.channels.whatsapp.messages import (
    read_receipt,
    template_message,
    text_message,
    voice_note_message,
)
from warmline.channels.whatsapp.splitting import NOTE_CHARACTERS, split_for_notes, split_text

pytestmark = pytest.mark.unit

ANN = Addressee("48600100200", "US.13491")


def test_words_are_sent_with_what_identifies_them():
    """The callback data comes back with every status."""
    assert text_message(ANN, "Hello", callback_data="job/1", reply_to="wamid.Q") == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "48600100200",
        "type": "text",
        "text": {"body": "Hello", "preview_url": False},
        "context": {"message_id": "wamid.Q"},
        "biz_opaque_callback_data": "job/1",
    }


def test_a_voice_note_is_sent_as_one():
    """To a person whose number nobody knows, by their id."""
    assert voice_note_message(Addressee(user_id="US.13491"), "77") == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "recipient": "US.13491",
        "type": "audio",
        "audio": {"id": "77", "voice": True},
    }


def test_a_template_names_its_language():
    """And what is filled in."""
    components = [{"type": "body", "parameters": [{"type": "text", "text": "Ann"}]}]
    found = template_message(ANN, "come_back", "en_US", components=components)
    assert found["template"] == {
        "name": "come_back",
        "language": {"code": "en_US"},
        "components": components,
    }
    assert "components" not in template_message(ANN, "come_back", "en_US")["template"]


def test_a_message_is_marked_as_read():
    """And an answer announced."""
    read = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.A"}
    assert read_receipt("wamid.A") == read
    assert read_receipt("wamid.A", typing=True) == {**read, "typing_indicator": {"type": "text"}}


def test_callback_data_that_is_too_long_is_a_mistake():
    """WhatsApp would refuse the message."""
    with pytest.raises(ValueError, match="512"):
        text_message(ANN, "Hello", callback_data="x" * 513)


def test_a_long_text_is_cut_where_sentences_end():
    """As few parts as possible, one after the other."""
    sentence = "Dr. Smith keeps 1,000 books in the old library. "
    assert split_text(sentence * 5, 150) == [(sentence * 3).strip(), (sentence * 2).strip()]
    assert split_text("One. Two.", 9) == ["One. Two."]
    assert split_text("One. Two.", 8) == ["One.", "Two."]


def test_a_long_sentence_is_cut_between_clauses_then_between_words():
    """And only a word that is longer than a message is cut itself."""
    assert split_text("We have books, films and games", 20) == ["We have books,", "films and games"]
    assert split_text("books and films and games", 12) == ["books and", "films and", "games"]
    assert split_text("我们有书、电影和游戏", 6) == ["我们有书、", "电影和游戏"]
    assert split_text("a" * 25, 10) == ["a" * 10, "a" * 10, "a" * 5]


def test_what_is_seen_as_one_character_stays_one():
    """A family is four people and three joiners."""
    family = "👩‍👩‍👧‍👦"
    assert split_text(family * 3, 22) == [family * 2, family]


def test_a_text_of_4096_characters_is_one_message():
    """Emoji count twice, as WhatsApp may count them."""
    assert len(split_text("a" * 4_096)) == 1
    assert len(split_text("a" * 4_097)) == 2
    assert [len(part) for part in split_text("🙂" * 4_096)] == [2_048, 2_048]


@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_nothing_to_say_is_no_message(text):
    """WhatsApp refuses an empty one."""
    assert split_text(text) == []
    assert split_for_notes(text) == []


def test_a_note_of_chinese_has_fewer_characters():
    """Each takes as long to say as some letters."""
    sentence = "图书馆星期一开门。"
    parts = split_for_notes(sentence * 100)
    assert len(parts) == 3
    assert all(part.endswith("。") and len(part) <= NOTE_CHARACTERS / 3 * 1.1 for part in parts)


TEXTS = st.lists(
    st.sampled_from([
        "a",
        "word",
        "1,000",
        "Dr.",
        "end.",
        "why?",
        "图书馆。",
        "🙂",
        "\n",
        "  ",
        ",",
        "x" * 30,
    ])
    | st.text(max_size=6),
    max_size=40,
).map(" ".join)


@given(TEXTS, st.integers(4, 60), st.sampled_from([split_text, split_for_notes]))
def test_nothing_is_lost_and_every_part_fits(text, most, split):
    """Whatever the text."""
    parts = split(text, most)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(part and part == part.strip() for part in parts)
    assert all(len(part) <= most for part in parts)


SPACED = st.lists(
    st.sampled_from(["a", "word", "1,000", "Dr.", "end.", "why?:", "www.x.org", "🙂", "\n", "x" * 30])
    | st.text(st.characters(max_codepoint=0x24F), max_size=6),
    max_size=40,
).map(" ".join)


@given(SPACED, st.integers(40, 80))
def test_words_that_fit_stay_whole(text, most):
    """Between blanks."""
    words = text.split()
    if all(len(split_text(word, most)) == 1 for word in words):
        assert [word for part in split_text(text, most) for word in part.split()] == words
