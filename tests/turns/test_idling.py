"""What is said to a person who has gone quiet."""

from dataclasses import replace

import pytest

from warmline.turns.idling import IdlePolicy, IdlePrompt, idle_prompt

pytestmark = pytest.mark.unit

POLICY = IdlePolicy(after_s=10, prompts=3, texts=("Hello?", "Are you there?"), farewell="Goodbye.")


@pytest.mark.parametrize(
    ("prompted", "said"),
    [
        (0, IdlePrompt("Hello?")),
        (1, IdlePrompt("Are you there?")),
        (2, IdlePrompt("Are you there?")),
        (3, IdlePrompt("Goodbye.", ends_session=True)),
    ],
)
def test_prompts_come_in_their_order_then_the_last_again_then_the_farewell(prompted, said):
    """As many as the operator wants."""
    assert idle_prompt(prompted, POLICY) == said


def test_without_a_farewell_the_session_goes_on_in_silence():
    """Nothing is said any more."""
    assert idle_prompt(3, replace(POLICY, farewell="")) is None


def test_without_texts_the_farewell_comes_at_once():
    """There is nothing to ask."""
    assert idle_prompt(0, replace(POLICY, texts=())) == IdlePrompt("Goodbye.", ends_session=True)
