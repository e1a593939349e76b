"""Who may connect: the page this server serves, the origins the operator named, and programs with the key.

Decisions only. A page elsewhere must not be able to reach a server on this machine, so three things
are checked: the `Host` (a name of somebody else's that points here is refused), the `Origin`, and a
token that only the served page was given.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from warmline.server.settings import Secret

__all__ = ["TOKEN_LIFE_S", "Access", "Admission", "Refusal"]

TOKEN_LIFE_S: Final = 12 * 3600
"""How long a page may connect, and connect again, with the token it was served with."""

_TOKEN_PREFIX: Final = "warmline-token."
_KEY_PREFIX: Final = "openai-insecure-api-key."
"""How a browser hands over a key in the OpenAI Realtime protocol: it can't set headers."""


_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via", "Origin")
"""What only a proxy or a page sends."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a connection was refused, and what to do."""

    status: HTTPStatus
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Admission:
    """The connection may be opened."""

    subprotocol: str | None
    """What to choose of the sub-protocols offered, or None."""


class Access:
    """The rules of one server.

    What changes here: nothing; the secret that tokens are signed with lives as long as the process.
    """

    def __init__(
        self,
        *,
        host: str,
        allowed_hosts: Sequence[str] = (),
        public_origins: Sequence[str] = (),
        api_key: Secret | None = None,
    ) -> None:
        self._names = {"localhost", host.lower(), *(name.lower() for name in allowed_hosts)}
        self._origins = frozenset(public_origins)
        self._api_key = api_key
        self._secret = secrets.token_bytes(32)

    def token(self, now_unix_s: int) -> str:
        """Return a token for a page that is being served; good for `TOKEN_LIFE_S`."""
        expires = str(now_unix_s + TOKEN_LIFE_S)
        return f"{expires}.{self._sign(expires)}"

    def check_host(self, host: str) -> Refusal | None:
        """Return why a request for this `Host` is refused, or None if it is one of ours.

        An address is always ours: only names can be made to point here by somebody else.
        """
        name = (urlsplit(f"//{host}").hostname or "").lower()
        if name in self._names or _is_address(name):
            return None
        return Refusal(
            HTTPStatus.MISDIRECTED_REQUEST,
            "host_not_allowed",
            f"This server is not known as {name!r}; if it should be, add the name to server.allowed_hosts",
        )

    def check_key(self, headers: Mapping[str, str]) -> Refusal | None:
        """Return why a program's request is refused, or None if it has the key; any case of names will do."""
        key = headers.get("Authorization", "").removeprefix("Bearer ")
        return None if key and self._is_key(key) else self._wrong_key()

    def is_local(self, peer: str, headers: Mapping[str, str]) -> bool:
        """Return whether a request is a program's on this machine, with no proxy between.

        Pages elsewhere may connect through a proxy on this machine, which asks from here for whoever asks it:
        where any may, nobody is taken to be local.

        Args:
            peer: The address that it came from.
            headers: The request's; any case of names will do.
        """
        host = urlsplit(f"//{headers.get('Host', '')}").hostname or ""
        is_forwarded = any(headers.get(name) for name in _FORWARDED)
        return not is_forwarded and not self._origins and _is_loopback(peer) and _is_loopback(host)

    def check(self, headers: Mapping[str, str], now_unix_s: int) -> Admission | Refusal:
        """Decide on a WebSocket's upgrade; `headers` finds names in any case."""
        refusal = self.check_host(headers.get("Host", ""))
        if refusal is not None:
            return refusal
        offered = [name.strip() for name in headers.get("Sec-WebSocket-Protocol", "").split(",")]
        admission = Admission("realtime" if "realtime" in offered else None)
        key = headers.get("Authorization", "").removeprefix("Bearer ") or _after(_KEY_PREFIX, offered)
        if key:
            return admission if self._is_key(key) else self._wrong_key()
        origin = headers.get("Origin")
        if origin is None:
            return self._wrong_key()
        if urlsplit(origin).netloc != headers.get("Host", "") and origin not in self._origins:
            return Refusal(
                HTTPStatus.FORBIDDEN,
                "origin_not_allowed",
                f"Pages of {origin} may not connect; if they should, add it to server.public_origins",
            )
        if not self._is_token(_after(_TOKEN_PREFIX, offered), now_unix_s):
            return Refusal(
                HTTPStatus.UNAUTHORIZED,
                "token_rejected",
                "The page's token is missing or has expired; reload the page",
            )
        return admission

    def _is_key(self, key: str) -> bool:
        return self._api_key is not None and self._api_key.matches(key)

    def _wrong_key(self) -> Refusal:
        return Refusal(
            HTTPStatus.UNAUTHORIZED,
            "invalid_api_key",
            "A program connects with `Authorization: Bearer KEY`, where KEY is the server's WARMLINE_API_KEY"
            + ("" if self._api_key else ", which is not set"),
        )

    def _is_token(self, token: str, now_unix_s: int) -> bool:
        expires, _, signature = token.partition(".")
        is_signed = hmac.compare_digest(signature.encode(), self._sign(expires).encode())
        return is_signed and now_unix_s < int(expires)

    def _sign(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def _after(prefix: str, names: Sequence[str]) -> str:
    return next((name.removeprefix(prefix) for name in names if name.startswith(prefix)), "")


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
