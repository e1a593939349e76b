"""The settings of the services that sessions use, and of the lines to them."""

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
    """Who listens, who answers, and who speaks."""

    stt: Literal["auto", "offline", "deepgram"] | str = setting(
        "auto", "Who listens. `auto`: Deepgram if its key is set, else this machine."
    )

    llm: Literal["auto", "offline", "openai", "anthropic"] | str = setting(
        "auto",
        "Who answers. `auto`: OpenAI if its key is set or `openai.base_urls` is another server's, "
        "else Anthropic if its key is set, else passages of the documents are read aloud.",
    )
    tts: Literal["auto", "offline", "elevenlabs"] | str = setting(
        "auto", "Who speaks. `auto`: ElevenLabs if its key is set, else this machine."
    )
    stt_fallbacks: tuple[Literal["offline", "deepgram"] | str, ...] = setting(
        (), "Who listens where that one fails, in order; opened and kept ready like the first."
    )
    llm_fallbacks: tuple[Literal["offline", "openai", "anthropic"] | str, ...] = setting(
        (), "Who answers where that one fails, in order; opened and kept ready like the first."
    )
    tts_fallbacks: tuple[Literal["offline", "elevenlabs"] | str, ...] = setting(
        (), "Who speaks where that one fails, in order; opened and kept ready like the first."
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
    api: Literal["chat", "responses", "socket"] = setting(
        "chat",
        "Chat completions, which every such server speaks; Responses; or Responses over a WebSocket that "
        "each conversation keeps, which is sent only what is new.",
    )
    dialect: Literal["auto", "openai", "compatible"] = setting(
        "auto",
        "Whether fields may be sent that only OpenAI's own servers know, such as `prompt_cache_key`. "
        "`auto`: by the host's name.",
    )
    http2: bool = setting(False, "Speak HTTP/2: many requests on one line, and a cancel costs none.")
    organization: str = setting("", "Sent as OpenAI-Organization when set.", at_most=200)
    project: str = setting("", "Sent as OpenAI-Project when set.", at_most=200)
    reasoning_effort: Literal["", "none", "minimal", "low", "medium", "high"] = setting(
        "", "How much a reasoning model thinks first; empty leaves it to the model. Less is faster."
    )
    max_tokens: int = setting(
        0, "Longest reply; 0 leaves it to the model.", unit="tokens", at_least=0, at_most=100_000
    )
    transcription_model: str = setting(
        "gpt-4o-mini-transcribe",
        'The model that listens to voice messages, where `whatsapp.transcriber` is `"openai"`.',
        at_least=1,
        at_most=200,
    )
    embedding_model: str = setting(
        "text-embedding-3-small",
        'The model of meanings, where `knowledge.embedder` is `"openai"`.',
        at_least=1,
        at_most=200,
    )
    embedding_dimensions: int = setting(
        0,
        "How long its vectors should be; 0 leaves it to the model.",
        unit="figures",
        at_least=0,
        at_most=16_384,
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
    http2: bool = setting(False, "Speak HTTP/2: many requests on one line, and a cancel costs none.")


@dataclass(frozen=True, slots=True)
class ElevenLabsTable:
    """ElevenLabs, a voice."""

    api_key: Secret | None = secret(  # noqa: RUF009 - it returns a field
        "ELEVENLABS_API_KEY",
        "The key.",
        at_least=1,
        pattern=r"[!-~]+",
        phrase="a key of printable ASCII characters without spaces",
    )
    base_urls: tuple[str, ...] = setting(
        ("https://api.elevenlabs.io",),
        "Where it is; of several regions, the nearest by measured round trip is used.",
        pattern=_URL,
        phrase=_URL_PHRASE,
    )
    voice: str = setting(
        "21m00Tcm4TlvDq8ikWAM",
        "The voice's id.",
        at_most=100,
        pattern=r"[A-Za-z0-9_-]+",
        phrase="a voice's id: letters and digits",
    )
    preset: Literal["speed", "quality"] = setting(
        "speed",
        "`speed`: eleven_flash_v2_5, stability 0.35, similarity 0.6, no speaker boost. `quality`: "
        "eleven_multilingual_v2, 0.5, 0.75, with it. What is set below stands above it.",
    )
    model: str = setting("", "The model; empty for the preset's.", at_most=100)
    stability: float = setting(-1.0, "0 to 1; -1 for the preset's.", at_least=-1, at_most=1)
    similarity_boost: float = setting(-1.0, "0 to 1; -1 for the preset's.", at_least=-1, at_most=1)
    style: float = setting(0.0, "0 to 1; above 0 it takes longer.", at_least=0, at_most=1)
    speaker_boost: Literal["", "on", "off"] = setting("", "On, it takes longer; empty for the preset's.")
    speed: float = setting(1.0, "How fast it speaks.", at_least=0.7, at_most=1.2)
    language: str = setting("", "ISO 639-1, such as `en`; empty leaves it to the model.", at_most=10)
    first_audio_ms: int = setting(
        1_000,
        "How long a reply's first audio may take before it is asked for over HTTP. Another line is tried "
        "before that: see `failover.tts_first_ms`.",
        unit="ms",
        at_least=100,
        at_most=60_000,
    )
    stall_ms: int = setting(
        2_000,
        "How late audio that is owed may be before the rest is asked for over HTTP.",
        unit="ms",
        at_least=100,
        at_most=60_000,
    )
    http2: bool = setting(False, "Speak HTTP/2 where speech is asked for over HTTP.")


@dataclass(frozen=True, slots=True)
class DeepgramTable:
    """Deepgram, a recogniser."""

    api_key: Secret | None = secret(  # noqa: RUF009 - it returns a field
        "DEEPGRAM_API_KEY",
        "The key.",
        at_least=1,
        pattern=r"[!-~]+",
        phrase="a key of printable ASCII characters without spaces",
    )
    base_urls: tuple[str, ...] = setting(
        ("https://api.deepgram.com",),
        "Where it is; of several regions, the nearest by measured round trip is used.",
        pattern=_URL,
        phrase=_URL_PHRASE,
    )
    model: str = setting(
        "nova-3", "`nova-3` and its kin, or `flux-general-en` and `-multi`.", at_least=1, at_most=100
    )
    language: str = setting("en", "As Deepgram writes it: `en`, `en-US`, `multi`.", at_least=1, at_most=20)
    keyterms: tuple[str, ...] = setting((), "Words to be expected, such as names.")
    endpointing_ms: int = setting(
        300, "Nova: silence after which words are final.", unit="ms", at_least=10, at_most=5_000
    )
    eot_threshold: float = setting(
        0.7, "Flux: how sure it has to be that a turn is over.", at_least=0.5, at_most=1
    )
    eager_eot_threshold: float = setting(
        0.4,
        "Flux: how sure, to say so early, which begins an answer (`[drafts]`); 0 for no early word.",
        at_least=0,
        at_most=0.9,
    )
    eot_timeout_ms: int = setting(
        5_000, "Flux: silence that ends a turn in any case.", unit="ms", at_least=500, at_most=60_000
    )
    http2: bool = setting(False, "Speak HTTP/2 where recordings are sent.")


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
        5, "Most connections over HTTP to who speaks.", unit="connections", at_least=1, at_most=1_000
    )
    tts_warm: int = setting(
        1,
        "Connections and sockets to who speaks that stand free, beyond the socket of each call.",
        unit="connections",
        at_least=0,
        at_most=100,
    )
    tts_idle_s: float = setting(
        120.0,
        "How long one may be unused before it is replaced.",
        unit="s",
        at_least=2,
        at_most=170,
    )
    stt_warm: int = setting(
        0,
        "Sockets to who listens that stand free. Each call opens its own before anybody speaks; some "
        "services bill what stands open.",
        unit="connections",
        at_least=0,
        at_most=100,
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
