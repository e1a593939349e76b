"""The settings of the services that listen, think and speak, and of the lines to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from warmline.server.settings.declaration import secret, setting
from warmline.server.settings.secret import Secret

__all__ = [
    "AnthropicTable",
    "DeepgramTable",
    "ElevenLabsTable",
    "LinesTable",
    "OpenAiTable",
    "ProvidersTable",
]

_URL: Final = r"https?://[^\s/?#]+(?::\d+)?(?:/[^\s?#]*)?"
_URL_PHRASE: Final = 'base URLs without a query, such as "https://api.example.com/v1"'


@dataclass(frozen=True, slots=True)
class ProvidersTable:
    """Who listens, thinks and speaks."""

    stt: Literal["auto", "offline", "deepgram"] = setting(
        "auto", "Who turns speech into words. `auto`: Deepgram if its key is set, else this machine."
    )
    llm: Literal["auto", "offline", "openai", "anthropic"] = setting(
        "auto",
        "Who answers. `auto`: OpenAI if its key is set, else Anthropic if its key is, "
        "else passages of the documents are read aloud.",
    )
    tts: Literal["auto", "offline", "elevenlabs"] = setting(
        "auto", "Who speaks. `auto`: ElevenLabs if its key is set, else this machine."
    )


@dataclass(frozen=True, slots=True)
class OpenAiTable:
    """OpenAI, or any server that speaks its protocol (Ollama, vLLM, Groq)."""

    api_key: Secret | None = secret("OPENAI_API_KEY", "The key.")  # noqa: RUF009 - it returns a field
    base_urls: tuple[str, ...] = setting(
        ("https://api.openai.com/v1",),
        "Where it is; of several regions, the nearest by measured round trip is used.",
        pattern=_URL,
        phrase=_URL_PHRASE,
    )
    model: str = setting("gpt-5.4-mini", "The model that answers.", at_least=1, at_most=200)
    api: Literal["chat", "responses", "socket"] = setting(
        "chat",
        "Which of its APIs: chat completions (the one that other servers speak too), "
        "Responses over HTTP, or Responses over a persistent WebSocket.",
    )
    organization: str = setting("", "Sent as OpenAI-Organization when set.", at_most=200)
    project: str = setting("", "Sent as OpenAI-Project when set.", at_most=200)
    reasoning_effort: Literal["", "none", "minimal", "low", "medium", "high"] = setting(
        "", "How much a reasoning model thinks first; empty leaves it to the model. Less is faster."
    )
    max_tokens: int = setting(
        0, "Longest reply; 0 leaves it to the model.", unit="tokens", at_least=0, at_most=100_000
    )
    http2: bool = setting(False, "Whether requests share HTTP/2 lines instead of having one each.")


@dataclass(frozen=True, slots=True)
class AnthropicTable:
    """Anthropic."""

    api_key: Secret | None = secret("ANTHROPIC_API_KEY", "The key.")  # noqa: RUF009 - it returns a field
    base_urls: tuple[str, ...] = setting(
        ("https://api.anthropic.com/v1",), "Where it is.", pattern=_URL, phrase=_URL_PHRASE
    )
    model: str = setting("claude-haiku-4-5", "The model that answers.", at_least=1, at_most=200)
    max_tokens: int = setting(1_024, "Longest reply.", unit="tokens", at_least=1, at_most=100_000)
    http2: bool = setting(False, "Whether requests share HTTP/2 lines instead of having one each.")


@dataclass(frozen=True, slots=True)
class ElevenLabsTable:
    """ElevenLabs."""

    api_key: Secret | None = secret("ELEVENLABS_API_KEY", "The key.")  # noqa: RUF009 - it returns a field
    base_urls: tuple[str, ...] = setting(
        ("https://api.elevenlabs.io",),
        "Where it is; of several regions, the nearest by measured round trip is used.",
        pattern=_URL,
        phrase=_URL_PHRASE,
    )
    voice_id: str = setting(
        "JBFqnCBsd6RMkjVDRZzb", "The voice, by its id.", pattern=r"[A-Za-z0-9]{1,64}", phrase="a voice's id"
    )
    preset: Literal["quality", "speed"] = setting(
        "speed",
        "`quality`: multilingual v2, stability 0.5, similarity 0.75, speaker boost. "
        "`speed`: flash v2.5, stability 0.35, similarity 0.6, no speaker boost.",
    )
    model: str = setting("", "The model; empty for the preset's.", at_most=200)
    language: str = setting("", "A language's code, such as `en`; empty lets the model guess.", at_most=20)
    use_persistent_tts: bool = setting(
        True,
        "Whether a session keeps one WebSocket for all its replies; otherwise each clause is a request.",
    )


@dataclass(frozen=True, slots=True)
class DeepgramTable:
    """Deepgram."""

    api_key: Secret | None = secret("DEEPGRAM_API_KEY", "The key.")  # noqa: RUF009 - it returns a field
    base_url: str = setting(
        "https://api.deepgram.com",
        "Where it is.",
        pattern=_URL,
        phrase='a base URL without a query, such as "https://api.eu.deepgram.com"',
    )
    model: str = setting(
        "nova-3", "The model; one that begins with `flux` finds the ends of turns itself.", at_least=1
    )
    language: str = setting("en", "A language's code, or `multi`.", at_most=20)
    keyterms: tuple[str, ...] = setting(
        (), "Words to expect, such as names.", pattern=r"\S.*", phrase="words, none of them empty"
    )


@dataclass(frozen=True, slots=True)
class LinesTable:
    """Connections to providers: how many stand open, and for how long. The earlier systems' figures."""

    llm_connections: int = setting(
        10, "Most connections to who answers.", unit="connections", at_least=1, at_most=1_000
    )
    llm_warm: int = setting(
        2,
        "Connections that stand free for the next answer; at most `lines.llm_connections`.",
        unit="connections",
        at_least=0,
        at_most=100,
    )
    llm_idle_s: float = setting(
        30.0, "How long one may be unused before it is replaced.", unit="s", at_least=2, at_most=3_600
    )
    tts_connections: int = setting(
        5,
        "Most connections to who speaks, beyond one for each session.",
        unit="connections",
        at_least=1,
        at_most=1_000,
    )
    tts_warm: int = setting(
        1,
        "Connections that stand free for the next session; at most `lines.tts_connections`.",
        unit="connections",
        at_least=0,
        at_most=100,
    )
    tts_idle_s: float = setting(
        120.0, "How long one may be unused before it is replaced.", unit="s", at_least=2, at_most=3_600
    )
    dns_s: float = setting(
        300.0,
        "How long an address is used before it is looked up again.",
        unit="s",
        at_least=1,
        at_most=86_400,
    )
    connect_s: float = setting(
        10.0, "How long connecting and encrypting may each take.", unit="s", at_least=1, at_most=60
    )
    proxy: str = setting(
        "",
        "An HTTP proxy to go through by CONNECT, such as `http://10.0.0.1:3128`; empty for none.",
        pattern=r"(?:http://[^\s/]+)?",
        phrase='an HTTP proxy\'s address, such as "http://10.0.0.1:3128"',
    )
    certificate: Path | None = setting(  # noqa: RUF009 - it returns a field
        None, "A PEM file of authorities to trust beyond the machine's own."
    )
