"""Whether a webhook is from Telnyx: Ed25519 over its time and its body. No I/O; the time is an argument.

https://developers.telnyx.com/docs/voice/programmable-voice/voice-api-webhooks
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from warmline.channels.telephone.headers import header
from warmline.errors import ConfigError, RemoteProtocolError

__all__ = ["SIGNATURE", "TIMESTAMP", "TelnyxSignatures"]

SIGNATURE: Final = "telnyx-signature-ed25519"
TIMESTAMP: Final = "telnyx-timestamp"

_WINDOW_S: Final = 300
"""Either way, as Telnyx's own libraries have it. Whoever overhears a webhook can repeat it for so long."""

_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_DIGITS: Final = 12


class TelnyxSignatures:
    """The signatures of one account."""

    def __init__(self, public_key: str) -> None:
        """Prepare.

        Args:
            public_key: The account's, in base64, from the portal's page on API keys.

        Raises:
            ConfigError: it is none.
        """
        try:
            key = base64.b64decode(public_key.strip(), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != _KEY_BYTES:
            raise ConfigError(
                "TELNYX_PUBLIC_KEY is not the base64 of 32 bytes; it is shown in the Telnyx portal "
                "under Account, Keys & Credentials, Public Key"
            )
        self._key = Ed25519PublicKey.from_public_bytes(key)

    def verify(self, body: bytes, headers: Mapping[str, str], now_s: float) -> int:
        """Return when a webhook was sent, in seconds since 1970, if Telnyx sent it and lately.

        Args:
            body: As it came, byte for byte.
            headers: In any case.
            now_s: The wall clock, in seconds since 1970.

        Raises:
            RemoteProtocolError: the code says why: `signature_missing`, `signature_malformed`,
                `signature_stale` or `signature_forged`.
        """
        signed, sent_at = header(headers, SIGNATURE), header(headers, TIMESTAMP)
        for name, value in ((SIGNATURE, signed), (TIMESTAMP, sent_at)):
            if not value:
                raise _refused("missing", f"there is no {name}", name)
        if not (sent_at.isascii() and sent_at.isdecimal() and len(sent_at) <= _DIGITS):
            raise _refused("malformed", f"{TIMESTAMP} is not a number of seconds", TIMESTAMP)
        try:
            signature = base64.b64decode(signed, validate=True)
        except (binascii.Error, ValueError) as error:
            raise _refused("malformed", f"{SIGNATURE} is not base64", SIGNATURE) from error
        if len(signature) != _SIGNATURE_BYTES:
            raise _refused("malformed", f"{SIGNATURE} does not have 64 bytes", SIGNATURE)
        age_s = round(now_s - int(sent_at))
        if abs(age_s) > _WINDOW_S:
            when = f"{age_s} s ago" if age_s > 0 else f"in {-age_s} s"
            raise _refused("stale", f"it says that it was sent {when}: see the clocks", TIMESTAMP)
        try:
            self._key.verify(signature, sent_at.encode() + b"|" + body)
        except InvalidSignature as error:
            raise _refused(
                "forged", "the signature is not that of TELNYX_PUBLIC_KEY over this body", SIGNATURE
            ) from error
        return int(sent_at)


def _refused(why: str, what: str, name: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"a webhook was refused: {what}", code=f"signature_{why}", param=name)
