"""Whether a request is from Twilio: an HMAC over its address and its form. No I/O.

https://www.twilio.com/docs/usage/security
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal
from urllib.parse import parse_qs, urlsplit

from warmline.channels.telephone.headers import header
from warmline.errors import ConfigError, RemoteProtocolError

__all__ = ["SETTINGS", "SIGNATURE", "Algorithm", "TwilioSignatures", "sign"]

SIGNATURE: Final = "x-twilio-signature"
SETTINGS: Final = "x-twilio-webhooks-signature-settings"
"""Says which shared key a request is signed with, and how; absent where it is the account's token."""

Algorithm = Literal["HMAC_SHA1", "HMAC_SHA256"]

_HASHES: Final = {"HMAC_SHA1": hashlib.sha1, "HMAC_SHA256": hashlib.sha256}
_PORTS: Final = {"http": (80,), "https": (443,), "ws": (80,), "wss": (443, 80)}
"""Twilio signs addresses with their port or without; its own library takes 80 for that of `wss`."""

_BODY_HASH: Final = "bodySHA256"

Form = Sequence[tuple[str, str]]
"""Names and values in their order; a name may stand there more than once."""


class TwilioSignatures:
    """The signatures of one account."""

    def __init__(self, auth_token: str, shared_keys: Mapping[str, str] | None = None) -> None:
        """Prepare.

        Args:
            auth_token: The account's, from the console's first page.
            shared_keys: Secrets by their ids, where requests are signed with those.

        Raises:
            ConfigError: there is no token.
        """
        if not auth_token.strip():
            raise ConfigError("TWILIO_AUTH_TOKEN is empty; it is shown on the first page of Twilio's console")
        self._token = auth_token.strip()
        self._shared_keys = dict(shared_keys or {})

    def verify(self, url: str, headers: Mapping[str, str], form: Form = (), *, body: bytes = b"") -> None:
        """Return if Twilio sent the request.

        A WebSocket's handshake is signed as well: its address begins with `wss://`, and it has no form.

        Args:
            url: As Twilio was given it, with its query; behind a proxy the public one.
            headers: In any case.
            form: What a form holds.
            body: What is no form, byte for byte.

        Raises:
            RemoteProtocolError: the code says why: `signature_missing`, `signature_malformed` or
                `signature_forged`.
        """
        given = header(headers, SIGNATURE)
        if not given:
            raise _refused("missing", f"there is no {SIGNATURE}")
        try:
            base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError) as error:
            raise _refused("malformed", f"{SIGNATURE} is not base64") from error
        secret, algorithm = self._secret(header(headers, SETTINGS))
        hashes = _query(url).get(_BODY_HASH)
        if hashes and not form:
            if not hmac.compare_digest(hashlib.sha256(body).hexdigest(), _ascii(hashes[0].lower())):
                raise _refused("forged", f"the body is not that of {_BODY_HASH}")
        elif body:
            raise _refused("forged", "the signature says nothing of the body, which is no form")
        # All are compared, however early one fits.
        fits = [hmac.compare_digest(sign(secret, each, form, algorithm), given) for each in _spellings(url)]
        if not any(fits):
            raise _refused(
                "forged",
                "the signature is not that of TWILIO_AUTH_TOKEN over this address and form: behind a proxy, "
                "the address has to be the one that Twilio was given",
            )

    def _secret(self, settings: str) -> tuple[str, Algorithm]:
        """Return what a request is signed with, as its settings say."""
        pairs = [part.partition("=") for part in settings.split(",")]
        named = {name.strip(): value.strip() for name, _, value in pairs if value.strip()}
        algorithm = named.get("algorithm", "HMAC_SHA1").upper()
        if algorithm not in _HASHES:
            raise _refused("malformed", f"{SETTINGS} names an algorithm that is not known", SETTINGS)
        secret = self._token if "key" not in named else self._shared_keys.get(named["key"])
        if secret is None:
            raise _refused("forged", f"{SETTINGS} names a shared key that is not in the settings", SETTINGS)
        return secret, "HMAC_SHA256" if algorithm == "HMAC_SHA256" else "HMAC_SHA1"


def sign(secret: str, url: str, form: Form = (), algorithm: Algorithm = "HMAC_SHA1") -> str:
    """Return the signature of a request, in base64.

    Names stand in alphabetical order, each with its values; a pair that is repeated stands once.
    """
    signed = url + "".join(name + value for name, value in sorted(set(form)))
    digest = hmac.new(secret.encode(), signed.encode("utf-8", "surrogatepass"), _HASHES[algorithm]).digest()
    return base64.b64encode(digest).decode()


def _spellings(url: str) -> Iterable[str]:
    """Return the ways in which an address may have been signed: as it is, without its port, and with it."""
    spellings = [url]
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return spellings
    host = parts.netloc if port is None else parts.netloc.rpartition(":")[0]
    ports = _PORTS.get(parts.scheme, ()) if port is None else (port,)
    return [
        *spellings,
        *(parts._replace(netloc=each).geturl() for each in (host, *(f"{host}:{p}" for p in ports))),
    ]


def _query(url: str) -> Mapping[str, list[str]]:
    try:
        return parse_qs(urlsplit(url).query)
    except ValueError:
        return {}


def _ascii(text: str) -> str:
    """Return what can be compared in constant time."""
    return text if text.isascii() else ""


def _refused(why: str, what: str, param: str = SIGNATURE) -> RemoteProtocolError:
    return RemoteProtocolError(f"a request was refused: {what}", code=f"signature_{why}", param=param)
