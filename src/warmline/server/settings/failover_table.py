"""The settings of what happens when a provider fails in the middle of a turn."""

from __future__ import annotations

from dataclasses import dataclass

from warmline.server.settings.declaration import setting

__all__ = ["FailoverTable"]


@dataclass(frozen=True, slots=True)
class FailoverTable:
    """A turn goes on when a provider stalls, drops, refuses or goes mute (docs/adr/0011-no-dead-air.md)."""

    llm_first_ms: int = setting(
        700,
        "How long an answer's first text may take before it is asked for again, on another line and then of "
        "`providers.llm_fallbacks`; whoever is first is heard. This and the times below are the most: what "
        "things take is measured, and half as much again as they nearly always take is enough. Raise it for "
        "a model that is always slower.",
        unit="ms",
        at_least=50,
        at_most=60_000,
    )
    llm_first_least_ms: int = setting(
        350, "The least of that, however fast it is as a rule.", unit="ms", at_least=50, at_most=60_000
    )
    llm_stall_ms: int = setting(
        1_000,
        "How long an answer may stop in the middle before the rest is asked for.",
        unit="ms",
        at_least=50,
        at_most=60_000,
    )
    llm_stall_least_ms: int = setting(500, "The least of that.", unit="ms", at_least=50, at_most=60_000)
    tts_first_ms: int = setting(
        600,
        "How long a reply's first audio may take before it is asked for again, on another line and then of "
        "`providers.tts_fallbacks`.",
        unit="ms",
        at_least=50,
        at_most=60_000,
    )
    tts_first_least_ms: int = setting(350, "The least of that.", unit="ms", at_least=50, at_most=60_000)
    tts_stall_ms: int = setting(
        800,
        "How long audio that is owed may stay out in the middle before the rest is asked for; what was sent "
        "ahead plays meanwhile.",
        unit="ms",
        at_least=50,
        at_most=60_000,
    )
    tts_stall_least_ms: int = setting(400, "The least of that.", unit="ms", at_least=50, at_most=60_000)
    stt_final_ms: int = setting(
        1_200,
        "How long the recogniser's final words may take before the utterance is sent to another line, and "
        "then to one of `providers.stt_fallbacks`, as well.",
        unit="ms",
        at_least=50,
        at_most=60_000,
    )
    stt_final_least_ms: int = setting(500, "The least of that.", unit="ms", at_least=50, at_most=60_000)
    again_ms: int = setting(
        250, "Between two further attempts, once one was late.", unit="ms", at_least=10, at_most=60_000
    )
    give_up_ms: int = setting(
        10_000,
        "How long nothing may come, whoever was asked, before an answer or its speech has failed.",
        unit="ms",
        at_least=100,
        at_most=120_000,
    )
    tries: int = setting(
        2, "How often one provider is asked for the same thing.", unit="attempts", at_least=1, at_most=4
    )
    hedge: bool = setting(
        False,
        "Ask for an answer a second time before it is late, when it takes longer than `hedge_percent` of "
        "them. It is answered sooner, and paid twice.",
    )
    hedge_percent: float = setting(
        90.0,
        "Of the answers, which are not asked for a second time.",
        unit="percent",
        at_least=50,
        at_most=99.9,
    )
    hedge_share: float = setting(
        0.05, "Most of the last hundred requests that may be asked twice, as a share.", at_least=0, at_most=1
    )
    replay_s: float = setting(
        30.0,
        "How much of what is being said is kept for another recogniser; 32 kB for each second.",
        unit="s",
        at_least=1,
        at_most=300,
    )
    replays: int = setting(3, "How often one utterance is sent again.", unit="times", at_least=0, at_most=10)
    apology: str = setting(
        "Sorry, I am having trouble at the moment. Please try again in a little while.",
        "Said when nobody can answer or speak, from audio that was made while it was possible; empty for "
        "nothing.",
        at_most=500,
    )
