"""What a session is told when it begins."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from warmline.failover.legs import FailoverState, Leg
from warmline.interfaces.channel import TurnSettings
from warmline.interfaces.llm import LanguageModel
from warmline.interfaces.retriever import Retriever
from warmline.interfaces.stt import SpeechToText
from warmline.interfaces.tts import TextToSpeech
from warmline.interfaces.vad import VoiceActivityDetector
from warmline.pool.view import PoolView
from warmline.session.trimming import ContextPolicy
from warmline.tools.toolbox import Toolbox
from warmline.turns.acknowledgements import FloorPolicy
from warmline.turns.drafting import DraftingPolicy
from warmline.turns.fit import Fits, same_words
from warmline.turns.idling import IdlePolicy

__all__ = ["Endpointing", "Providers", "SessionSettings"]


class Endpointing(enum.Enum):
    """Who decides that the user's turn is over."""

    SILENCE = "silence"
    """Silence of `TurnSettings.silence_ms`."""

    RECOGNISER = "recogniser"
    """The recogniser, from the words and how they are spoken, while its stream `ends_turns`; silence
    where it can't, where its line is down, and where nothing was understood."""


@dataclass(frozen=True, slots=True)
class Providers:
    """Who listens, thinks and speaks; shared by all sessions, and not closed by any."""

    vad: VoiceActivityDetector
    stt: SpeechToText
    retriever: Retriever
    llm: LanguageModel
    tts: TextToSpeech
    tools: Toolbox = field(default_factory=Toolbox)
    """What the model may call."""

    listens_by: str = ""
    """Who listens, for people; the next two likewise."""

    answers_by: str = ""
    speaks_by: str = ""
    finds_by: str = ""
    """How passages are found, for people."""

    problems: tuple[str, ...] = ()
    """What is wrong with some of them, and what the operator should do."""

    notes: tuple[str, ...] = ()
    """What the operator should know that stops nothing."""

    recogniser_note: str = ""
    """What people should know of the recogniser's limits; empty if it has none worth telling."""

    stt_name: str = "stt"
    """Its name in the configuration, such as `deepgram`; the next two likewise."""

    llm_name: str = "llm"
    tts_name: str = "tts"
    stt_fallbacks: tuple[Leg[SpeechToText], ...] = ()
    """Who stands in where that one fails, the first choice first; the next two likewise."""

    llm_fallbacks: tuple[Leg[LanguageModel], ...] = ()
    tts_fallbacks: tuple[Leg[TextToSpeech], ...] = ()
    failover: FailoverState = field(default_factory=FailoverState)
    """What the sessions know of each other's failures."""

    pools: Callable[[], Sequence[PoolView]] = tuple
    """Returns what is to be seen now of their lines."""

    @property
    def stt_legs(self) -> tuple[Leg[SpeechToText], ...]:
        """Everybody who can listen."""
        return (Leg(self.stt, self.stt_name), *self.stt_fallbacks)

    @property
    def llm_legs(self) -> tuple[Leg[LanguageModel], ...]:
        """Everybody who can answer."""
        return (Leg(self.llm, self.llm_name), *self.llm_fallbacks)

    @property
    def tts_legs(self) -> tuple[Leg[TextToSpeech], ...]:
        """Everybody who can speak."""
        return (Leg(self.tts, self.tts_name), *self.tts_fallbacks)


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """The operator's choices."""

    turns: TurnSettings = field(default_factory=TurnSettings)
    endpointing: Endpointing = Endpointing.RECOGNISER
    """Who decides that the user's turn is over, unless the client does."""

    longest_silence_ms: int = 3_000
    """Silence after which the turn is over whatever a recogniser that ends turns by itself makes of it."""

    language: str = "en"
    """What is spoken, as ISO 639-1."""

    drafting: DraftingPolicy | None = field(default_factory=DraftingPolicy)
    """When an answer is begun before the turn is over; None for never."""

    fits: Fits = same_words
    """Whether a draft's words are still those of the turn that was committed."""

    resumes_replies: bool = True
    """Whether a reply goes on where it stopped if what stopped it was a cough or "mhm"."""

    floor: FloorPolicy = field(default_factory=FloorPolicy)
    """What takes the floor from a reply, if `resumes_replies`."""

    stop_ms: int = 200
    """Silence after which speech counts as stopped, and the recogniser is asked for its final."""

    final_deadline_s: float = 2.0
    """How long a turn waits for the final transcript before it goes on with the partial one."""

    retrieval_deadline_s: float = 0.15
    """How long the answer to a spoken turn waits for passages before it is made without them; they
    are looked up from the first words on."""

    typed_retrieval_deadline_s: float = 1.5
    """The same for a typed turn, which nothing was looked up for before."""

    playout_lead_s: float = 2.0
    """How much audio is sent ahead of its playing."""

    held_audio_s: float = 10.0
    """How much audio is made ahead of its sending, as in a draft that waits."""

    playout_timeout_s: float = 15.0
    """How long after its audio's length a reply waits for the report that it was played."""

    session_s: float = 3600.0
    """The longest a session may last."""

    expiry_farewell: str = "I'm afraid our time is up. Goodbye."
    """Spoken shortly before that, and the session ends when it was heard; empty for nothing."""

    expiry_farewell_s: float = 15.0
    """How long before, as soon as nobody has the floor; a quarter of the session at most."""

    context: ContextPolicy = field(default_factory=ContextPolicy)
    """How large the model's prompt may become, and what stays of it then."""

    summarises: bool = False
    """Whether the language model sums up what leaves the prompt; else that is forgotten."""

    idle: IdlePolicy = field(default_factory=IdlePolicy)
    """What is said to a person who has gone quiet."""

    instructions: str = ""
    """How the agent should behave."""

    greeting: str = ""
    """Spoken first, if set; made once for all sessions."""

    greeting_instructions: str = ""
    """How the model should greet, where no `greeting` is set; empty to let the person speak first. What
    was put into the context before is known to it."""

    farewell: str = "Goodbye."
    """Spoken when the user says goodbye, before the session ends."""

    @property
    def greets(self) -> bool:
        """Whether the agent speaks first."""
        return bool(self.greeting or self.greeting_instructions)
