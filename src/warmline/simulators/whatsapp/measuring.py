"""Who waited how long for what. No I/O and no clock."""

from __future__ import annotations

from collections.abc import Sequence

from warmline.simulators.whatsapp.report import ReceivedMessage, SentMessage, Turn

__all__ = ["measured_turns"]


def measured_turns(sent: Sequence[SentMessage], received: Sequence[ReceivedMessage]) -> list[Turn]:
    """Return each message of a person's with what came for it, in the order in which they were sent."""
    answers: dict[str, list[ReceivedMessage]] = {message.id: [] for message in sent}
    for each in received:
        if each.reply_to in answers:
            answers[each.reply_to].append(each)
            continue
        before = [message.id for message in sent if message.at_s <= each.at_s]
        if before:
            answers[before[-1]].append(each)
    return [_turn(message, answers[message.id]) for message in sent]


def _turn(message: SentMessage, answers: Sequence[ReceivedMessage]) -> Turn:
    def after_ms(instant_s: float | None) -> float | None:
        return None if instant_s is None else round((instant_s - message.at_s) * 1000, 1)

    return Turn(
        message=message.id,
        answers=[each.id for each in answers],
        told_ms=after_ms(message.told_at_s),
        read_ms=after_ms(message.read_at_s),
        typing_ms=after_ms(message.typing_at_s),
        answer_ms=after_ms(answers[0].at_s if answers else None),
        last_answer_ms=after_ms(answers[-1].at_s if answers else None),
    )
