"""What a session is told when it begins."""

from __future__ import annotations

from dataclasses import dataclass, field

from warmline.failover.legs import FailoverState, Leg
from warmline.interfaces.channel import TurnSettings
from warmline.interfaces.llm import LanguageModel
from warmline.interfaces.retriever import Retriever
from warmline.interfaces.stt import SpeechToText
from warmline.interfaces.tts import TextToSpeech
from warmline.interfaces.vad import VoiceActivityDetector

__all__ = ["Providers", "SessionSettings"]


@dataclass(frozen=True, slots=True)
class Providers:
    """Who listens, thinks and speaks; shared by all sessions, and not closed by any."""

    vad: VoiceActivityDetector
    stt: SpeechToText
    retriever: Retriever
    llm: LanguageModel
    tts: TextToSpeech
    listens_by: str = ""
    """Who listens, for people; the next two likewise."""

    answers_by: str = ""
    speaks_by: str = ""
    problems: tuple[str, ...] = ()
    """What is wrong with some of them, and what the operator should do."""

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
    stop_ms: int = 200
    """Silence after which speech counts as stopped, and the recogniser is asked for its final."""

    final_deadline_s: float = 2.0
    """How long a turn waits for the final transcript before it goes on with the partial one."""

    retrieval_deadline_s: float = 1.5
    """How long an answer waits for passages before it is made without them."""

    playout_lead_s: float = 2.0
    """How much audio is sent ahead of its playing."""

    playout_timeout_s: float = 15.0
    """How long after its audio's length a reply waits for the report that it was played."""

    session_s: float = 3600.0
    """The longest a session may last."""

    instructions: str = ""
    """How the agent should behave."""

    greeting: str = ""
    """Spoken first, if set."""

    farewell: str = "Goodbye."
    """Spoken when the user says goodbye, before the session ends."""
