"""Which files a call's sound becomes, and what is told of their playing."""

from collections.abc import Callable

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from warmline.channels.telephone.gathering import Gathering, MarkPassed, PlayFile, SoundChanged, Step
from warmline.core.formats import PCMU_8K

pytestmark = pytest.mark.unit


def sound(seconds):
    return b"\x10" * PCMU_8K.size_bytes(seconds)


class Files:
    """A gathering that is fed, and what came of it."""

    def __init__(self):
        self.gathering = Gathering(PCMU_8K)
        self.steps = []

    def add(self, seconds, at_s=0.0):
        self.gathering.add(sound(seconds), at_s)
        return self.advance(at_s)

    def mark(self, name, at_s=0.0, *, is_last=False):
        self.gathering.mark(name, is_last=is_last)
        return self.advance(at_s)

    def advance(self, at_s):
        return self._keep(self.gathering.advance(at_s))

    def started(self, at_s):
        return self._keep(self.gathering.started(at_s))

    def ended(self, at_s):
        return self._keep(self.gathering.ended(at_s))

    def _keep(self, steps):
        self.steps += steps
        return steps

    @property
    def lengths_s(self):
        return [round(PCMU_8K.duration_s(len(s.audio)), 3) for s in self.steps if isinstance(s, PlayFile)]

    @property
    def marks(self):
        return [step.name for step in self.steps if isinstance(step, MarkPassed)]


def test_the_first_file_leaves_when_there_is_enough_of_it():
    files = Files()
    assert files.add(0.5) == []
    assert files.gathering.due_at_s() == 0.6
    files.add(0.2, 0.1)
    assert files.lengths_s == [0.7]


def test_less_is_enough_where_a_reply_ends_or_nothing_more_comes():
    """A short answer is not held back, nor are the first words of a voice that stalls."""
    files = Files()
    files.add(0.2)
    files.mark("1", is_last=True)
    assert files.lengths_s == [0.2]
    files = Files()
    files.add(0.2)
    assert files.advance(0.59) == []
    files.advance(0.6)
    assert files.lengths_s == [0.2]


def test_the_next_file_is_what_came_meanwhile_and_leaves_shortly_before_it_is_needed():
    """And nothing leaves behind that."""
    files = Files()
    files.add(1.0)
    assert files.add(3.0, 0.1) == []  # it is not known when the first one sounds
    files.started(0.3)
    assert files.gathering.due_at_s() == pytest.approx(0.8)
    assert files.lengths_s == [1.0]
    files.advance(0.8)
    assert files.lengths_s == [1.0, 3.0]
    assert files.add(5.0, 0.9) == []
    files.ended(1.4)
    files.started(1.4)
    assert files.lengths_s == [1.0, 3.0]
    files.advance(3.9)
    assert files.lengths_s == [1.0, 3.0, 5.0]


def test_a_file_is_never_longer_than_a_command_should_be():
    files = Files()
    files.add(25.0)
    files.mark("end", is_last=True)
    files.started(0.0)
    files.advance(9.5)
    files.ended(10.0)
    files.started(10.0)
    files.advance(19.5)
    files.ended(20.0)
    files.started(20.0)
    assert files.lengths_s == [10.0, 10.0, 5.0]
    assert files.marks == []
    files.ended(25.0)
    assert files.marks == ["end"]


def test_marks_are_passed_by_the_clock_within_a_file_and_by_the_networks_word_at_its_end():
    files = Files()
    files.add(0.02)
    files.mark("1")
    files.add(0.8)
    files.mark("2")
    files.mark("3", is_last=True)
    assert files.marks == []
    assert files.started(1.0) == [SoundChanged(is_sounding=True)]
    assert files.gathering.due_at_s() == 1.02
    assert files.advance(1.02) == [MarkPassed("1")]
    assert files.gathering.due_at_s() == pytest.approx(1.82)
    assert files.advance(1.9) == [SoundChanged(is_sounding=False)]
    assert files.ended(1.95) == [MarkPassed("2"), MarkPassed("3"), SoundChanged(is_sounding=False)]
    assert files.gathering.due_at_s() is None


def test_a_mark_behind_everything_that_was_handed_over_belongs_to_the_last_file():
    files = Files()
    files.add(0.7)
    files.started(0.1)
    files.mark("end", 0.2, is_last=True)
    assert files.marks == []
    files.ended(0.8)
    assert files.marks == ["end"]
    assert files.mark("late", 0.9) == [MarkPassed("late")]


@pytest.mark.parametrize("first", ["started", "ended"])
def test_the_networks_words_may_change_places(first):
    """One file may begin, as it is told, before the one in front of it has ended."""
    files = Files()
    files.add(0.7)
    files.mark("1")
    files.started(0.0)
    files.add(0.7, 0.2)
    files.mark("2", 0.2)
    files.advance(0.3)
    assert files.lengths_s == [0.7, 0.7]
    if first == "started":
        files.started(0.8)
        files.ended(0.81)
    else:
        files.ended(0.8)
        files.started(0.81)
    assert files.marks == ["1"]
    assert files.gathering.is_playing
    files.ended(1.5)
    files.started(1.6)  # nothing is left that could have begun
    assert files.marks == ["1", "2"]
    assert not files.gathering.is_playing


def test_a_file_of_which_nothing_is_told_is_given_up():
    files = Files()
    files.add(1.0)
    files.mark("1", is_last=True)
    assert files.advance(8.9) == []
    assert MarkPassed("1") in files.advance(9.0)
    assert not files.gathering.is_playing


def test_what_is_cleared_is_forgotten_and_what_is_told_of_it_is_of_another_burst():
    files = Files()
    assert not files.gathering.clear()
    files.add(0.7)
    files.mark("1")
    burst = files.gathering.burst
    assert files.gathering.clear()
    assert files.advance(100.0) == []
    files.add(0.7, 100.0)
    assert files.gathering.burst == burst + 1


@settings(max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(20, 2_000)),
            st.tuples(st.just("mark"), st.booleans()),
            st.tuples(st.just("wait"), st.integers(1, 3_000)),
        ),
        max_size=40,
    ),
    st.integers(0, 300),
)
def test_whatever_is_fed_comes_out_once_in_order_and_its_marks_behind_it(actions, told_ms):
    """With a network that plays in real time and tells of it some time later."""
    gathering = Gathering(PCMU_8K)
    now_s, plays_until_s = 0.0, 0.0
    fed, played = b"", b""
    marks: list[str] = []
    passed: list[str] = []
    queue: list[tuple[float, float]] = []
    news: list[tuple[float, Callable[[float], list[Step]]]] = []

    def take(steps):
        nonlocal played, plays_until_s
        for step in steps:
            if isinstance(step, PlayFile):
                begins_s = max(now_s, plays_until_s)
                plays_until_s = begins_s + PCMU_8K.duration_s(len(step.audio))
                played += step.audio
                queue.append((begins_s, plays_until_s))
                assert sum(end > now_s for _, end in queue) <= 2 or told_ms > 0
                news.append((begins_s + told_ms / 1000, gathering.started))
                news.append((plays_until_s + told_ms / 1000, gathering.ended))
            elif isinstance(step, MarkPassed):
                passed.append(step.name)

    def run_until(until_s):
        nonlocal now_s
        while True:
            due_s = min([gathering.due_at_s() or float("inf"), *(at for at, _ in news)], default=float("inf"))
            if due_s > until_s:
                break
            now_s = max(now_s, due_s)
            for each in sorted([n for n in news if n[0] <= now_s], key=lambda n: n[0]):
                news.remove(each)
                take(each[1](now_s))
            take(gathering.advance(now_s))
        now_s = until_s

    for kind, value in actions:
        if kind == "add":
            audio = bytes([len(fed) % 251]) * PCMU_8K.size_bytes(value / 1000)
            fed += audio
            gathering.add(audio, now_s)
        elif kind == "mark":
            marks.append(str(len(marks)))
            gathering.mark(marks[-1], is_last=value)
        else:
            run_until(now_s + value / 1000)
        take(gathering.advance(now_s))
    run_until(now_s + 200.0)
    assert played == fed
    assert passed == marks
    assert not gathering.is_playing
