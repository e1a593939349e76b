from __future__ import annotations

import pytest

from warmline.errors import ConfigError
from warmline.simulators.faults import Fault, FaultKind, FaultQueue, parse_fault

pytestmark = pytest.mark.unit

PATH = "/v1/chat/completions"


def queue(*texts: str, seed: int = 0) -> FaultQueue:
    faults = FaultQueue(seed)
    for text in texts:
        faults.add(parse_fault(text))
    return faults


def met(faults: FaultQueue, times: int, path: str = PATH) -> list[str]:
    """Return the kinds that so many requests meet; empty for none."""
    taken = [faults.take(path) for _ in range(times)]
    return [fault.kind.value if fault is not None else "" for fault in taken]


def test_the_oldest_comes_first_and_each_comes_once():
    assert met(queue("cut", "401"), 3) == ["cut", "401", ""]


def test_a_fault_meets_as_many_requests_as_it_says():
    faults = queue("cut;times=2", "500")
    assert met(faults, 4) == ["cut", "cut", "500", ""]
    assert faults.waiting == []


def test_zero_times_is_all_of_them_until_it_is_cleared():
    faults = queue("cut;times=0")
    assert met(faults, 20) == ["cut"] * 20
    faults.clear()
    assert met(faults, 1) == [""]


def test_the_same_fault_may_wait_twice():
    fault, faults = Fault(kind=FaultKind.CUT), FaultQueue()
    faults.add(fault)
    faults.add(fault)
    assert met(faults, 3) == ["cut", "cut", ""]


def test_only_requests_whose_path_fits_are_met():
    faults = queue("cut;path=responses", "500")
    assert met(faults, 2) == ["500", ""]
    assert met(faults, 2, "/v1/responses") == ["cut", ""]


def test_an_upgrade_meets_refusals_and_the_work_on_the_socket_meets_the_rest():
    faults = queue("cut;times=0", "429;times=0", "drop;times=0")
    upgrade = faults.take(PATH, is_upgrade=True)
    work = faults.take(PATH, is_upgrade=False)
    assert upgrade is not None
    assert work is not None
    assert (upgrade.kind, work.kind) == (FaultKind.RATE_LIMITED, FaultKind.CUT)


def test_chance_is_as_great_as_it_says_and_the_same_every_time():
    first, again = (met(queue("cut;times=0;probability=0.3", seed=7), 1000) for _ in range(2))
    assert first == again
    assert 250 < first.count("cut") < 350
    assert first != met(queue("cut;times=0;probability=0.3", seed=8), 1000)


def test_a_request_that_chance_spares_does_not_use_a_fault_up():
    assert met(queue("cut;times=2;probability=0.3"), 1000).count("cut") == 2


@pytest.mark.parametrize(("probability", "count"), [("0", 0), ("1", 100)])
def test_never_and_always(probability, count):
    assert met(queue(f"cut;times=0;probability={probability}"), 100).count("cut") == count


def test_everything_can_be_said_in_a_header():
    text = "slow_first_byte; path=/v1; times=3; after=2; seconds=0.5; probability=0.25; retry_after=2"
    assert parse_fault(text) == Fault(
        kind=FaultKind.SLOW_FIRST_BYTE,
        path="/v1",
        times=3,
        after=2,
        seconds=0.5,
        probability=0.25,
        retry_after="2",
    )


@pytest.mark.parametrize("kind", FaultKind)
def test_every_kind_can_be_named(kind):
    assert parse_fault(kind.value).kind is kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "explode",
        "cut;after",
        "cut;after=soon",
        "cut;after=-1",
        "cut;times=-1",
        "cut;probability=2",
        "cut;afetr=3",
        "cut;kind=401;",
    ],
)
def test_what_is_no_fault_is_refused_with_the_kinds_there_are(text):
    with pytest.raises(ConfigError, match="kinds are drop, half_close"):
        parse_fault(text)


def test_requests_may_pass_before_a_fault_meets_one():
    queue = FaultQueue()
    queue.add(parse_fault("503;skip=2;times=1;path=/chat"))
    met = [queue.take(path) is not None for path in ("/chat", "/other", "/chat", "/chat", "/chat")]
    assert met == [False, False, False, True, False]
    assert queue.waiting == []
