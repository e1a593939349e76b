"""Who may look at the dashboard: people at this machine, and whoever has the server's key.

Decisions only. The machine's own people are told apart by the server's address and by the name it was asked
under; a request that came through a proxy is from anywhere. A page of somebody else's that sends a browser
here is refused by what the browser itself says of where the request comes from.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from warmline.server.access import Refusal
from warmline.server.settings import Secret, Settings

__all__ = ["COOKIE", "COOKIE_LIFE_S", "DashboardAccess", "dashboard_access"]

COOKIE: Final = "warmline_dashboard"
COOKIE_LIFE_S: Final = 12 * 3600
"""How long somebody stays logged in; a restart of the server ends it as well."""

_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
"""Headers of which every proxy that tells of itself sends one."""

_SAME: Final = ("same-origin", "none")
"""`Sec-Fetch-Site` of our own page, and of an address that somebody typed."""


class DashboardAccess:
    """The rules of one server.

    What changes here: nothing; the secret that cookies are signed with lives as long as the process.
    """

    def __init__(self, *, host: str, public_names: Sequence[str] = (), api_key: Secret | None = None) -> None:
        """Prepare.

        Args:
            host: Where the server listens.
            public_names: Hosts and origins under which it is known elsewhere. A server that has any stands
                behind a proxy, and a proxy may call it by its loopback address.
            api_key: The server's, if it has one.
        """
        self._is_private = _is_loopback(host) and all(map(_is_loopback, map(_host_of, public_names)))
        self._api_key = api_key
        self._secret = secrets.token_bytes(32)

    @property
    def has_key(self) -> bool:
        """Whether there is a key to log in with."""
        return self._api_key is not None

    def check(self, headers: Mapping[str, str], cookie: str, now_unix_s: int) -> Refusal | None:
        """Return why a request is refused, or None.

        Args:
            headers: The request's, found in any case.
            cookie: The value of the one called `COOKIE`; empty without.
            now_unix_s: The instant, in seconds since 1970.
        """
        return self.check_origin(headers) or self.check_key(headers, cookie, now_unix_s)

    def check_key(self, headers: Mapping[str, str], cookie: str, now_unix_s: int) -> Refusal | None:
        """Do the same wherever the request comes from; for what holds nothing, such as the empty page."""
        if self.is_open(headers):
            return None
        if self._api_key is None:
            return _NO_KEY
        key = headers.get("Authorization", "").removeprefix("Bearer ")
        if key:
            return None if self._api_key.matches(key) else _WRONG_KEY
        return None if self._is_cookie(cookie, now_unix_s) else _LOG_IN

    def check_origin(self, headers: Mapping[str, str]) -> Refusal | None:
        """Return why a request is refused that a page of somebody else's made, or None."""
        site = headers.get("Sec-Fetch-Site")
        origin = headers.get("Origin")
        is_ours = origin is None or urlsplit(origin).netloc == headers.get("Host", "")
        return None if is_ours and (site is None or site in _SAME) else _ELSEWHERE

    def is_open(self, headers: Mapping[str, str]) -> bool:
        """Whether nothing need be proved: the request is one of this machine's to this machine."""
        is_direct = not any(headers.get(name) for name in _FORWARDED)
        return self._is_private and is_direct and _is_loopback(_host_of(f"//{headers.get('Host', '')}"))

    def log_in(self, headers: Mapping[str, str], key: str, now_unix_s: int) -> str | Refusal:
        """Return the cookie's value for who has the key; good for `COOKIE_LIFE_S`."""
        elsewhere = self.check_origin(headers)
        if elsewhere is not None:
            return elsewhere
        if self._api_key is None:
            return _NO_KEY
        if not self._api_key.matches(key):
            return _WRONG_KEY
        expires = str(now_unix_s + COOKIE_LIFE_S)
        return f"{expires}.{self._sign(expires)}"

    def _is_cookie(self, cookie: str, now_unix_s: int) -> bool:
        expires, _, signature = cookie.partition(".")
        is_signed = hmac.compare_digest(
            signature.encode("utf-8", "surrogateescape"), self._sign(expires).encode()
        )
        return is_signed and now_unix_s < int(expires)

    def _sign(self, text: str) -> str:
        told = text.encode("utf-8", "surrogateescape")
        return hmac.new(self._secret, told, hashlib.sha256).hexdigest()


def dashboard_access(settings: Settings) -> DashboardAccess:
    """Return the rules that settings make."""
    server = settings.server
    public_names = (*server.allowed_hosts, *server.public_origins, settings.phone.public_url)
    return DashboardAccess(
        host=server.host,
        public_names=[name for name in public_names if name],
        api_key=server.api_key,
    )


_NO_KEY: Final = Refusal(
    HTTPStatus.FORBIDDEN,
    "no_api_key",
    "Beyond the machine that it runs on the dashboard needs a key, and this server has none. Set "
    "WARMLINE_API_KEY in its environment, to at least 16 characters, and start it again",
)
_WRONG_KEY: Final = Refusal(
    HTTPStatus.UNAUTHORIZED, "invalid_api_key", "That is not the server's key, its WARMLINE_API_KEY"
)
_LOG_IN: Final = Refusal(
    HTTPStatus.UNAUTHORIZED,
    "not_logged_in",
    "Log in at /dashboard, or send `Authorization: Bearer KEY`, where KEY is the server's WARMLINE_API_KEY",
)
_ELSEWHERE: Final = Refusal(
    HTTPStatus.FORBIDDEN, "cross_site", "The dashboard answers its own page and programs, not other sites"
)


def _host_of(place: str) -> str:
    """Return the host of a URL, or of a name without anything around it."""
    try:
        return urlsplit(place if "//" in place else f"//{place}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
