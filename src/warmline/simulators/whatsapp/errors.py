"""The Graph API's error bodies, and WhatsApp's codes in them."""

from __future__ import annotations

import secrets
from typing import Any, Final

from aiohttp import web

from warmline.simulators.faults import FaultKind
from warmline.simulators.simulator import json_response

__all__ = ["Refused", "failure", "no_object", "problem", "refusal", "required"]

_DOCS: Final = "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes"

_KNOWN: Final[dict[int, tuple[int, str, str]]] = {
    # Status, title, details. The documents give some of these no status, and others disagree over it, which
    # is why clients are told to go by the code.
    0: (401, "AuthException", "We were unable to authenticate the app user."),
    2: (500, "API Service", "Temporary due to downtime or due to being overloaded."),
    3: (500, "API Method", "Capability or permissions issue."),
    4: (429, "API Too Many Calls", "The app has reached its API call rate limit."),
    10: (403, "Permission Denied", "Permission is either not granted or has been removed."),
    100: (400, "Invalid parameter", ""),
    190: (401, "Access token has expired", ""),
    368: (
        403,
        "Temporarily blocked for policies violations",
        "The account is restricted for violating a policy.",
    ),
    2200: (400, "Callback verification failed", ""),
    80007: (429, "Rate limit issues", "The WhatsApp Business Account has reached its rate limit."),
    130429: (429, "Rate limit hit", "Message failed to send because the throughput limit was reached."),
    130472: (400, "User's number is part of an experiment", "Message was not sent: an experiment."),
    131000: (500, "Something went wrong", "Message failed to send due to an unknown error."),
    131005: (403, "Access denied", "Permission is either not granted or has been removed."),
    131008: (400, "Required parameter is missing", ""),
    131009: (400, "Parameter value is not valid", ""),
    131016: (500, "Service unavailable", "A service is temporarily unavailable."),
    131021: (400, "Recipient cannot be sender", "Sender and recipient phone number is the same."),
    131026: (400, "Message undeliverable", "Message Undeliverable."),
    131030: (400, "Recipient phone number not in allowed list", "Add it to the recipient list."),
    131031: (403, "Account has been locked", "The account was restricted or disabled."),
    131037: (400, "Display name approval needed", "The number's display name is not approved."),
    131042: (400, "Business eligibility payment issue", "There was a problem with the payment method."),
    131045: (500, "Incorrect certificate", "Message failed to send due to a registration error."),
    131047: (
        400,
        "Re-engagement message",
        "Message failed to send because more than 24 hours have passed since the customer last replied to "
        "this number.",
    ),
    131048: (429, "Spam rate limit hit", "Too many earlier messages were blocked or flagged as spam."),
    131049: (400, "Message not delivered", "Kept back to maintain healthy ecosystem engagement."),
    131050: (400, "User stopped marketing messages", "The user does not want marketing messages."),
    131051: (400, "Unsupported message type", "Message type is not currently supported."),
    131052: (400, "Media download error", "Unable to download the media sent by the user."),
    131053: (400, "Media upload error", "Unable to upload the media used in the message."),
    131056: (
        429,
        "(Business Account, Consumer Account) pair rate limit hit",
        "Message failed to send because there were too many messages sent from this phone number to the "
        "same phone number in a short period of time.",
    ),
    131057: (500, "Account in maintenance mode", "Business Account is in maintenance mode."),
    131062: (400, "BSUID recipients not supported", "Not supported for this message."),
    132000: (400, "Template Param Count Mismatch", "The number of parameters is not the template's."),
    132001: (400, "Template does not exist", "The template does not exist in the translation."),
    133016: (429, "Account register deregister rate limit exceeded", "There were too many attempts."),
}

_TRANSIENT: Final = frozenset({2, 131000, 131016})

_EXPIRED: Final = (
    "Error validating access token: Session has expired on Friday, 20-Nov-26 09:00:00 PST. The current time "
    "is Saturday, 21-Nov-26 09:00:00 PST."
)

_REFUSALS: Final = {
    FaultKind.BAD_KEY: 190,
    FaultKind.RATE_LIMITED: 130429,
    FaultKind.RATE_LIMITED_OLD: 80007,
    FaultKind.QUOTA: 131042,
    FaultKind.OVERLOADED: 131016,
}


class Refused(Exception):
    """A request that can't be served."""

    def __init__(self, code: int, details: str = "", *, message: str = "", subcode: int = 0) -> None:
        """Prepare.

        Args:
            code: Of those that are known here; any other is answered with 400.
            details: What `error_data` says; the code's own by default.
            message: The code's title by default.
            subcode: As the Graph API has it beside some codes.
        """
        self.status, title, known = _KNOWN.get(code, (400, "Something went wrong", ""))
        self.code = code
        self.subcode = subcode
        self.details = details or known
        self.message = message or f"(#{code}) {title}"
        super().__init__(self.message)


def required(name: str) -> Refused:
    """Return the refusal of a request that lacks something."""
    return Refused(100, message=f"(#100) The parameter {name} is required.")


def no_object(name: str, verb: str = "get") -> Refused:
    """Return the refusal of a request for what does not exist, or does no longer."""
    message = (
        f"Unsupported {verb} request. Object with ID '{name}' does not exist, cannot be loaded due to "
        "missing permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api"
    )
    return Refused(100, message=message, subcode=33)


def problem(refused: Refused) -> web.Response:
    """Return the answer to a request that can't be served."""
    error: dict[str, Any] = {
        "message": refused.message,
        "type": "GraphMethodException" if refused.subcode == 33 else "OAuthException",
        "code": refused.code,
    }
    if refused.details:
        error["error_data"] = {"messaging_product": "whatsapp", "details": refused.details}
    if refused.subcode:
        error["error_subcode"] = refused.subcode
    if refused.code in _TRANSIENT:
        error["is_transient"] = True
    error["fbtrace_id"] = f"A{secrets.token_urlsafe(16)}"
    return json_response({"error": error}, status=refused.status)


def refusal(kind: FaultKind, retry_after: str = "") -> web.Response:
    """Return the answer to a request that is refused whatever it asks for."""
    code = _REFUSALS.get(kind, 131000)
    response = problem(Refused(190, message=_EXPIRED, subcode=463) if code == 190 else Refused(code))
    if retry_after:
        response.headers["retry-after"] = retry_after
    return response


def failure(code: int, details: str = "") -> dict[str, Any]:
    """Return what a status of `failed` says of the reason."""
    _, title, known = _KNOWN.get(code, (400, "Something went wrong", ""))
    return {
        "code": code,
        "title": title,
        "message": title,
        "error_data": {"details": details or known or title},
        "href": _DOCS,
    }
