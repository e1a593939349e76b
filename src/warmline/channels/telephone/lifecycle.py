"""The life of one call on a telephone network: what may happen when, and what is done about it. No I/O.

A network tells of a call in several ways at once (webhooks, the media stream, answers to commands), each
of them late, twice or out of order. So every order of events has its place in the table, and whatever
comes behind the end changes nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from warmline.errors import InvalidTransition

__all__ = ["STEPS", "Act", "CallEvent", "CallState", "next_step", "to_mermaid"]


class CallState(enum.Enum):
    """Where a call is."""

    RINGING = "ringing"
    """Somebody calls; it is not decided yet whether the call is taken."""

    ANSWERING = "answering"
    """It is taken; the network was told."""

    DIALLING = "dialling"
    """We call somebody."""

    REFUSING = "refusing"
    """It is answered only to say why it is not taken."""

    CONNECTED = "connected"
    """Answered, and there is no sound yet, or none any more."""

    TALKING = "talking"
    """There is sound both ways."""

    WITHOUT_STREAM = "without stream"
    """Answered, and no media stream is to be had: replies are played as files."""

    HANDED_OVER = "handed over"
    """The caller talks to somebody else."""

    ENDING = "ending"
    """The network was told to hang up."""

    ENDED = "ended"
    """It is over."""


class CallEvent(enum.Enum):
    """What can happen to it."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    """With a tone: busy, or rejected."""

    REFUSED_ALOUD = "refused aloud"
    """With words."""

    REFUSAL_SPOKEN = "refusal spoken"
    ANSWERED = "answered"
    STREAM_OPENED = "stream opened"
    STREAM_CLOSED = "stream closed"
    STREAM_FAILED = "stream failed"
    """The network could not reach us, or broke off at the beginning."""

    STREAM_GIVEN_UP = "stream given up"
    """It was asked for often enough."""

    TRANSFERRED = "transferred"
    SESSION_ENDED = "session ended"
    """The agent said goodbye, or time ran out, or a provider failed for good."""

    HANG_UP_ASKED = "hang-up asked"
    """By the operator or the server's end."""

    HUNG_UP = "hung up"
    """The network says that it is over, or knows it no more."""


class Act(enum.Enum):
    """What is done about it, in the order in which it is listed."""

    BEGIN_SESSION = "begin session"
    """While it rings: what a session needs is got ready, its greeting made."""

    ANSWER = "answer"
    REJECT = "reject"
    SAY_REFUSAL = "say refusal"
    AWAIT_END = "await end"
    """Of the call, for a moment: most streams end with theirs."""

    STREAM_AGAIN = "stream again"
    FALL_BACK = "fall back"
    """To files."""

    HANG_UP = "hang up"
    END_SESSION = "end session"


_BEGINNING: Final = (CallState.RINGING, CallState.ANSWERING, CallState.DIALLING)
_HEARD: Final = (CallState.CONNECTED, CallState.TALKING, CallState.WITHOUT_STREAM)
_LIVE: Final = (*_BEGINNING, *_HEARD, CallState.REFUSING)

Step = tuple[CallState, tuple[Act, ...]]

STEPS: Final[Mapping[tuple[CallState, CallEvent], Step]] = {
    (CallState.RINGING, CallEvent.ADMITTED): (CallState.ANSWERING, (Act.BEGIN_SESSION, Act.ANSWER)),
    (CallState.RINGING, CallEvent.REFUSED): (CallState.ENDING, (Act.REJECT,)),
    (CallState.RINGING, CallEvent.REFUSED_ALOUD): (CallState.REFUSING, (Act.ANSWER,)),
    (CallState.REFUSING, CallEvent.ANSWERED): (CallState.REFUSING, (Act.SAY_REFUSAL,)),
    (CallState.REFUSING, CallEvent.REFUSAL_SPOKEN): (CallState.ENDING, (Act.HANG_UP,)),
    (CallState.ANSWERING, CallEvent.ANSWERED): (CallState.CONNECTED, ()),
    (CallState.DIALLING, CallEvent.ANSWERED): (CallState.CONNECTED, ()),
    # The media stream may be there before anybody says that the call was answered.
    (CallState.ANSWERING, CallEvent.STREAM_OPENED): (CallState.TALKING, ()),
    (CallState.DIALLING, CallEvent.STREAM_OPENED): (CallState.TALKING, ()),
    (CallState.TALKING, CallEvent.ANSWERED): (CallState.TALKING, ()),
    (CallState.WITHOUT_STREAM, CallEvent.ANSWERED): (CallState.WITHOUT_STREAM, ()),
    (CallState.CONNECTED, CallEvent.ANSWERED): (CallState.CONNECTED, ()),
    (CallState.CONNECTED, CallEvent.STREAM_OPENED): (CallState.TALKING, ()),
    (CallState.WITHOUT_STREAM, CallEvent.STREAM_OPENED): (CallState.TALKING, ()),
    (CallState.TALKING, CallEvent.STREAM_OPENED): (CallState.TALKING, ()),
    (CallState.TALKING, CallEvent.STREAM_CLOSED): (
        CallState.CONNECTED,
        (Act.AWAIT_END, Act.STREAM_AGAIN),
    ),
    (CallState.ANSWERING, CallEvent.STREAM_FAILED): (CallState.CONNECTED, (Act.STREAM_AGAIN,)),
    (CallState.DIALLING, CallEvent.STREAM_FAILED): (CallState.CONNECTED, (Act.STREAM_AGAIN,)),
    (CallState.CONNECTED, CallEvent.STREAM_FAILED): (CallState.CONNECTED, (Act.STREAM_AGAIN,)),
    (CallState.CONNECTED, CallEvent.STREAM_GIVEN_UP): (CallState.WITHOUT_STREAM, (Act.FALL_BACK,)),
    # Told late, of a stream that has been replaced.
    (CallState.TALKING, CallEvent.STREAM_FAILED): (CallState.TALKING, ()),
    (CallState.TALKING, CallEvent.STREAM_GIVEN_UP): (CallState.TALKING, ()),
    (CallState.CONNECTED, CallEvent.STREAM_CLOSED): (CallState.CONNECTED, ()),
    (CallState.WITHOUT_STREAM, CallEvent.STREAM_CLOSED): (CallState.WITHOUT_STREAM, ()),
    (CallState.WITHOUT_STREAM, CallEvent.STREAM_FAILED): (CallState.WITHOUT_STREAM, ()),
    (CallState.WITHOUT_STREAM, CallEvent.STREAM_GIVEN_UP): (CallState.WITHOUT_STREAM, ()),
    **{(state, CallEvent.TRANSFERRED): (CallState.HANDED_OVER, (Act.END_SESSION,)) for state in _HEARD},
    **{(state, CallEvent.SESSION_ENDED): (CallState.ENDING, (Act.HANG_UP,)) for state in _LIVE},
    **{
        (state, CallEvent.HANG_UP_ASKED): (CallState.ENDING, (Act.HANG_UP, Act.END_SESSION))
        for state in (*_LIVE, CallState.HANDED_OVER)
    },
    **{
        (state, CallEvent.HUNG_UP): (CallState.ENDED, (Act.END_SESSION,))
        for state in (*_LIVE, CallState.HANDED_OVER, CallState.ENDING)
    },
}
"""By state and event: the next state, and what is done."""

_OVER: Final = (CallState.HANDED_OVER, CallState.ENDING, CallState.ENDED)
"""States in which whatever has no place in the table is an echo of what was before."""


def next_step(state: CallState, event: CallEvent) -> Step:
    """Return the state after `event`, and what is done about it.

    Raises:
        InvalidTransition: it cannot happen there.
    """
    step = STEPS.get((state, event))
    if step is not None:
        return step
    if state in _OVER:
        return state, ()
    raise InvalidTransition("call", state.value, event.value)


def to_mermaid() -> str:
    """Return the table as a Mermaid state diagram; what may happen anywhere is left out."""
    everywhere = {CallEvent.SESSION_ENDED, CallEvent.HANG_UP_ASKED, CallEvent.HUNG_UP}
    ids = {state: state.value.replace(" ", "_") for state in CallState}
    lines = [
        "stateDiagram-v2",
        f"    [*] --> {ids[CallState.RINGING]}",
        f"    [*] --> {ids[CallState.DIALLING]}",
    ]
    lines += [
        f"    {ids[before]} --> {ids[after]}: {event.value}"
        for (before, event), (after, _) in STEPS.items()
        if before is not after and event not in everywhere
    ]
    return "\n".join([*lines, f"    {ids[CallState.ENDING]} --> {ids[CallState.ENDED]}: hung up"]) + "\n"
