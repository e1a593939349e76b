"""Building an index of a folder, and asking it."""

import pytest

from warmline.errors import InputError
from warmline.interfaces.retriever import Query
from warmline.knowledge.index import Progress, Stage, build_index
from warmline.knowledge.minilm import find_model

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

needs_model = pytest.mark.skipif(find_model() is None, reason="the embedding model is not installed")
both_ways = pytest.mark.parametrize("embeddings", [pytest.param(True, marks=needs_model), False])

PARKING = "You may leave your car behind the house for three hours."
SOUP = "The cafe sells tomato soup at noon."


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "parking.md").write_text(f"# Parking\n\n{PARKING}\n")
    (folder / "cafe.md").write_text(f"# Cafe\n\n## Soup\n\n{SOUP}\n")
    return folder


@both_ways
def test_index_when_asked_then_the_passage_that_fits_is_first(folder, tmp_path, embeddings):
    """A passage carries what a person needs to know where it is from."""
    index = build_index(folder, cache_dir=tmp_path, embeddings=embeddings)

    best = index.search(Query("can I have some soup"))[0]

    assert (best.text, best.title, best.source) == (SOUP, "Soup", "cafe.md")
    assert 0.25 < best.score <= 1
    assert (index.document_count, index.passage_count, index.has_embeddings) == (2, 2, embeddings)
    assert index.topics == ("Cafe", "Parking")
    assert index.sentences() == ("Cafe", "Soup", SOUP, "Parking", PARKING)


@both_ways
async def test_index_when_asked_from_the_loop_then_the_same_is_found(folder, tmp_path, embeddings):
    """Retrieval is the search, on a thread."""
    index = build_index(folder, cache_dir=tmp_path, embeddings=embeddings)
    query = Query("where do I leave my car")
    assert await index.retrieve(query) == index.search(query)


@both_ways
def test_index_when_the_question_is_strange_then_scores_stay_scores(folder, tmp_path, embeddings):
    """Whatever a recogniser or a person sends, it is answered or not found."""
    index = build_index(folder, cache_dir=tmp_path, embeddings=embeddings)

    for text in ["???", "\u4f60\u597d", "\U0001f600", "car " * 2000, "a\x00b", "\ud800"]:
        scores = [passage.score for passage in index.search(Query(text, alternatives=("", text)))]
        assert all(0 < score <= 1 for score in scores)
        assert scores == sorted(scores, reverse=True)


@both_ways
@pytest.mark.parametrize("query", [Query(""), Query(" \n"), Query("", alternatives=("", "\t"))])
def test_index_when_nothing_was_asked_then_nothing_is_found(folder, tmp_path, embeddings, query):
    """Silence is not a question."""
    assert build_index(folder, cache_dir=tmp_path, embeddings=embeddings).search(query) == ()


def test_index_when_two_headings_say_the_same_then_both_can_be_found(tmp_path):
    """Closed on Sunday and closed on Monday are two answers."""
    (tmp_path / "hours.md").write_text(
        "# Hours\n\n## Sunday\n\nWe are closed.\n\n## Monday\n\nWe are closed.\n"
    )
    index = build_index(tmp_path, embeddings=False)
    assert [index.search(Query(day))[0].title for day in ("sunday", "monday")] == ["Sunday", "Monday"]


@both_ways
def test_index_when_it_is_one_passage_then_it_can_be_found_and_missed(tmp_path, embeddings):
    """With nothing to compare with, the score is still one."""
    (tmp_path / "one.txt").write_text(PARKING)
    index = build_index(tmp_path / "one.txt", cache_dir=tmp_path, embeddings=embeddings)

    assert index.search(Query("may I leave my car there"))[0].score > 0.25
    assert all(passage.score < 0.25 for passage in index.search(Query("who painted the mona lisa")))


@both_ways
def test_index_when_a_reading_is_garbled_then_the_other_one_helps(folder, tmp_path, embeddings):
    """Both readings of a recogniser are looked up together."""
    index = build_index(folder, cache_dir=tmp_path, embeddings=embeddings)
    assert (
        index.search(Query("wear do eye leaf", alternatives=("where do I leave my car",)))[0].text == PARKING
    )


def test_index_when_fewer_passages_are_wanted_then_fewer_come(folder):
    """The setting is a limit."""
    index = build_index(folder, embeddings=False, top_k=1)
    assert len(index.search(Query("car or soup"))) == 1


def test_index_when_two_files_say_the_same_then_it_is_one_passage(folder):
    """A page and its copy are not two answers."""
    (folder / "parking.txt").write_text(f"Parking\n\n{PARKING}\n")
    index = build_index(folder, embeddings=False)
    assert (index.document_count, index.passage_count) == (3, 2)


def test_index_when_files_were_skipped_then_it_says_which(folder):
    """The one who built it can mend them."""
    (folder / "empty.txt").touch()
    assert [skip.source for skip in build_index(folder, embeddings=False).skipped] == ["empty.txt"]


def test_index_when_there_is_nothing_to_read_then_it_is_not_built(tmp_path):
    """An agent without documents is found out at the start."""
    with pytest.raises(InputError, match="is empty"):
        build_index(tmp_path, embeddings=False)


@needs_model
def test_index_when_built_again_then_only_what_is_new_is_embedded(folder, tmp_path):
    """The second start takes no time, and a change takes only its own."""

    def embedded() -> tuple[int, tuple[int, int]]:
        seen: list[Progress] = []
        build_index(folder, cache_dir=tmp_path / "cache", on_progress=seen.append)
        assert [step.name for step in seen if step.stage is Stage.READING] == ["cafe.md", "parking.md", ""]
        steps = [(step.done, step.total) for step in seen if step.stage is Stage.EMBEDDING]
        return steps[0][0], steps[-1]

    # Two passages, two titles, and one heading below a title.
    assert embedded() == (0, (5, 5))
    assert embedded() == (5, (5, 5))
    (folder / "parking.md").write_text("# Parking\n\nParking is ten dollars.\n")
    assert embedded() == (4, (5, 5))


@needs_model
def test_index_when_its_cache_is_damaged_then_it_is_made_again(folder, tmp_path):
    """Nobody has to know that there is a cache."""
    query = Query("where do I leave my car")
    before = build_index(folder, cache_dir=tmp_path / "cache").search(query)
    (file,) = (tmp_path / "cache" / "embeddings").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])

    after = build_index(folder, cache_dir=tmp_path / "cache")

    assert after.search(query) == before
    assert after.notes == ()
    assert len(file.read_bytes()) == len(whole)


@needs_model
def test_index_when_its_cache_cannot_be_written_then_it_works_and_says_so(folder, tmp_path):
    """A read-only system costs time at each start, no more."""
    (tmp_path / "cache").write_text("in the way")

    index = build_index(folder, cache_dir=tmp_path / "cache")

    assert index.search(Query("car"))[0].text == PARKING
    assert "choose another cache folder" in index.notes[0]
