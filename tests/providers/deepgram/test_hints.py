"""What Flux and Nova think of a turn, from their messages alone: no socket is opened."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from warmline.core.formats import PCM_16K
from warmline.interfaces.stt import Transcript, TurnHint, TurnHintKind
from warmline.pool.sockets import SocketEndpoint
from warmline.providers.deepgram import flux
from warmline.providers.deepgram.flux import FluxStream
from warmline.providers.deepgram.nova import NovaStream
from warmline.providers.deepgram.stream import DeepgramStream

pytestmark = pytest.mark.unit

NOWHERE = cast("SocketEndpoint", None)
"""A stream needs its endpoint only when it is run."""

EAGER, RESUMED, END = TurnHintKind.EAGER_END, TurnHintKind.RESUMED, TurnHintKind.END
Told = Transcript | TurnHint


class StoppedClock:
    """Stands still until it is moved."""

    instant_s = 100.0

    def now_s(self) -> float:
        return self.instant_s


def opened(kind: type[DeepgramStream], told: list[Told], *, ends_turns: bool = False) -> DeepgramStream:
    stream = kind(
        NOWHERE,
        PCM_16K,
        told.append,
        lambda error: pytest.fail(str(error)),
        StoppedClock(),
        on_hint=told.append,
        ends_turns=ends_turns,
    )
    stream.began()
    return stream


def flux_says(event: str, text: str, confidence: float = 0.1, **fields: Any) -> bytes:
    turn = {"event": event, "transcript": text, "end_of_turn_confidence": confidence}
    return msgspec.json.encode({"type": "TurnInfo", **turn, **fields})


def nova_says(text: str, **fields: Any) -> bytes:
    channel = {"alternatives": [{"transcript": text}]}
    return msgspec.json.encode({"type": "Results", "channel": channel, **fields})


def partial(utterance: int, text: str) -> Transcript:
    return Transcript(utterance, text, is_final=False)


def final(utterance: int, text: str) -> Transcript:
    return Transcript(utterance, text, is_final=True)


PAUSE_AND_END = (
    flux_says("StartOfTurn", "a room"),
    flux_says("EagerEndOfTurn", "a room", 0.5),
    flux_says("TurnResumed", "a room"),
    flux_says("Update", "a room for"),
    flux_says("EagerEndOfTurn", "a room for two", 0.6),
    flux_says("EndOfTurn", "a room for two", 0.9, trigger="model"),
)


def test_flux_that_ends_turns_tells_the_final_and_then_the_end():
    told: list[Told] = []
    stream = opened(FluxStream, told, ends_turns=True)
    stream.begin_utterance(1)
    for payload in PAUSE_AND_END:
        stream.received(payload)
    assert told == [
        partial(1, "a room"),
        partial(1, "a room"),
        TurnHint(EAGER, 1, "a room", 0.5),
        partial(1, "a room"),
        TurnHint(RESUMED, 1, "a room", 0.1),
        partial(1, "a room for"),
        partial(1, "a room for two"),
        TurnHint(EAGER, 1, "a room for two", 0.6),
        final(1, "a room for two"),
        TurnHint(END, 1, "a room for two", 0.9),
    ]


def test_flux_that_does_not_end_turns_tells_of_ends_and_of_going_on_after_one():
    """Until it is asked: the final then has both turns of Flux's."""
    told: list[Told] = []
    stream = opened(FluxStream, told)
    stream.begin_utterance(1)
    for payload in PAUSE_AND_END:
        stream.received(payload)
    assert told[-2:] == [partial(1, "a room for two"), TurnHint(END, 1, "a room for two", 0.9)]
    told.clear()
    stream.received(flux_says("Update", ""))
    stream.received(flux_says("StartOfTurn", "and breakfast"))
    assert told == [
        partial(1, "a room for two"),
        partial(1, "a room for two and breakfast"),
        TurnHint(RESUMED, 1, "a room for two and breakfast", 0.1),
    ]
    told.clear()
    stream.finish_utterance()
    stream.received(flux_says("EagerEndOfTurn", "and breakfast", 0.5))
    stream.received(flux_says("EndOfTurn", "and breakfast", 0.2, trigger="manual"))
    assert told == [final(1, "a room for two and breakfast")]


def test_without_anybody_to_hint_to_flux_ends_no_turn():
    told: list[Told] = []
    stream = FluxStream(NOWHERE, PCM_16K, told.append, lambda _: None, StoppedClock(), ends_turns=True)
    stream.began()
    assert not stream.ends_turns
    stream.begin_utterance(1)
    for payload in PAUSE_AND_END:
        stream.received(payload)
    assert not any(isinstance(each, Transcript) and each.is_final for each in told)


def test_next_utterance_may_begin_within_the_hint_that_ends_one():
    """As where a client, and not silence, says when its turn is over: no word may be lost."""
    told: list[Told] = []

    def take(hint: TurnHint) -> None:
        told.append(hint)
        stream.begin_utterance(hint.utterance + 1)

    stream = FluxStream(
        NOWHERE, PCM_16K, told.append, lambda _: None, StoppedClock(), on_hint=take, ends_turns=True
    )
    stream.began()
    stream.begin_utterance(1)
    stream.received(flux_says("EndOfTurn", "one", 0.8, trigger="model"))
    stream.received(flux_says("StartOfTurn", "two"))
    stream.received(flux_says("EndOfTurn", "two", 0.8, trigger="timeout"))
    assert [each for each in told if isinstance(each, TurnHint)] == [
        TurnHint(END, 1, "one", 0.8),
        TurnHint(END, 2, "two", 0.8),
    ]
    assert [each for each in told if isinstance(each, Transcript) and each.is_final] == [
        final(1, "one"),
        final(2, "two"),
    ]


def test_end_that_was_asked_for_too_long_ago_does_not_end_the_utterance_after():
    told: list[Told] = []
    stream = opened(FluxStream, told, ends_turns=True)
    stream.begin_utterance(1)
    stream.received(flux_says("StartOfTurn", "one"))
    stream.finish_utterance()
    cast("StoppedClock", stream.clock).instant_s += flux._FORCED_S + 0.1
    stream.look()
    assert told[-1] == final(1, "one")
    stream.begin_utterance(2)
    told.clear()
    stream.received(flux_says("EndOfTurn", "one", 0.2, trigger="manual"))
    stream.received(flux_says("StartOfTurn", "two"))
    assert told == [partial(2, "two")]


def test_words_before_the_utterance_and_after_its_end_are_nobody_s():
    told: list[Told] = []
    stream = opened(FluxStream, told, ends_turns=True)
    for payload in PAUSE_AND_END:
        stream.received(payload)
    stream.begin_utterance(1)
    stream.received(flux_says("EndOfTurn", "yes", 0.8, trigger="model"))
    for payload in PAUSE_AND_END:
        stream.received(payload)
    assert told == [final(1, "yes"), TurnHint(END, 1, "yes", 0.8)]


def test_nova_s_endpoint_is_a_guess_without_confidence():
    """It says that silence followed, and never that a turn is over."""
    told: list[Told] = []
    stream = opened(NovaStream, told)
    assert not stream.ends_turns
    stream.begin_utterance(3)
    stream.received(nova_says("", is_final=True, speech_final=True))
    stream.received(nova_says("a ro"))
    stream.received(nova_says("a room", is_final=True, speech_final=True))
    stream.received(nova_says("", is_final=True, speech_final=True))
    stream.received(nova_says("for two"))
    stream.finish_utterance()
    stream.received(nova_says("for two", is_final=True, speech_final=True))
    stream.received(nova_says("", is_final=True, from_finalize=True))
    assert told == [
        partial(3, "a ro"),
        partial(3, "a room"),
        TurnHint(EAGER, 3, "a room"),
        partial(3, "a room for two"),
        TurnHint(RESUMED, 3, "a room for two"),
        final(3, "a room for two"),
    ]
