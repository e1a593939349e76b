"""What Telnyx's errors are told as."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from warmline.channels.telephone.telnyx.failures import failure, is_call_over
from warmline.errors import ProviderRejected, ProviderUnavailable

pytestmark = pytest.mark.unit


def body(code, title, detail=""):
    return json.dumps({"errors": [{"code": code, "title": title, "detail": detail}]}).encode()


@pytest.mark.parametrize(
    ("status", "answer", "kind", "words"),
    [
        (401, body("10009", "Authentication failed", "KEY123"), ProviderRejected, "TELNYX_API_KEY"),
        (404, body("10005", "Resource not found"), ProviderRejected, "telnyx.connection_id"),
        (422, body("10015", "Invalid parameter"), ProviderRejected, "Invalid parameter"),
        (429, body("10011", "Too many requests"), ProviderUnavailable, "fewer calls"),
        (429, body("90103", "Dial rate"), ProviderUnavailable, "more slowly"),
        (402, b"", ProviderRejected, "billing"),
        (503, b"<html>", ProviderUnavailable, "HTTP status 503"),
    ],
)
def test_an_error_says_what_to_do(status, answer, kind, words):
    """And whether it helps to try again."""
    error = failure(status, {"x-request-id": "r1"}, answer, what="answering")
    assert type(error) is kind
    assert words in str(error)
    assert str(error).startswith("answering at Telnyx: ")
    assert error.request_id == "r1"


def test_neither_keys_nor_numbers_are_told():
    """They would stand in a log."""
    refused = failure(401, {}, body("10009", "Authentication failed", "KEY123 is wrong"), what="answering")
    assert "KEY123" not in str(refused)
    wrong = failure(422, {}, body("10015", "Invalid", "to +4915112345678 is wrong"), what="dial")
    assert "4915112345678" not in str(wrong)


def test_a_call_that_is_over_is_known():
    """By its code; other refusals have the same status."""
    assert is_call_over(422, body("90018", "Call has already ended"))
    assert not is_call_over(422, body("10015", "Invalid parameter"))
    assert not is_call_over(404, body("90018", "Call has already ended"))


@given(st.integers(400, 599), st.binary(max_size=100))
def test_any_answer_is_told(status, answer):
    """And nothing else goes wrong with it."""
    assert failure(status, {}, answer, what="x").provider == "telnyx"
    assert not is_call_over(status, answer)
