"""Texts to vectors, and recordings to text: what is sent, and what the answers mean."""

import base64
import email.parser
import email.policy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.errors import InputError, RemoteProtocolError
from warmline.providers.openai.embeddings_protocol import (
    EmbeddingSettings,
    batches,
    embedding_request,
    vectors,
)
from warmline.providers.openai.transcriptions_protocol import (
    TranscriptionSettings,
    transcript,
    transcription_request,
)

pytestmark = pytest.mark.unit


@given(sizes=st.lists(st.sampled_from([1, 10, 90_000, 400_000]), max_size=20))
def test_batches_are_the_texts_in_order_and_none_is_too_large(sizes):
    """But for a text that is too long by itself: the far end says so."""
    texts = ["x" * size for size in sizes]
    found = [list(batch) for batch in batches(texts)]
    assert [text for batch in found for text in batch] == texts
    assert all(batch and (len(batch) == 1 or sum(map(len, batch)) <= 300_000) for batch in found)


def test_a_batch_has_no_more_texts_than_a_request_may():
    assert [len(batch) for batch in batches(["x"] * 5000)] == [2048, 2048, 904]


def test_vectors_are_asked_for_in_base64_and_of_the_wanted_length():
    body = json.loads(embedding_request(["a", "b"], EmbeddingSettings("e", dimensions=256)).body)
    assert body == {"model": "e", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 256}
    assert "dimensions" not in json.loads(embedding_request(["a"], EmbeddingSettings("e")).body)


@given(
    st.lists(
        st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3, max_size=3),
        min_size=1,
    )
)
def test_vectors_are_in_the_order_of_their_texts_whichever_way_they_come(rows):
    """In any order, in base64, and as figures from servers that know no base64."""
    wanted = np.array(rows, dtype=np.float32)
    packed = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in wanted]
    for form in (packed, wanted.tolist()):
        data = [{"index": index, "embedding": each} for index, each in enumerate(form)]
        found = vectors(json.dumps({"data": data[::-1]}).encode(), len(rows))
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"data":[]}',
        b'{"data":[{"index":1,"embedding":"AACAPw=="}]}',
        b'{"data":[{"index":0,"embedding":"AACA"}]}',
        b'{"data":[{"index":0,"embedding":"%%"}]}',
        b'{"data":[{"index":0,"embedding":"AACAPw=="},{"index":0,"embedding":"AACAPw=="}]}',
    ],
)
def test_an_answer_that_is_not_one_vector_for_each_text_is_refused(body):
    """Vectors that stand beside the wrong texts would be worse than none."""
    with pytest.raises(RemoteProtocolError):
        vectors(body, 1)


def form_of(request):
    """Read a form as any MIME reader would."""
    kind = dict(request.headers)["content-type"]
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        f"content-type: {kind}\r\n\r\n".encode() + request.body
    )
    return {part.get_param("name", header="content-disposition"): part for part in message.iter_parts()}


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(recording=st.binary(min_size=1), name=NAMES)
def test_a_form_holds_the_recording_whatever_is_in_it_and_whatever_it_is_called(recording, name):
    """A name can't end its quotes or begin another field."""
    request = transcription_request(recording, name, "", TranscriptionSettings("t"), boundary="b_0123456789")
    head, _, rest = request.body.partition(b'filename="')
    assert rest[: rest.index(b'"\r\ncontent-type')].count(b'"') == 0
    assert rest.partition(b"\r\n\r\n")[2] == recording + b"\r\n--b_0123456789--\r\n"
    assert head.count(b"--b_0123456789\r\n") == 3


def test_a_form_says_the_model_and_the_language_if_it_is_known():
    request = transcription_request(b"RIFF", "a.wav", "de", TranscriptionSettings("t"), boundary="b_1")
    form = form_of(request)
    assert {name: form[name].get_content().strip() for name in ("model", "language", "response_format")} == {
        "model": "t",
        "language": "de",
        "response_format": "json",
    }
    assert form["file"].get_filename() == "a.wav"
    assert form["file"].get_payload(decode=True) == b"RIFF"


@pytest.mark.parametrize(
    ("recording", "said"), [(b"", "empty"), (bytes(26 * 1024 * 1024), "26.0 MiB.*cut it into parts")]
)
def test_a_recording_that_would_be_refused_is_not_sent(recording, said):
    """Uploading it would take long, and end in an error."""
    with pytest.raises(InputError, match=said):
        transcription_request(recording, "a.wav", "", TranscriptionSettings("t"), boundary="b_1")


def test_a_transcript_is_its_text():
    assert transcript('{"text":" Grüße. ","usage":{}}'.encode()) == "Grüße."
    with pytest.raises(RemoteProtocolError):
        transcript(b"<html>")
