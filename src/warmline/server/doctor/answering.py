"""Who answers: a tiny reply, on a line that has to be opened and on one that is open."""

from __future__ import annotations

from typing import Final

from warmline.interfaces.llm import LanguageModel, LlmRequest, Message, Role
from warmline.server.doctor.findings import Outcome
from warmline.server.doctor.subjects import CLOCK, Subject, since_ms

__all__ = ["reply"]

_ASKED: Final = LlmRequest(
    [Message(Role.USER, "Reply with the word ready.")],
    # For providers that keep a socket for each conversation.
    conversation_id="doctor",
)


async def reply(subject: Subject[LanguageModel]) -> Outcome:
    """Ask twice; it costs a few tokens."""
    async with subject.opened() as service:
        cold_ms, cold_total_ms, _ = await _answer(service.provider)
        warm_ms, warm_total_ms, text = await _answer(service.provider)
    figures = {
        "cold_first_token_ms": cold_ms,
        "cold_total_ms": cold_total_ms,
        "warm_first_token_ms": warm_ms,
        "warm_total_ms": warm_total_ms,
    }
    if not text.strip():
        return Outcome(
            figures,
            f"the reply was empty: see {subject.table}.max_tokens, which thinking counts towards, "
            f"and {subject.table}.model",
        )
    return Outcome(figures)


async def _answer(model: LanguageModel) -> tuple[float, float, str]:
    """Return the milliseconds to the first text and to the end, and the text."""
    began_s = CLOCK.now_s()
    first_ms = 0.0
    text = ""
    async with model.stream(_ASKED) as pieces:
        async for piece in pieces:
            if not text:
                first_ms = since_ms(began_s)
            text += piece if isinstance(piece, str) else ""
    return first_ms, since_ms(began_s), text
