"""Who answered a call of ours, and what is done then."""

import pytest

from warmline.server.telephone.machines import MachinePolicy, OnAnswer, on_answer

pytestmark = pytest.mark.unit

MESSAGE = MachinePolicy("Please call the library.")


@pytest.mark.parametrize(
    ("result", "policy", "decision"),
    [
        ("human", MachinePolicy(), OnAnswer.TALK),
        ("human_residence", MESSAGE, OnAnswer.TALK),
        ("not_sure", MachinePolicy(), OnAnswer.TALK),
        ("silence", MachinePolicy(), OnAnswer.TALK),
        ("unknown", MESSAGE, OnAnswer.TALK),
        ("machine", None, OnAnswer.TALK),
        ("machine", MachinePolicy(), OnAnswer.HANG_UP),
        ("machine_start", MachinePolicy(), OnAnswer.HANG_UP),
        ("machine", MESSAGE, OnAnswer.WAIT),
        ("machine_start", MESSAGE, OnAnswer.WAIT),
        ("machine_end_beep", MESSAGE, OnAnswer.LEAVE_MESSAGE),
        ("fax", MESSAGE, OnAnswer.HANG_UP),
        ("fax_detected", MESSAGE, OnAnswer.HANG_UP),
    ],
)
def test_only_who_is_surely_a_machine_is_treated_as_one(result, policy, decision):
    assert on_answer(result, policy, is_human=result.startswith("human")) is decision
