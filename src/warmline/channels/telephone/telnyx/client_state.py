"""The text that Telnyx keeps with a call and sends back with every event. No I/O."""

from __future__ import annotations

import base64
import binascii

__all__ = ["decode_client_state", "encode_client_state"]


def encode_client_state(text: str) -> str:
    """Return a text as the wire has it, in base64."""
    return base64.b64encode(text.encode()).decode()


def decode_client_state(state: str | None) -> str:
    """Return the text that `encode_client_state` was given; what is not of that form, as it is."""
    if not state:
        return ""
    try:
        return base64.b64decode(state, validate=True).decode()
    except (binascii.Error, ValueError):
        return state
