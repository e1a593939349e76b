"""The settings of the services that sessions use, and of the lines to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from warmline.server.settings.declaration import secret, setting
from warmline.server.settings.secret import Secret

__all__ = [
    "AnthropicTable",
    "LinesTable",
    "OpenAiTable",
    "ProvidersTable",
]

_URL: Final = r"https?://[^\s/?#]+(?::\d+)?(?:/[^\s?#]*)?"
_URL_PHRASE: Final = 'base URLs without a query, such as "https://api.example.com/v1"'


@dataclass(frozen=True, slots=True)
class ProvidersTable:
    """Who answers."""

    llm: Literal["auto", "offline", "openai", "anthropic"] | str = setting(
        "auto",
        "Who answers. `auto`: OpenAI if its key is set or `openai.base_urls` is another server's, "
        "else Anthropic if its key is set, else passages of the documents are read aloud.",
    )


@dataclass(frozen=True, slots=True)
class OpenAiTable:
    """OpenAI, or any server that speaks its protocol (Ollama, vLLM, Groq)."""

    api_key: Secret | None = secret(  # noqa: RUF009 - it returns a field
        "OPENAI_API_KEY",
        "The key.",
        at_least=1,
        pattern=r"[!-~]+",
        phrase="a key of printable ASCII characters without spaces",
    )
    base_urls: tuple[str, ...] = setting(
        ("https://api.openai.com/v1",),
        "Where it is; of several regions, the nearest by measured round trip is used.",
        pattern=_URL,
        phrase=_URL_PHRASE,
    )
    model: str = setting("gpt-5.4-mini", "The model that answers.", at_least=1, at_most=200)
    organization: str = setting("", "Sent as OpenAI-Organization when set.", at_most=200)
    project: str = setting("", "Sent as OpenAI-Project when set.", at_most=200)
    reasoning_effort: Literal["", "none", "minimal", "low", "medium", "high"] = setting(
        "", "How much a reasoning model thinks first; empty leaves it to the model. Less is faster."
    )
    max_tokens: int = setting(
        0, "Longest reply; 0 leaves it to the model.", unit="tokens", at_least=0, at_most=100_000
    )


@dataclass(frozen=True, slots=True)
class AnthropicTable:
    """Anthropic."""

    api_key: Secret | None = secret(  # noqa: RUF009 - it returns a field
        "ANTHROPIC_API_KEY",
        "The key.",
        at_least=1,
        pattern=r"[!-~]+",
        phrase="a key of printable ASCII characters without spaces",
    )
    base_urls: tuple[str, ...] = setting(
        ("https://api.anthropic.com",),
        "Where it is; of several regions, the nearest by measured round trip is used.",
        pattern=_URL,
        phrase='base URLs without a query and without the "/v1", such as "https://api.example.com"',
    )
    model: str = setting("claude-haiku-5-5", "The model that answers.", at_least=1, at_most=200)
    thinking: Literal["", "disabled", "adaptive"] = setting(
        "disabled",
        "Whether the model may think first, in silence; empty leaves it to the model. "
        "Models that always think refuse `disabled`.",
    )
    effort: Literal["", "low", "medium", "high", "xhigh", "max"] = setting(
        "", "How much the model puts into an answer; empty leaves it to the model. Less is faster."
    )
    max_tokens: int = setting(
        1_024, "Longest reply, thinking included.", unit="tokens", at_least=1, at_most=100_000
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
    dns_s: float = setting(
        300.0,
        "How long an address is used before it is looked up again.",
        unit="s",
        at_least=1,
        at_most=86_400,
    )
    dns_server: str = setting(
        "",
        "A name server to ask, such as `10.0.0.2:53`; empty asks the operating system.",
        pattern=r"(?:[^\s:]+:\d{1,5}|\[[0-9A-Fa-f:]+\]:\d{1,5})?",
        phrase='a name server\'s address and port, such as "10.0.0.2:53"',
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
