"""The settings of telephone calls, and of the networks that they come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from warmline.channels.telephone.hours import OPENING_PATTERN
from warmline.core.formats import PCMA_8K, PCMU_8K, AudioFormat, Encoding
from warmline.server.settings.declaration import secret, setting
from warmline.server.settings.secret import Secret

__all__ = ["TELEPHONE_FORMATS", "PhoneTable", "TelnyxTable", "TwilioTable", "telephone_formats"]

TELEPHONE_FORMATS: Final = {
    "PCMU": PCMU_8K,
    "PCMA": PCMA_8K,
    "L16": AudioFormat(Encoding.PCM16, 16_000),
}
"""By `telnyx.codec`."""

_NUMBER: Final = r"\+[1-9][0-9]{6,14}"
_NUMBERS_PHRASE: Final = 'telephone numbers in international form, such as "+442071838750"'
_URL: Final = r"https?://[^\s/?#]+(?::\d+)?(?:/[^\s?#]*)?"
_KEY_PHRASE: Final = "printable ASCII characters without spaces"


@dataclass(frozen=True, slots=True)
class PhoneTable:
    """Telephone calls, whichever network they come from. A network is used once its key is set."""

    public_url: str = setting(
        "",
        "Where networks reach this server, such as `https://voice.example.com`. Empty: under the name that "
        "each webhook was sent to.",
        pattern=rf"(?:{_URL})?",
        phrase='a URL without a query, such as "https://voice.example.com"',
    )
    numbers: tuple[str, ...] = setting(
        (), "Our own numbers that are answered; all if empty.", pattern=_NUMBER, phrase=_NUMBERS_PHRASE
    )
    callers: tuple[str, ...] = setting(
        (), "Who is answered; everybody if empty.", pattern=_NUMBER, phrase=_NUMBERS_PHRASE
    )
    blocked: tuple[str, ...] = setting((), "Who is not answered.", pattern=_NUMBER, phrase=_NUMBERS_PHRASE)
    hours: tuple[str, ...] = setting(
        (),
        "When calls are answered, in `phone.timezone`, such as `mon-fri 09:00-17:30`; always if empty.",
        pattern=OPENING_PATTERN,
        phrase='opening times, such as "mon-fri 09:00-17:30" or "sat 22:00-02:00"',
    )
    timezone: str = setting("UTC", "Where those hours are meant, such as `Europe/Berlin`.", at_least=1)
    closed_text: str = setting("", "Said to who calls out of hours; empty for a tone alone.", at_most=2_000)
    full_text: str = setting(
        "", "Said where `limits.sessions` are held already; empty for a busy tone.", at_most=2_000
    )
    lead_ms: int = setting(
        400,
        "How much sound is sent ahead of what is playing: enough for a late packet, and little enough for "
        "an interruption to be heard at once.",
        unit="ms",
        at_least=60,
        at_most=5_000,
    )
    ring_s: int = setting(
        30, "How long a call of ours rings before it is given up.", unit="s", at_least=5, at_most=600
    )
    machine: Literal["talk", "hang_up", "leave_message"] = setting(
        "hang_up",
        "What is done when a call of ours is taken by a machine: talk to it, hang up, or say "
        "`phone.machine_text` after its tone.",
    )
    machine_text: str = setting("", "What is left on an answering machine.", at_most=2_000)
    record: bool = setting(False, "Whether the network records each call from its beginning.")
    records: Path | None = setting(  # noqa: RUF009 - it returns a field
        None,
        "A file to which each call that is over adds a line of JSON: who, when, how long, how it ended; no "
        "word of what was said. Empty: the last thousand are kept in memory.",
    )


@dataclass(frozen=True, slots=True)
class TelnyxTable:
    """Telnyx, a telephone network. Its webhooks go to `/telnyx/webhook`."""

    api_key: Secret | None = secret(  # noqa: RUF009 - it returns a field
        "TELNYX_API_KEY", "The key.", at_least=1, pattern=r"[!-~]+", phrase=f"a key of {_KEY_PHRASE}"
    )
    public_key: Secret | None = secret(  # noqa: RUF009 - it returns a field
        "TELNYX_PUBLIC_KEY",
        "The account's public key, which webhooks are checked with; in the portal under Keys & Credentials.",
        at_least=1,
        pattern=r"[!-~]+",
        phrase=f"the account's public key: {_KEY_PHRASE}",
    )
    base_urls: tuple[str, ...] = setting(
        ("https://api.telnyx.com/v2",),
        "Where it is; of several regions, the nearest by measured round trip is used.",
        pattern=_URL,
        phrase='base URLs without a query, such as "https://api.telnyx.com/v2"',
    )
    connection_id: str = setting(
        "", "The Call Control application that calls of ours are made by.", at_most=100
    )
    number: str = setting(
        "",
        "Our number that they are made from.",
        pattern=rf"(?:{_NUMBER})?",
        phrase='a telephone number in international form, such as "+442071838750"',
    )
    codec: Literal["PCMU", "PCMA", "L16"] = setting(
        "PCMU",
        "How sound is written: as the call itself has it, which is `PCMU` in America and `PCMA` in most of "
        "the world, or as `L16` at 16 kHz, where the call is of that quality.",
    )
    l16_order: Literal["little", "big"] = setting(
        "little", "The order of bytes in L16, of which reports differ; noise means that it is the other."
    )
    voice: str = setting(
        "Telnyx.KokoroTTS.af",
        "Who says `phone.closed_text` and `phone.full_text`, for which no conversation is begun.",
        at_least=1,
        at_most=200,
    )
    language: str = setting(
        "en",
        "What callers speak, for calls that no media stream comes for, in which Telnyx itself listens.",
        pattern=r"[a-z]{2}",
        phrase='a language as ISO 639-1, such as "en"',
    )
    target_legs: Literal["", "self", "opposite", "both"] = setting(
        "", "`stream_bidirectional_target_legs`; empty leaves it to Telnyx."
    )


@dataclass(frozen=True, slots=True)
class TwilioTable:
    """Twilio, a telephone network. Its voice webhook is `/twilio/voice`."""

    account_sid: Secret | None = secret(  # noqa: RUF009 - it returns a field
        "TWILIO_ACCOUNT_SID",
        "The account; needed for calls of ours.",
        at_least=1,
        pattern=r"[!-~]+",
        phrase=f"an account's SID: {_KEY_PHRASE}",
    )
    auth_token: Secret | None = secret(  # noqa: RUF009 - it returns a field
        "TWILIO_AUTH_TOKEN",
        "The token, which webhooks are checked with.",
        at_least=1,
        pattern=r"[!-~]+",
        phrase=f"a token of {_KEY_PHRASE}",
    )
    base_urls: tuple[str, ...] = setting(
        ("https://api.twilio.com",),
        "Where it is.",
        pattern=_URL,
        phrase='base URLs without a query, such as "https://api.twilio.com"',
    )
    number: str = setting(
        "",
        "Our number that calls are made from.",
        pattern=rf"(?:{_NUMBER})?",
        phrase='a telephone number in international form, such as "+442071838750"',
    )


def telephone_formats(telnyx: TelnyxTable, twilio: TwilioTable) -> tuple[AudioFormat, ...]:
    """Return what calls will sound in, of the networks whose keys are set."""
    formats = [TELEPHONE_FORMATS[telnyx.codec]] if telnyx.api_key is not None else []
    if twilio.auth_token is not None and PCMU_8K not in formats:
        formats.append(PCMU_8K)
    return tuple(formats)
