"""The settings of what is kept, and of messages over WhatsApp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from warmline.server.settings.declaration import secret, setting
from warmline.server.settings.secret import Secret

__all__ = ["StoreTable", "WhatsAppTable"]

_URL: Final = r"https?://[^\s/?#]+(?::\d+)?(?:/[^\s?#]*)?"
_KEY_PHRASE: Final = "printable ASCII characters without spaces"


@dataclass(frozen=True, slots=True)
class StoreTable:
    """What is kept, and where."""

    url: str = setting(
        "",
        "`sqlite:///FILE`, or `postgresql://USER@HOST/NAME` where several machines work together; its "
        "password belongs into `PGPASSWORD` or `~/.pgpass`. Empty: a file in the user's data folder.",
        pattern=r"(?:(?:sqlite|postgresql)://\S+)?",
        phrase='"sqlite:///FILE" or "postgresql://USER@HOST/NAME"',
    )
    worker: str = setting(
        "",
        "This process's name among those that share the database, under which it finds its work again after "
        "a restart; two that run at once must not have the same. Empty: the host's name and the server's "
        "port.",
        at_most=100,
    )


@dataclass(frozen=True, slots=True)
class WhatsAppTable:
    """WhatsApp messages; they are answered once the token is set. The webhook is `/whatsapp/webhook`."""

    token: Secret | None = secret(  # noqa: RUF009 - it returns a field
        "WHATSAPP_TOKEN",
        "The system user's token.",
        at_least=1,
        pattern=r"[!-~]+",
        phrase=f"a token of {_KEY_PHRASE}",
    )
    app_secret: Secret | None = secret(  # noqa: RUF009 - it returns a field
        "WHATSAPP_APP_SECRET",
        "The app's secret, which webhooks are checked with; under App settings, Basic.",
        at_least=1,
        pattern=r"[!-~]+",
        phrase=f"the app's secret: {_KEY_PHRASE}",
    )
    verify_token: Secret | None = secret(  # noqa: RUF009 - it returns a field
        "WHATSAPP_VERIFY_TOKEN",
        "A word of your own that you also give Meta where you subscribe the webhook.",
        at_least=1,
        pattern=r"[!-~]+",
        phrase=f"a word of {_KEY_PHRASE}",
    )
    base_urls: tuple[str, ...] = setting(
        ("https://graph.facebook.com/v26.0",),
        "Where it is, version and all.",
        pattern=_URL,
        phrase='base URLs without a query, such as "https://graph.facebook.com/v26.0"',
    )
    phone_number_id: str = setting(
        "",
        "Our number's id, as Meta shows it beside the number. Messages to others are left alone; empty: none "
        "are.",
        pattern=r"\d{0,32}",
        phrase="an id of digits, such as 106540352242922",
    )
    answer_voice_by: Literal["voice", "text"] = setting("voice", "How who speaks is answered.")
    answer_text_by: Literal["text", "voice"] = setting("text", "How who writes is answered.")
    transcriber: Literal["auto", "deepgram", "openai", "offline"] = setting(
        "auto", "Who listens to voice messages; `auto`: who listens to calls."
    )
    language: str = setting(
        "",
        "What is spoken in them, as ISO 639-1; empty to have it found out, where who listens can.",
        pattern=r"(?:[a-z]{2})?",
        phrase='a language as ISO 639-1, such as "en"',
    )
    voice_preset: Literal["", "speed", "quality"] = setting(
        "", "As `elevenlabs.preset`, for voice messages alone; empty for the same as in calls."
    )
    at_once: int = setting(
        4,
        "Messages that are listened to, answered or spoken at a time; live turns go before them.",
        unit="messages",
        at_least=1,
        at_most=100,
    )
    recording_bytes: int = setting(
        16_777_216,
        "Largest recording taken. WhatsApp carries 16 MB.",
        unit="bytes",
        at_least=10_000,
        at_most=104_857_600,
    )
    apology: str = setting(
        "I'm sorry, I couldn't answer that. Please try again later.",
        "Written where a message could not be answered; empty for nothing.",
        at_most=4_000,
    )
    not_understood: str = setting(
        "I'm sorry, I couldn't understand that recording. Could you write it, please?",
        "Written where a recording holds no words, or can't be read.",
        at_most=4_000,
    )
    not_readable: str = setting(
        "I can read text and listen to voice messages. Could you put it that way, please?",
        "Written to pictures, contacts and the like.",
        at_most=4_000,
    )
    forget_words: tuple[str, ...] = setting(
        ("forget me",),
        "A message of such words alone deletes what is kept of its sender.",
        at_least=1,
    )
    forgotten: str = setting("I have deleted our conversation.", "Written then.", at_most=4_000)
    history: int = setting(
        20, "Earlier messages that the model is shown.", unit="messages", at_least=0, at_most=1_000
    )
    keep_days: float = setting(
        30.0, "After which what was said is deleted; 0 for never.", unit="days", at_least=0, at_most=36_500
    )
    template: str = setting(
        "",
        "A template without parameters, sent to who can't be answered because 24 hours have passed since "
        "they wrote: the answer follows when they write again, as it does without a template.",
        at_most=512,
    )
    template_language: str = setting("en_US", "As it was approved in.", at_least=2, at_most=20)
    confirm_s: float = setting(
        20.0,
        "How long it is waited to be told of a message that may or may not have been sent, before it is sent "
        "again; then three and nine times as long.",
        unit="s",
        at_least=0.5,
        at_most=600,
    )
    look_ms: int = setting(
        250,
        "How often it is looked whether there is a message to answer; half of it passes before an answer is "
        "begun. Looking takes a tenth of a core at 100 ms.",
        unit="ms",
        at_least=10,
        at_most=60_000,
    )
