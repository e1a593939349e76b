"""What the Graph API's failures are told as."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from warmline.channels.whatsapp.failure_kinds import GraphFailureKind, kind_of
from warmline.channels.whatsapp.failures import (
    GraphFailure,
    failure,
    media_failure,
    pool_failure,
    status_failure,
    unreadable_answer,
)
from warmline.errors import (
    LeaseTimeout,
    LineLost,
    NoAnswer,
    OpenFailed,
    PoolClosed,
    ProviderRejected,
    ProviderUnavailable,
)

pytestmark = pytest.mark.unit

K = GraphFailureKind


def body(code, message="", **fields):
    error = {"message": f"(#{code}) {message}", "type": "OAuthException", "code": code, "fbtrace_id": "AbC"}
    return json.dumps({"error": {**error, **fields}}).encode()


@pytest.mark.parametrize(
    ("status", "answer", "kind", "words"),
    [
        (401, body(190, "Error validating access token"), K.TOKEN, "WHATSAPP_TOKEN"),
        (400, body(0, "AuthException"), K.TOKEN, "WHATSAPP_TOKEN"),
        (401, b"", K.TOKEN, "WHATSAPP_TOKEN"),
        (403, body(10, "Permission denied"), K.REFUSED, "phone_number_id"),
        (403, body(203, "Permission denied"), K.REFUSED, "phone_number_id"),
        (400, body(131056, "Pair rate limit hit"), K.PAIR_RATE, "in 6 s"),
        (429, body(130429, "Rate limit hit"), K.THROUGHPUT, "more slowly"),
        (400, body(80007, "Rate limit"), K.THROUGHPUT, "more slowly"),
        (400, body(4, "Application request limit"), K.THROUGHPUT, "more slowly"),
        (429, b"", K.THROUGHPUT, "more slowly"),
        (500, body(131000, "Something went wrong"), K.TRANSIENT, "try again"),
        (503, body(131016, "Service unavailable"), K.TRANSIENT, "try again"),
        (400, body(131057, "Maintenance"), K.TRANSIENT, "try again"),
        (400, body(99, "?", is_transient=True), K.TRANSIENT, "try again"),
        (502, b"<html>", K.TRANSIENT, "HTTP status 502"),
        (400, body(131047, "Re-engagement message"), K.WINDOW_CLOSED, "templates"),
        (400, body(131026, "Message undeliverable"), K.UNDELIVERABLE, "this person"),
        (400, body(131030, "Not in allowed list"), K.UNDELIVERABLE, "add this one"),
        (400, body(131062, "BSUID"), K.UNDELIVERABLE, "needs a number"),
        (400, body(100, "Invalid parameter"), K.REFUSED, "[whatsapp]"),
        (400, body(132001, "Template does not exist"), K.REFUSED, "template"),
        (400, body(131042, "Payment"), K.REFUSED, "payment"),
        (400, body(368, "Policy"), K.REFUSED, "restricted"),
        (400, body(131052, "Media download"), K.MEDIA_GONE, "file"),
        (400, body(131053, "Media upload"), K.MEDIA_GONE, "upload it again"),
        (404, b"not json", K.REFUSED, "base_urls"),
    ],
)
def test_a_failure_says_what_to_do(status, answer, kind, words):
    """And what it means for a second try."""
    error = failure(status, {}, answer, what="sending a message")
    assert error.kind is kind
    assert words in str(error)
    assert str(error).startswith("sending a message at WhatsApp: ")
    may_help = kind in (K.PAIR_RATE, K.THROUGHPUT, K.TRANSIENT)
    assert isinstance(error, ProviderUnavailable if may_help else ProviderRejected)
    assert error.retryable is may_help


def test_a_failure_keeps_what_support_asks_for():
    """Meta's code, the details and the trace."""
    details = {"messaging_product": "whatsapp", "details": "The person left"}
    error = failure(400, {}, body(131026, "Undeliverable", error_data=details), what="sending a message")
    assert (error.code, error.request_id) == (131026, "AbC")
    assert "Undeliverable: The person left (400 131026)" in str(error)


def test_a_token_is_not_told():
    """It would stand in a log, and what is said about it may quote it."""
    token = "EAAGm0PX4ZCpsBAKZCxyz"
    refused = failure(401, {}, body(190, f"Malformed access token {token}"), what="sending a message")
    assert token not in str(refused)
    quoted = failure(400, {}, body(100, f"access_token={token}{token}"), what="sending a message")
    assert token not in str(quoted)


@pytest.mark.parametrize(
    "person",
    [
        "+49 151 2345-6789",
        "4915123456789",
        "+1 (555) 234-5678",
        "US.13491208655302741918",
        "wamid.HBgLNDkxNTEyMzQ1Njc4FQIAERgSNkI3",
    ],
)
def test_nobodys_number_is_told(person):
    """Nor what it can be read from."""
    for error in (
        failure(400, {}, body(131026, f"{person} is not there"), what="sending a message"),
        failure(400, {}, body(131026, error_data={"details": f"to {person}."}), what="sending a message"),
        status_failure(131026, f"{person} is not there"),
    ):
        assert person not in str(error)
        assert "2345" not in str(error)


@pytest.mark.parametrize("status", [408, 500, 502, 504])
def test_a_send_that_somebody_in_between_answered_may_have_been_accepted(status):
    """A gateway knows no more than that it got no answer."""
    assert failure(status, {}, b"<html>", what="x", is_sending=True).kind is K.UNKNOWN_OUTCOME
    assert failure(status, {}, body(131000), what="x", is_sending=True).kind is K.TRANSIENT


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NoAnswer("asking: no answer within 15 s"), K.UNKNOWN_OUTCOME),
        (LineLost("asking: the connection was dropped"), K.UNKNOWN_OUTCOME),
        (TimeoutError(), K.UNKNOWN_OUTCOME),
        (OpenFailed("no address"), K.TRANSIENT),
        (LeaseTimeout("no line"), K.TRANSIENT),
        (PoolClosed("closing"), K.TRANSIENT),
    ],
)
def test_a_send_without_an_answer_may_have_been_accepted_if_it_was_sent(error, kind):
    """Where no line could be had, nothing was."""
    told = pool_failure(error, what="sending a message", is_sending=True)
    assert told.kind is kind
    assert ("status" in str(told)) is (kind is K.UNKNOWN_OUTCOME)
    assert pool_failure(error, what="fetching media").kind is K.TRANSIENT


def test_an_answer_that_says_nothing_may_have_been_an_acceptance():
    """It had the status of one."""
    assert unreadable_answer({}, what="x", is_sending=True).kind is K.UNKNOWN_OUTCOME
    assert unreadable_answer({}, what="x").kind is K.TRANSIENT


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, K.TOKEN),
        (403, K.MEDIA_GONE),
        (404, K.MEDIA_GONE),
        (410, K.MEDIA_GONE),
        (429, K.THROUGHPUT),
        (500, K.TRANSIENT),
        (408, K.TRANSIENT),
        (400, K.REFUSED),
    ],
)
def test_a_file_that_is_refused_has_expired_as_a_rule(status, kind):
    """Its address is good for five minutes."""
    assert media_failure(status, {}, what="downloading a file").kind is kind


def test_an_id_that_is_unknown_is_a_file_that_is_gone_where_a_file_was_asked_for():
    """Elsewhere it is a setting that is wrong."""
    unknown = body(100, "Unsupported get request", error_subcode=33)
    assert failure(400, {}, unknown, what="x", is_media=True).kind is K.MEDIA_GONE
    told = failure(400, {}, unknown, what="x")
    assert told.kind is K.REFUSED
    assert "whatsapp.phone_number_id" in str(told)


def test_a_status_that_tells_of_a_failure_has_the_same_kinds():
    """A message is accepted at first, and fails a little later."""
    told = status_failure(131047, "Re-engagement message")
    assert (told.kind, told.code) == (K.WINDOW_CLOSED, 131047)
    assert str(told).startswith("delivering a message at WhatsApp: Re-engagement message (131047); ")
    assert kind_of(131047) is K.WINDOW_CLOSED


@given(st.integers(300, 599), st.binary(max_size=100) | st.integers().map(body), st.booleans(), st.booleans())
def test_any_answer_is_told(status, answer, is_sending, is_media):
    """And nothing else goes wrong with it."""
    told = failure(status, {}, answer, what="x", is_sending=is_sending, is_media=is_media)
    assert isinstance(told, GraphFailure)
    assert isinstance(told, ProviderUnavailable | ProviderRejected)
    assert told.provider == "whatsapp"
    assert is_sending or told.kind is not K.UNKNOWN_OUTCOME
