"""How Twilio signs what it sends."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

__all__ = ["HEADER", "signature"]

HEADER = "X-Twilio-Signature"


def signature(auth_token: str, url: str, fields: Mapping[str, str] | None = None) -> str:
    """Return what a request to `url` is signed with; a handshake has no fields."""
    signed = url + "".join(name + value for name, value in sorted((fields or {}).items()))
    digest = hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()
