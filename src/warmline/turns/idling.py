"""What the agent says to a person who has gone quiet; decisions only."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["IdlePolicy", "IdlePrompt", "idle_prompt"]


@dataclass(frozen=True, slots=True)
class IdlePolicy:
    """When a person is asked whether they are there, and what becomes of the session if they are not."""

    after_s: float = 0.0
    """How long nobody has the floor before the person counts as idle; 0 for never."""

    prompts: int = 2
    """Most prompts in a row."""

    texts: tuple[str, ...] = ("Are you still there?", "Hello? Can you hear me?")
    """The prompts in their order; the last one again where there are more prompts than texts."""

    farewell: str = "I can't hear you, so I'll end our conversation here. Goodbye."
    """Said after the last prompt, before the session ends; empty for a session that goes on."""


@dataclass(frozen=True, slots=True)
class IdlePrompt:
    """What to say."""

    text: str
    ends_session: bool = False


def idle_prompt(prompted: int, policy: IdlePolicy) -> IdlePrompt | None:
    """Return what to say to a person who has been idle once more; None for nothing.

    Args:
        prompted: Prompts that were given in a row already.
        policy: The operator's.
    """
    if prompted < policy.prompts and policy.texts:
        return IdlePrompt(policy.texts[min(prompted, len(policy.texts) - 1)])
    return IdlePrompt(policy.farewell, ends_session=True) if policy.farewell else None
