"""Who may look at the dashboard."""

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.server.access import Refusal
from warmline.server.observability.dashboard.access import (
    COOKIE_LIFE_S,
    DashboardAccess,
    dashboard_access,
)
from warmline.server.settings import PhoneTable, Secret, ServerTable, Settings

pytestmark = pytest.mark.unit

NOW = 1_795_132_800
KEY = "a-key-of-some-length"
HERE = {"Host": "127.0.0.1:8080"}
ELSEWHERE = {"Host": "192.168.1.20:8080"}


def access(host="127.0.0.1", key=KEY, **settings) -> DashboardAccess:
    return DashboardAccess(host=host, api_key=Secret(key) if key else None, **settings)


def code(rules: DashboardAccess, headers, cookie="", at=NOW) -> str:
    refusal = rules.check(headers, cookie, at)
    return refusal.code if refusal else "admitted"


def cookie_of(rules: DashboardAccess) -> str:
    made = rules.log_in(ELSEWHERE, KEY, NOW)
    assert isinstance(made, str)
    return made


@pytest.mark.parametrize("listens", ["127.0.0.1", "localhost", "::1", "127.8.9.10"])
@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080"])
@pytest.mark.parametrize("key", [KEY, ""])
def test_people_at_the_machine_need_no_key(listens, host, key):
    assert code(access(listens, key), {"Host": host}) == "admitted"


@pytest.mark.parametrize(
    ("listens", "headers"),
    [
        ("0.0.0.0", HERE),
        ("127.0.0.1", ELSEWHERE),
        ("127.0.0.1", {"Host": "voice.example"}),
        ("127.0.0.1", {}),
        ("127.0.0.1", {"Host": "127.0.0.1.evil.example"}),
    ],
)
def test_everybody_else_does(listens, headers):
    assert code(access(listens), headers) == "not_logged_in"
    assert code(access(listens, ""), headers) == "no_api_key"


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"])
def test_what_a_proxy_on_the_machine_passes_on_is_from_elsewhere(header):
    assert code(access(), {**HERE, header: "203.0.113.9"}) == "not_logged_in"


@pytest.mark.parametrize(
    "settings",
    [
        {"server": ServerTable(allowed_hosts=("voice.example",))},
        {"server": ServerTable(public_origins=("https://voice.example",))},
        {"phone": PhoneTable(public_url="https://voice.example")},
    ],
)
def test_a_server_that_is_known_by_a_public_name_asks_for_the_key_under_its_own_address_too(settings):
    """A proxy in front of it that tells of nobody calls it by that."""
    rules = dashboard_access(Settings(**settings))
    assert code(rules, HERE) == "no_api_key"
    assert code(dashboard_access(Settings()), HERE) == "admitted"
    own = Settings(phone=PhoneTable(public_url="http://127.0.0.1:8080"))
    assert code(dashboard_access(own), HERE) == "admitted"


def test_a_refusal_without_a_key_says_what_to_do():
    refusal = access(key="").check(ELSEWHERE, "", NOW)
    assert refusal is not None
    assert refusal.status == HTTPStatus.FORBIDDEN
    assert "Set WARMLINE_API_KEY" in refusal.message


def test_a_program_shows_the_key():
    assert code(access(), {**ELSEWHERE, "Authorization": f"Bearer {KEY}"}) == "admitted"
    assert code(access(), {**ELSEWHERE, "Authorization": "Bearer another-key-of-some-length"}) == (
        "invalid_api_key"
    )
    assert code(access(key=""), {**ELSEWHERE, "Authorization": "Bearer x"}) == "no_api_key"


def test_who_logged_in_is_known_until_the_cookie_expires():
    rules = access()
    cookie = cookie_of(rules)
    assert code(rules, ELSEWHERE, cookie) == "admitted"
    assert code(rules, ELSEWHERE, cookie, NOW + COOKIE_LIFE_S - 1) == "admitted"
    assert code(rules, ELSEWHERE, cookie, NOW + COOKIE_LIFE_S) == "not_logged_in"


def test_a_cookie_of_another_server_or_with_a_later_date_is_none():
    rules = access()
    expires, _, signature = cookie_of(rules).partition(".")
    assert code(rules, ELSEWHERE, cookie_of(access())) == "not_logged_in"
    assert code(rules, ELSEWHERE, f"{int(expires) + 1}.{signature}") == "not_logged_in"


@given(st.text())
def test_no_other_cookie_is_taken(cookie):
    assert code(access(), ELSEWHERE, cookie) == "not_logged_in"


def test_another_key_does_not_log_in():
    made = access().log_in(ELSEWHERE, "another-key-of-some-length", NOW)
    assert isinstance(made, Refusal)
    assert made.code == "invalid_api_key"
    none = access(key="").log_in(ELSEWHERE, "", NOW)
    assert isinstance(none, Refusal)
    assert none.code == "no_api_key"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_a_page_of_somebody_elses_is_refused_whoever_opened_it(headers):
    """Also at the machine itself, and also with the cookie or the key."""
    rules = access()
    assert code(rules, {**HERE, **headers}) == "cross_site"
    assert code(rules, {**ELSEWHERE, **headers}, cookie_of(rules)) == "cross_site"
    assert code(rules, {**ELSEWHERE, **headers, "Authorization": f"Bearer {KEY}"}) == "cross_site"
    made = rules.log_in({**HERE, **headers}, KEY, NOW)
    assert isinstance(made, Refusal)
    assert rules.check_key({**HERE, **headers}, "", NOW) is None, "the empty page may be linked to"


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_its_own_page_and_a_typed_address_are_answered(site):
    assert code(access(), {**HERE, "Sec-Fetch-Site": site, "Origin": "http://127.0.0.1:8080"}) == "admitted"
