"""Whether a webhook is from WhatsApp: HMAC-SHA256 of its body, by the app's secret. No I/O.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

from warmline.errors import ConfigError, RemoteProtocolError

__all__ = ["SIGNATURE", "WhatsAppSignatures", "verified_challenge"]

SIGNATURE: Final = "x-hub-signature-256"

_SIGNED: Final = re.compile(r"sha256=([0-9a-f]{64})", re.ASCII | re.IGNORECASE)


class WhatsAppSignatures:
    """The signatures of one app."""

    def __init__(self, app_secret: str) -> None:
        """Prepare.

        Args:
            app_secret: From the app's dashboard, under App settings, Basic.

        Raises:
            ConfigError: it is empty: anybody could sign with that.
        """
        if not app_secret.strip():
            raise ConfigError(
                "WHATSAPP_APP_SECRET is empty; it is shown in the app's dashboard at "
                "developers.facebook.com under App settings, Basic, App secret"
            )
        self._secret = app_secret.strip().encode()

    def verify(self, body: bytes, signature: str | None) -> None:
        """Return if WhatsApp sent a body.

        Args:
            body: As it came, byte for byte: a body that was parsed and written again has another signature.
            signature: What the header `SIGNATURE` says, if it is there.

        Raises:
            RemoteProtocolError: the code says why: `signature_missing`, `signature_malformed` or
                `signature_forged`.
        """
        if not signature or not signature.strip():
            raise _refused("missing", f"there is no {SIGNATURE}")
        found = _SIGNED.fullmatch(signature.strip())
        if found is None:
            raise _refused("malformed", f"{SIGNATURE} is not sha256= and 64 hexadecimal digits")
        if not hmac.compare_digest(bytes.fromhex(found[1]), self.sign(body)):
            raise _refused("forged", "the signature is not that of WHATSAPP_APP_SECRET over this body")

    def sign(self, body: bytes) -> bytes:
        """Return the 32 bytes that a body is signed with."""
        return hmac.digest(self._secret, body, hashlib.sha256)


def verified_challenge(query: Mapping[str, str], verify_token: str) -> str:
    """Return what a webhook's address is confirmed with: the body of the answer, as plain text.

    Args:
        query: Of the GET request that comes when the address is entered in the app's dashboard.
        verify_token: What was entered there beside it.

    Raises:
        RemoteProtocolError: it is no such request (`handshake_malformed`), or is made by somebody who
            does not know the token (`handshake_refused`).
    """
    challenge = query.get("hub.challenge", "")
    if query.get("hub.mode") != "subscribe" or not challenge:
        raise RemoteProtocolError(
            "a handshake was refused: it has no hub.mode=subscribe and hub.challenge",
            code="handshake_malformed",
        )
    given = query.get("hub.verify_token", "").encode(errors="replace")
    if not verify_token or not hmac.compare_digest(given, verify_token.encode()):
        raise RemoteProtocolError(
            "a handshake was refused: its hub.verify_token is not WHATSAPP_VERIFY_TOKEN",
            code="handshake_refused",
            param="hub.verify_token",
        )
    return challenge


def _refused(why: str, what: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"a webhook was refused: {what}", code=f"signature_{why}", param=SIGNATURE)
