"""What can be asked of Twilio for a call, as values. No I/O.

Twilio knows no repetition: a call that is asked for twice is made twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlencode

from warmline.pool.http import HttpRequest

__all__ = ["Detection", "TwilioCommand", "account", "create_call", "end_call", "record_call", "update_call"]

Detection = Literal["Enable", "DetectMessageEnd"]
StatusEvent = Literal["initiated", "ringing", "answered", "completed"]

_EVENTS: Sequence[StatusEvent] = ("initiated", "ringing", "answered", "completed")


@dataclass(frozen=True, slots=True)
class TwilioCommand:
    """One command."""

    name: str
    """What is being done, in words for people."""

    path: str
    """From the base URL on."""

    form: tuple[tuple[str, str], ...]
    is_repeatable: bool = False
    """Doing it twice comes to the same as doing it once."""

    def request(self) -> HttpRequest:
        """Return the request."""
        return HttpRequest(
            "POST",
            self.path,
            (("content-type", "application/x-www-form-urlencoded"),),
            urlencode(self.form).encode(),
            is_idempotent=self.is_repeatable,
        )


def create_call(
    account_id: str,
    *,
    to: str,
    from_number: str,
    twiml: bytes = b"",
    url: str = "",
    status_callback: str = "",
    timeout_s: int | None = None,
    time_limit_s: int | None = None,
    detection: Detection | None = None,
) -> TwilioCommand:
    """Call somebody.

    Args:
        account_id: `AccountSid`.
        to: A number in international form, or a SIP address.
        from_number: One of ours.
        twiml: What to do when it is answered;
        url: or where to ask for that.
        status_callback: Where every change of its state is told.
        timeout_s: How long it rings, up to 600; 60 by default.
        time_limit_s: After which the call ends; 4 hours by default.
        detection: Whether it is found out that a machine answers, before anything else is done.

    Raises:
        ValueError: what to do is not said, or said twice.
    """
    if bool(twiml) == bool(url):
        raise ValueError("what to do with a call is said by TwiML, or by where to ask for it: give one")
    form = [("To", to), ("From", from_number)]
    form.append(("Twiml", twiml.decode()) if twiml else ("Url", url))
    if status_callback:
        form += [("StatusCallback", status_callback), *(("StatusCallbackEvent", each) for each in _EVENTS)]
    optional = {"Timeout": timeout_s, "TimeLimit": time_limit_s, "MachineDetection": detection}
    form += [(name, str(value)) for name, value in optional.items() if value is not None]
    return TwilioCommand("dialling", f"{_account_path(account_id)}/Calls.json", tuple(form))


def update_call(account_id: str, call_id: str, twiml: bytes) -> TwilioCommand:
    """Do something else with a call that was answered, in place of what is done with it now."""
    return TwilioCommand("changing a call", _call_path(account_id, call_id), (("Twiml", twiml.decode()),))


def end_call(account_id: str, call_id: str) -> TwilioCommand:
    """End a call, whether it was answered or still rings."""
    form = (("Status", "completed"),)
    return TwilioCommand("hanging up", _call_path(account_id, call_id), form, is_repeatable=True)


def record_call(account_id: str, call_id: str, *, is_on: bool) -> TwilioCommand:
    """Begin to record a call that goes on, or end the recording in progress."""
    path = f"{_account_path(account_id)}/Calls/{quote(call_id, safe='')}/Recordings"
    if is_on:
        return TwilioCommand("recording", f"{path}.json", (("RecordingChannels", "dual"),))
    return TwilioCommand(
        "ending the recording", f"{path}/Twilio.CURRENT.json", (("Status", "stopped"),), True
    )


def account(account_id: str) -> HttpRequest:
    """Return a request that costs nothing, and needs a valid token."""
    return HttpRequest("GET", f"{_account_path(account_id)}.json", is_idempotent=True)


def _account_path(account_id: str) -> str:
    return f"/2010-04-01/Accounts/{quote(account_id, safe='')}"


def _call_path(account_id: str, call_id: str) -> str:
    return f"{_account_path(account_id)}/Calls/{quote(call_id, safe='')}.json"
