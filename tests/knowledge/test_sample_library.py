"""The documents that come with warmline."""

import re
import tomllib
from pathlib import Path

import pocketsphinx
import pytest

from warmline.interfaces.retriever import Query
from warmline.knowledge.chunks import MAX_SENTENCES
from warmline.knowledge.index import Index, build_index
from warmline.knowledge.minilm import find_model
from warmline.knowledge.sample_library import EXAMPLE_QUESTIONS, SAMPLE_FOLDER
from warmline.turns.sentences import split_sentences

pytestmark = pytest.mark.wire

needs_model = pytest.mark.skipif(find_model() is None, reason="the embedding model is not installed")

QUESTIONS = tomllib.loads(Path(__file__).with_name("questions.toml").read_text(encoding="utf-8"))
NATURAL = {entry["natural"]: heading for heading, entry in QUESTIONS["questions"].items()}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return build_index(SAMPLE_FOLDER, cache_dir=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def words_index():
    return build_index(SAMPLE_FOLDER, embeddings=False)


def found(index: Index, questions: dict[str, str], within: int) -> set[str]:
    """Return the questions whose passage is among the first so many."""
    return {
        question
        for question, heading in questions.items()
        if heading in [passage.title for passage in index.search(Query(question))[:within]]
    }


def test_sample_when_read_then_every_passage_can_be_read_aloud(words_index):
    """No passage is cut, and each is asked for in the list of questions."""
    passages = [words_index.search(Query(f"{heading}"))[0] for heading in QUESTIONS["questions"]]

    assert words_index.skipped == ()
    assert words_index.passage_count == len(QUESTIONS["questions"])
    assert all(len(split_sentences(passage.text)) <= MAX_SENTENCES for passage in passages)


def test_sample_when_spoken_about_then_the_recogniser_knows_every_word(words_index):
    """A newcomer's first question is not about a word that cannot be recognised."""
    dictionary = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")).read_text(encoding="utf-8")
    known = {line.split()[0] for line in dictionary.splitlines()}
    spoken = " ".join([*words_index.sentences(), *EXAMPLE_QUESTIONS])

    assert set(re.findall(r"[a-z0-9']+", spoken.lower())) - known == set()


@needs_model
def test_sample_when_asked_an_example_question_then_the_answer_is_first(index):
    """What the page suggests works."""
    titles = [index.search(Query(question))[0].title for question in EXAMPLE_QUESTIONS]

    assert titles == [
        "When the library is open",
        "Getting a library card",
        "How many items you can borrow",
        "Study rooms",
        "Printing and copying",
        "Story time",
    ]


@needs_model
def test_sample_when_asked_naturally_then_every_passage_is_found(index):
    """Each is among the first three, and nearly always the first."""
    assert found(index, NATURAL, 3) == set(NATURAL)
    assert len(found(index, NATURAL, 1)) >= len(NATURAL) - 2
    assert all(index.search(Query(question))[0].score >= 0.25 for question in NATURAL)


def test_sample_when_asked_without_embeddings_then_most_passages_are_found(words_index):
    """Words alone go far if they are the document's."""
    assert len(found(words_index, NATURAL, 1)) >= 0.85 * len(NATURAL)


@pytest.mark.parametrize("built", [pytest.param("index", marks=needs_model), "words_index"])
def test_sample_when_asked_about_something_else_then_scores_are_low(request, built):
    """Most questions about something else are below what is answered."""
    searched = request.getfixturevalue(built)
    questions = QUESTIONS["off_topic"]["questions"]

    answered = [q for q in questions if any(p.score >= 0.25 for p in searched.search(Query(q)))]

    assert len(answered) <= len(questions) / 5
