"""Cutting a reply's text into what is spoken first and what next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.turns.clauses import ClausePolicy, ClauseSplitter
from warmline.turns.sentences import split_sentences

pytestmark = pytest.mark.unit

POLICY = ClausePolicy()


def pieces(*deltas: str, language: str | None = None) -> list[str]:
    """Return the pieces of deltas between which no time passes."""
    splitter = ClauseSplitter(language)
    cut = [piece for delta in deltas for piece in splitter.push(delta, 0.0)]
    return [*cut, *splitter.flush()]


def spoken_after_ms(*deltas: tuple[int, str]) -> list[tuple[int, str]]:
    """Return the pieces with the milliseconds at which they are cut; the stream never ends."""
    splitter = ClauseSplitter()
    cut: list[tuple[int, str]] = []

    def wait(until_s: float) -> None:
        while (due_s := splitter.due_at_s) is not None and due_s < until_s:
            said = splitter.pending(due_s)
            assert said, "what is due can be had"
            cut.extend((round(due_s * 1000), piece) for piece in said)

    for at_ms, delta in deltas:
        wait(at_ms / 1000)
        cut += [(at_ms, piece) for piece in splitter.push(delta, at_ms / 1000)]
    wait(float("inf"))
    return cut


def test_a_sentence_is_cut_when_the_next_one_begins():
    """Not at a stop that may be an abbreviation's."""
    assert pieces("Dr. Smith charges 3.5 dollars. ", "Come at 5 p.m. on Monday! Will ", "you?") == [
        "Dr. Smith charges 3.5 dollars. ",
        "Come at 5 p.m. on Monday! ",
        "Will you?",
    ]


def test_the_opening_clause_is_cut_while_its_sentence_is_still_being_made():
    """The first words don't wait for the end of a long sentence; later ones do."""
    splitter = ClauseSplitter()
    assert splitter.push("We are open from nine in the morning, and", 0.0) == [
        "We are open from nine in the morning, "
    ]
    assert splitter.push(" on Fridays we close at four, which is early", 0.0) == []
    assert splitter.flush() == ["and on Fridays we close at four, which is early"]


@pytest.mark.parametrize("mark", [", ", "; ", ": ", " - ", " \N{EN DASH} ", "\N{EM DASH}"])
def test_an_opening_clause_ends_at_any_mark_that_makes_a_pause(mark):
    """Where words are parted by blanks, a blank stands beside it, but for the long dash."""
    opening = f"We are open from nine to six{mark}"
    assert pieces(f"{opening}on Mondays")[0] == opening


@pytest.mark.parametrize("inside", ["at 10:30 sharp", "1,000,000 of them", "9\N{EN DASH}6", "follow-up"])
def test_marks_inside_numbers_and_words_are_no_clause_ends(inside):
    """Whatever comes after them."""
    text = f"We have got room for you {inside} or so"
    assert pieces(*text) == [text]


def test_a_short_clause_waits_for_more():
    """ "Yes," alone sounds clipped."""
    assert ClauseSplitter().push("Yes, we do that", 0.0) == []


@pytest.mark.parametrize("opener", ["Yes. ", "Sure! ", "Good question. ", "是的！", "हाँ। "])
def test_a_short_sentence_is_never_held_back(opener):
    """However short: it is whole."""
    assert ClauseSplitter().push(f"{opener}We", 0.0) == [opener]


def test_no_is_a_sentence_unless_a_number_follows():
    """The next word tells, once it is whole."""
    splitter = ClauseSplitter()
    assert [splitter.push(delta, 0.0) for delta in ("No.", " We", " close")] == [[], [], ["No. "]]
    assert pieces("No.", " 5", " is", " free.") == ["No. 5 is free."]


def test_a_sentence_that_came_whole_is_not_cut_at_its_comma():
    """There is nothing to be gained, and its melody would be lost."""
    assert pieces("We are open from nine until six, every day. ", "Do come.")[0] == (
        "We are open from nine until six, every day. "
    )


def test_a_line_is_a_piece_and_a_lists_number_is_said_with_its_item():
    """Items have no end marks as a rule."""
    assert pieces("You need:\n1.", " A card\n", "2. ", "A photo\n\n", "That is all.") == [
        "You need:\n",
        "1. A card\n",
        "2. A photo\n",
        "\nThat is all.",
    ]


UNBREAKABLE = [
    ("en", "Dr. Smith and Mrs. Jones are in."),
    ("en", "We close at 5 p.m. on Mondays."),
    ("en", "Use a card, e.g. Visa, or cash, i.e. coins."),
    ("en", "The U.S. embassy is on 5th Ave. near St. John."),
    ("en", "It costs $3.50, that is 3.5 dollars."),
    ("en", "Look at https://example.com/a.b?c=d!e or www.example.org/x.html today."),
    ("en", "Write to jane.doe@example.co.uk today."),
    ("en", "J. R. R. Tolkien wrote it."),
    ("en", "Version 3.11.7 is out."),
    ("de", "Das kostet ca. 5 Euro, d.h. z.B. 4,90 bei Dr. Müller."),
    ("fr", "Voici M. Dupont et Mme Martin."),
    ("es", "El Sr. García está aquí."),
    ("it", "Il Sig. Rossi è qui."),
    ("zh", "价格是3.5元，时间是10:30。"),
    ("ja", "価格は3.5円です。"),
    ("hi", "कीमत 3.5 रुपये है।"),
    ("ar", "السعر 3.5 دينار."),
]


@pytest.mark.parametrize(("language", "sentence"), UNBREAKABLE)
def test_abbreviations_numbers_and_addresses_are_not_cut_wherever_the_stream_is(language, sentence):
    """Character by character, and whole; a clause of it may be said first."""
    for deltas in (sentence, [sentence]):
        cut = pieces(*deltas, language=language)
        assert "".join(cut) == sentence
        assert all(piece.rstrip()[-1] in ",，" for piece in cut[:-1])


@pytest.mark.parametrize(
    "sentences",
    [
        ["图书馆九点开门。", "你来吗？", "是的！", "好。"],
        ["図書館は九時に開きます。", "「来ますか？」", "はい！"],
        ["पुस्तकालय खुला है। ", "क्या आप आएंगे? ", "हाँ।"],
        ["المكتبة مفتوحة. ", "هل ستأتي؟ ", "نعم."],
        ["یہ کھلا ہے\u06d4 ", "کیا آپ آئیں گے؟"],
        ["Мы открыты. ", "Вы придёте? ", "Да."],
        ["도서관이 열려 있습니다. ", "오시나요? ", "네."],
        ["এটা খোলা। ", "আপনি আসবেন?"],
        ["¿Vienes? ", "¡Sí! ", "Claro."],
        ["It is open. ", 'She said "Go!" ', "Then what? ", "Well..."],
    ],
)
def test_sentences_of_any_script_are_cut(sentences):
    """The language is told from the script, also while the text comes character by character."""
    text = "".join(sentences)
    assert pieces(text) == sentences
    assert pieces(*text) == sentences


def test_clauses_of_scripts_without_blanks_are_shorter_and_need_no_blank():
    """Eight Chinese characters take as long as twenty-four Latin ones."""
    assert pieces(*"我们每天早上九点开门，下午六点关门") == ["我们每天早上九点开门，", "下午六点关门"]
    assert pieces(*"是的，我们每天开门") == ["是的，我们每天开门"]
    long = pieces("字" * 200)
    assert [len(piece) for piece in long] == [80, 80, 40]


def test_text_without_punctuation_is_cut_at_a_word():
    """A model that forgets its stops is heard all the same."""
    cut = pieces("word " * 200)
    assert len(cut) > 3
    assert all(len(piece) <= POLICY.longest_chars for piece in cut)
    assert all(piece.strip().endswith("word") for piece in cut)


def test_a_sentence_that_is_too_long_is_cut_at_a_clause_if_it_can_be():
    """Rather than between two words."""
    splitter = ClauseSplitter()
    splitter.push("It is open. ", 0.0)
    head = f"{'word ' * 30}word, "
    assert splitter.push(f"{head}{'word ' * 40}", 0.0)[0] == head


def test_a_one_sentence_reply_does_not_wait_for_the_end_of_the_stream():
    """Its end mark stands for 80 ms, and nothing follows."""
    assert spoken_after_ms((0, "It"), (20, " is"), (40, " open"), (60, ".")) == [(140, "It is open.")]
    assert spoken_after_ms((0, "图书馆开门了。")) == [(80, "图书馆开门了。")]
    assert spoken_after_ms((0, "Really?")) == [(80, "Really?")]
    assert spoken_after_ms((0, 'He said "Yes!"')) == [(80, 'He said "Yes!"')]


@pytest.mark.parametrize(
    "text",
    ["It costs 3.", "It opened in 2024.", "Ask Dr.", "No.", "Wait...", "See example.com.", "At 5 p.m."],
)
def test_a_stop_that_may_go_on_stands_longer(text):
    """ "3." may become "3.5", and "No." may become "No. 5"."""
    assert spoken_after_ms((0, text)) == [(300, text)]


def test_a_stop_that_goes_on_in_time_is_none():
    """The number is said whole."""
    assert spoken_after_ms((0, "It costs"), (20, " 3."), (240, "5 dollars.")) == [
        (320, "It costs 3.5 dollars.")
    ]


def test_the_last_sentence_of_several_does_not_wait_for_the_end_of_the_stream_either():
    """Nor does any other that the stream stops behind."""
    assert spoken_after_ms((0, "It is open. Do come."), (900, " Bye.")) == [
        (0, "It is open. "),
        (80, "Do come."),
        (980, " Bye."),
    ]


def test_opening_words_that_stand_for_long_are_said():
    """Without a mark, and without the word that may not be whole."""
    deltas = [(at * 100, word) for at, word in enumerate(["The", " long", " and", " wind", "ing road that"])]
    assert spoken_after_ms(*deltas) == [(500, "The long and winding road ")]
    assert spoken_after_ms((0, "\n"), (300, "The road")) == [(800, "\nThe ")]
    assert spoken_after_ms((0, "图书馆九点")) == [(500, "图书馆九点")]


def test_the_time_limit_is_for_the_opening_alone():
    """Later words have audio before them."""
    assert spoken_after_ms((0, "It is open. The long and winding road")) == [(0, "It is open. ")]


def test_a_lone_word_is_not_said_before_it_is_certainly_whole():
    """ "Over" may become "overall"."""
    assert spoken_after_ms((0, "Over")) == []
    assert spoken_after_ms((0, "Over"), (900, "all it")) == [(900, "Overall ")]


def test_the_figures_are_the_policys():
    """Each can be set."""
    eager = ClauseSplitter("en", ClausePolicy(4, 100, 10, 20, 30))
    assert eager.push("Sure, we", 0.0) == ["Sure, "]
    assert eager.push(" do.", 0.0) == []
    assert eager.due_at_s == 0.01
    assert eager.pending(0.009) == []
    assert eager.pending(0.01) == ["we do."]
    assert max(map(len, eager.push("word " * 40, 1.0))) <= 30


def test_what_says_nothing_is_no_piece():
    """A synthesiser has nothing to do with it; it stays in front of what follows."""
    assert pieces("\n\n", "  ") == []
    assert pieces("Yes.\n\n---\n\nNo") == ["Yes.\n", "\n---\n\nNo"]
    assert ClauseSplitter().due_at_s is None
    assert spoken_after_ms((0, "..."), (50, " \n")) == []
    assert pieces("-" * 1000) == []
    assert pieces("-" * 1000, "open") == ["-" * 1000 + "open"]


def test_an_empty_delta_is_no_news():
    """What stands goes on standing."""
    assert spoken_after_ms((0, "It is open."), (50, ""), (90, "")) == [(80, "It is open.")]


DELTAS = st.lists(st.text(alphabet='abcNo .,!?;:\n1-—。，中क।…"(', max_size=30), max_size=20)


@given(DELTAS, st.sampled_from([None, "en", "zh", "xx"]))
def test_pieces_joined_are_the_text_whatever_the_deltas(deltas, language):
    """No word is lost or said twice, wherever the stream was split; only what says nothing is left out."""
    whole, cut = "".join(deltas), pieces(*deltas, language=language)
    assert whole.startswith("".join(cut))
    assert not any(character.isalnum() for character in whole[len("".join(cut)) :])
    assert all(any(character.isalnum() for character in piece) for piece in cut)


@given(DELTAS, st.lists(st.integers(0, 700), min_size=20, max_size=20))
def test_pieces_joined_are_the_text_whatever_the_times(deltas, pauses_ms):
    """Also if the stream stops in between."""
    at_ms, timed = 0, []
    for delta, pause_ms in zip(deltas, pauses_ms, strict=False):
        timed.append((at_ms, delta))
        at_ms += pause_ms
    cut = spoken_after_ms(*timed)
    assert "".join(deltas).startswith("".join(piece for _, piece in cut))
    assert [at for at, _ in cut] == sorted(at for at, _ in cut)


@given(DELTAS)
def test_what_is_due_is_said_and_nothing_is_before(deltas):
    """So whoever waits until `due_at_s` never waits in vain, nor twice."""
    splitter = ClauseSplitter()
    for at_s, delta in enumerate(deltas):
        splitter.push(delta, float(at_s))
        due_at_s = splitter.due_at_s
        if due_at_s is None:
            assert splitter.pending(at_s + 3600.0) == []
        else:
            assert due_at_s > at_s
            assert splitter.pending(due_at_s - 0.001) == []
            assert splitter.pending(due_at_s) != []


@given(st.text(max_size=200), st.sampled_from([None, "en", "zh", "ar"]))
def test_any_text_is_split_into_sentences_that_join_to_it(text, language):
    """Odd blanks and all: a model's text may hold anything."""
    assert "".join(split_sentences(text, language)) == text
