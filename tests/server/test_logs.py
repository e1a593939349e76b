import json
import logging
import ssl
import sys

import pytest

from warmline.core.loggable import code_word, loggable
from warmline.errors import (
    HandshakeRefused,
    InvalidTransition,
    LineLost,
    OpenFailed,
    ProviderRejected,
    RemoteProtocolError,
)
from warmline.server.logs import LogLines

pytestmark = pytest.mark.unit

WORDS = "my card number is canary"


def record(name="warmline.session", msg="reply.failed", args=(), error=None, **fields):
    info = None
    if error is not None:
        try:
            raise error
        except type(error):
            info = sys.exc_info()
    made = logging.makeLogRecord({
        "name": name, "msg": msg, "args": args, "exc_info": info, "levelname": "ERROR",
        "filename": "there.py", "lineno": 7, **fields,
    })  # fmt: skip
    return LogLines(as_json=False).format(made), json.loads(LogLines(as_json=True).format(made))


def test_our_own_line_is_an_event_and_its_fields():
    text, line = record(status=401, spans={"a": 1})
    assert text.endswith("reply.failed status=401")
    assert {key: line[key] for key in ("event", "status", "spans", "level")} == {
        "event": "reply.failed",
        "status": 401,
        "spans": {"a": 1},
        "level": "error",
    }


def test_a_librarys_line_is_told_by_its_place_and_without_what_it_quotes():
    text, line = record(name="asyncio", msg=f"Task exception was never retrieved: {WORDS}", secret=WORDS)
    assert text.endswith("library.told library=asyncio place=there.py:7")
    assert WORDS not in json.dumps(line)


def test_a_librarys_own_text_around_what_is_to_be_filled_in_is_shown():
    text, line = record(name="opentelemetry.x", msg="Failed to export %s batch", args=(WORDS,))
    assert line["text"] == "Failed to export %s batch"
    assert "Failed to export %s batch" in text
    assert WORDS not in text


def test_an_exception_is_told_by_its_kinds_and_places_alone():
    inner = ValueError(WORDS)
    group = ExceptionGroup(WORDS, [ProviderRejected(WORDS, provider="openai", phase="stream", status=402)])
    group.__cause__ = inner
    text, line = record(error=group)
    assert WORDS not in text + json.dumps(line)
    assert line["traceback"].splitlines() == [
        "ValueError",
        "of which came",
        "ExceptionGroup cause=ValueError",
        f"  test_logs.py:{line['traceback'].split('test_logs.py:')[1].split()[0]} in record",
        "  | ProviderRejected provider=openai phase=stream status=402",
    ]


def test_an_exception_that_is_its_own_context_ends():
    first, second = ValueError(WORDS), KeyError(WORDS)
    first.__context__, second.__context__ = second, first
    text, _ = record(error=first)
    assert text.count("ValueError") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("invalid_api_key", "invalid_api_key"),
        ("NET-0001", "NET-0001"),
        ("21211", "21211"),
        ("sk-proj-4f9aA81b", ""),
        ("15550001111", ""),
        ("it does not take this", ""),
        ("", ""),
    ],
)
def test_a_code_is_a_word_or_a_small_number(text, expected):
    """A key, a number and a sentence are none."""
    assert code_word(text) == expected


def caused_by(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            ProviderRejected(
                WORDS, provider="openai", phase="first_result", status=401, code="no_key", request_id="req_1"
            ),
            {"problem": "ProviderRejected", "provider": "openai", "phase": "first_result", "status": 401,
             "code": "no_key", "request_id": "req_1"},
        ),
        (
            ProviderRejected(WORDS, provider="x", phase="stream", code=WORDS, request_id=WORDS),
            {"problem": "ProviderRejected", "provider": "x", "phase": "stream"},
        ),
        (LineLost(WORDS, code=1011, reason=WORDS), {"problem": "LineLost", "code": 1011}),
        (
            HandshakeRefused(WORDS, status=403, headers={}, body=b""),
            {"problem": "HandshakeRefused", "status": 403},
        ),
        (
            InvalidTransition("call", "ended", "answered"),
            {"problem": "InvalidTransition", "machine": "call", "state": "ended", "event_name": "answered"},
        ),
        (RemoteProtocolError(WORDS, code="bad_json"), {"problem": "RemoteProtocolError", "code": "bad_json"}),
        (
            caused_by(OpenFailed(WORDS), ConnectionRefusedError(111, WORDS)),
            {"problem": "OpenFailed", "cause": "Connection refused"},
        ),
        (FileNotFoundError(2, WORDS, WORDS), {"problem": "FileNotFoundError",
                                              "cause": "No such file or directory"}),
        (caused_by(OpenFailed(WORDS), ssl.SSLError(1, WORDS)),
         {"problem": "OpenFailed", "cause": "SSLError"}),
    ],
)  # fmt: skip
def test_of_an_error_the_kind_the_status_and_the_codes_are_told_and_never_the_text(error, expected):
    assert loggable(error) == expected
    assert WORDS not in str(loggable(error))
