"""Who may connect."""

from http import HTTPStatus

import pytest
from starlette.datastructures import Headers

from warmline.server.access import TOKEN_LIFE_S, Access, Admission, Refusal
from warmline.server.settings import Secret

pytestmark = pytest.mark.unit

NOW = 1_795_132_800
KEY = "a-key-of-some-length"


def access(**settings) -> Access:
    return Access(host="127.0.0.1", **settings)


def page(rules: Access, *, host="127.0.0.1:8080", origin="http://127.0.0.1:8080", token=None, at=NOW):
    """Decide on a page's upgrade."""
    token = rules.token(NOW) if token is None else token
    headers = {"Host": host, "Origin": origin, "Sec-WebSocket-Protocol": f"realtime, warmline-token.{token}"}
    return rules.check(headers, at)


def code(decision: Admission | Refusal) -> str:
    return decision.code if isinstance(decision, Refusal) else "admitted"


def test_the_served_page_is_admitted_with_the_realtime_subprotocol():
    """Until its token expires."""
    assert page(access()) == Admission("realtime")
    assert code(page(access(), at=NOW + TOKEN_LIFE_S - 1)) == "admitted"


def test_another_sites_page_is_refused_even_with_a_token():
    """A page elsewhere can open a socket to this machine; it can't have this origin."""
    assert code(page(access(), origin="https://evil.example")) == "origin_not_allowed"
    assert code(page(access(), origin="null")) == "origin_not_allowed"


def test_a_name_pointed_here_by_somebody_else_is_refused():
    """DNS rebinding makes origin and host agree; the name gives it away."""
    assert (
        code(page(access(), host="evil.example:8080", origin="http://evil.example:8080"))
        == "host_not_allowed"
    )
    assert access().check_host("evil.example:8080") is not None
    assert access().check_host("") is not None


@pytest.mark.parametrize(
    "host", ["localhost:8080", "127.0.0.1", "[::1]:8080", "192.168.1.20:8080", "voice.example:80"]
)
def test_own_names_and_any_address_are_the_servers(host):
    """An address can't be made to point elsewhere."""
    assert access(allowed_hosts=["voice.example"]).check_host(host) is None


def test_a_named_origin_is_admitted_with_a_token():
    """The operator's own site embeds the client."""
    rules = access(public_origins=["https://voice.example"])
    assert code(page(rules, origin="https://voice.example")) == "admitted"


@pytest.mark.parametrize("token", ["", "x", "1.2", "99999999999.00", "٣.٣", f"{NOW - 1}.{'0' * 64}"])
def test_a_forged_token_is_refused(token):
    """Whatever it looks like."""
    assert code(page(access(), token=token)) == "token_rejected"


def test_an_expired_token_is_refused_and_so_is_another_processs():
    """A restart asks pages to reload."""
    assert code(page(access(), at=NOW + TOKEN_LIFE_S)) == "token_rejected"
    assert code(page(access(), token=access().token(NOW))) == "token_rejected"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Sec-WebSocket-Protocol": f"realtime, openai-insecure-api-key.{KEY}"},
    ],
)
def test_a_program_with_the_key_is_admitted(headers):
    """As the SDK sends it, and as a browser's client must."""
    assert code(access(api_key=Secret(KEY)).check({"Host": "localhost", **headers}, NOW)) == "admitted"
    assert code(access().check({"Host": "localhost", **headers}, NOW)) == "invalid_api_key"
    assert (
        code(access(api_key=Secret(KEY + "x")).check({"Host": "localhost", **headers}, NOW))
        == "invalid_api_key"
    )


def test_a_program_without_a_key_is_told_what_to_do():
    """It has no origin, and no token would help it."""
    decision = access().check({"Host": "localhost"}, NOW)
    assert isinstance(decision, Refusal)
    assert decision.status is HTTPStatus.UNAUTHORIZED
    assert "WARMLINE_API_KEY" in decision.message
    assert "not set" in decision.message


@pytest.mark.parametrize(
    ("peer", "headers", "is_local"),
    [
        ("127.0.0.1", {"Host": "127.0.0.1:8080"}, True),
        ("::1", {"Host": "[::1]:8080"}, True),
        ("127.0.0.1", {"Host": "localhost"}, True),
        ("10.0.0.2", {"Host": "127.0.0.1:8080"}, False),
        ("127.0.0.1", {"Host": "voice.example.com"}, False),
        ("127.0.0.1", {"Host": "10.0.0.1"}, False),
        ("127.0.0.1", {"Host": "localhost", "X-Forwarded-For": "203.0.113.5"}, False),
        ("127.0.0.1", {"Host": "localhost", "Origin": "http://localhost"}, False),
        ("", {"Host": "localhost"}, False),
        ("127.0.0.1", {}, False),
    ],
)
def test_a_request_is_local_if_it_comes_from_this_machine_to_this_machine(peer, headers, is_local):
    """A proxy on this machine asks from here, too, for whoever asks it."""
    assert Access(host="127.0.0.1").is_local(peer, Headers(headers)) is is_local
    published = Access(host="127.0.0.1", public_origins=("https://voice.example.com",))
    assert not published.is_local(peer, Headers(headers))
