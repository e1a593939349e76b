"""A message is answered once, whatever happens and wherever the process is killed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.server.whatsapp.house import START_S, House, Killed, failure, text, unknown, voice
from warmline.channels.whatsapp.failure_kinds import GraphFailureKind
from warmline.channels.whatsapp.incoming import MessageKind
from warmline.errors import InputError, ProviderRejected, ProviderUnavailable
from warmline.server.whatsapp.policy import PAUSE, MessagePolicy, job_id_of, priority_of, queue_key
from warmline.server.whatsapp.settling import settle
from warmline.store.database import Database
from warmline.store.messages import Exchange, JobState
from warmline.store.outbox import SendState, Status

pytestmark = pytest.mark.wire

DOWN = ProviderUnavailable("it is down", provider="x", phase="connect")
REFUSED = ProviderRejected("the key is wrong", provider="x", phase="connect")


@pytest.fixture
def database():
    with Database("sqlite://") as database:
        yield database


@pytest.fixture
def house(database):
    return House(database)


def places() -> list[str]:
    """Return every place at which answering a voice message in two notes can be cut short."""
    with Database("sqlite://") as database:
        house = House(database)
        house.agent.notes = 2
        house.receive(voice())
        house.run()
        return house.killer.places


@pytest.mark.parametrize("place", range(1, len(places()) + 1), ids=places())
def test_killed_anywhere_a_voice_message_is_answered_once_and_paid_for_once(house, place):
    """The next process goes on; nothing arrives twice, and nothing out of order."""
    house.agent.notes = 2
    [first, second] = house.receive(voice(1), text(2))
    house.kill_at(place)
    with pytest.raises(Killed):
        house.run()
    house.kill_at(0)
    house.run()
    assert house.said == [
        "media of answer to wamid.1 0",
        "media of answer to wamid.1 1",
        "answer to wamid.2",
    ]
    assert len(house.agent.heard) == 1
    assert len(house.agent.asked) == 2
    assert len(house.agent.spoken) == 1
    assert [house.job(each).state for each in (first, second)] == [JobState.ANSWERED] * 2


def test_there_are_many_places():
    """The walk above is no walk of one step."""
    assert len(places()) > 30
    assert {"before hear", "in answer", "behind speak", "before WhatsApp takes it", "in send 1"} <= {
        *places()
    }


def test_killed_again_and_again_it_is_answered_once(house):
    """At each place that is reached, one after another."""
    house.receive(voice())
    for place in range(1, 60):
        house.kill_at(place % 7 + 1)
        try:
            house.run()
        except Killed:
            continue
        break
    assert house.said == ["media of answer to wamid.1 0"]


def test_a_text_is_answered_in_writing_and_quotes_what_it_answers(house):
    [job] = house.receive(text())
    house.run()
    assert house.said == ["answer to wamid.1"]
    assert house.whatsapp.taken[0].type == "text"
    assert house.job(job).heard == "question 1"
    assert house.agent.heard == []


@pytest.mark.parametrize(
    ("policy", "message", "arrives"),
    [
        (MessagePolicy(speaks_to_text=True), text(), "audio"),
        (MessagePolicy(speaks_to_voice=False), voice(), "text"),
    ],
    ids=["text by voice", "voice by text"],
)
def test_how_an_answer_comes_is_the_operator_s_choice(database, policy, message, arrives):
    house = House(database, policy)
    house.receive(message)
    house.run()
    assert [taken.type for taken in house.whatsapp.taken] == [arrives]


def test_what_was_said_before_is_known(house):
    house.receive(text(1), text(2))
    house.run()
    assert house.agent.asked[1] == ([Exchange("question 1", "answer to wamid.1")], "question 2")


def test_a_reaction_and_a_notice_want_no_answer(house):
    jobs = house.receive(
        text(1, kind=MessageKind.REACTION, type="reaction", text=""),
        text(2, kind=MessageKind.NOTICE, type="system", text=""),
    )
    house.run()
    assert house.said == []
    assert [house.job(job).state for job in jobs] == [JobState.IGNORED] * 2


def test_a_picture_is_answered_politely_and_its_caption_for_what_it_says(house):
    house.receive(
        text(1, kind=MessageKind.MEDIA, type="image", text=""),
        text(2, kind=MessageKind.MEDIA, type="image", text="what is this"),
    )
    house.run()
    assert house.said == [MessagePolicy().not_readable, "answer to wamid.2"]


def test_a_recording_without_words_and_one_that_can_t_be_read_are_asked_for_in_writing(house):
    house.agent.words = " "
    [silent] = house.receive(voice(1))
    house.run()
    house.agent.failures["hear"] = [InputError("it is no recording")]
    [broken] = house.receive(voice(2))
    house.run()
    assert house.said == [MessagePolicy().not_understood] * 2
    assert house.job(silent).state is JobState.ANSWERED
    assert (house.job(broken).state, house.job(broken).reason) == (JobState.FAILED, "it is no recording")


@pytest.mark.parametrize("step", ["hear", "answer"])
def test_what_is_down_for_a_while_is_asked_again(house, step):
    house.agent.failures[step] = [DOWN, DOWN, DOWN]
    [job] = house.receive(voice())
    house.run()
    assert house.job(job).state is JobState.ANSWERED
    assert house.now_s >= START_S + 20


@pytest.mark.parametrize("step", ["hear", "answer"])
@pytest.mark.parametrize("problem", [[DOWN] * 9, [REFUSED]], ids=["down", "refused"])
def test_a_message_that_cannot_be_answered_is_told_so_and_can_be_answered_later(house, step, problem):
    house.agent.failures[step] = list(problem)
    [job] = house.receive(voice())
    house.run()
    assert house.said == [MessagePolicy().apology]
    failed = house.job(job)
    assert (failed.state, failed.reason) == (JobState.FAILED, str(problem[0]))
    house.agent.failures.clear()
    assert house.messages.begin_again(job) == 2
    house.engine.kept.clear()
    house.queue.append(job)
    house.run()
    assert house.said == [MessagePolicy().apology, "media of answer to wamid.1 0"]
    assert house.job(job).state is JobState.ANSWERED


def test_what_can_t_be_spoken_is_written(house):
    house.agent.failures["speak"] = [REFUSED]
    [job] = house.receive(voice())
    house.run()
    assert [(taken.type, taken.what) for taken in house.whatsapp.taken] == [("text", "answer to wamid.1")]
    assert "could not be spoken" in house.job(job).reason


@pytest.mark.parametrize("kind", [GraphFailureKind.PAIR_RATE, GraphFailureKind.THROUGHPUT])
def test_where_it_goes_too_fast_it_is_sent_later_and_in_order(house, kind):
    house.whatsapp.failures = [failure(kind)] * 3
    house.receive(text(1), text(2))
    house.run()
    assert house.said == ["answer to wamid.1", "answer to wamid.2"]
    assert house.now_s > START_S + 3


def test_while_the_token_is_no_good_nothing_is_tried_and_then_everything_goes_on(house):
    """However long that takes; no try is used up by it."""
    house.whatsapp.failures = [failure(GraphFailureKind.TOKEN)]
    renewed_s = START_S + 3_600

    def renew() -> None:
        if house.now_s >= renewed_s:
            house.messages.resume(PAUSE)

    house.on_sleep.append(renew)
    house.receive(text(1), text(2))
    house.run()
    assert house.said == ["answer to wamid.1", "answer to wamid.2"]
    assert house.now_s >= renewed_s
    assert house.messages.pause_reason(PAUSE) is None


def test_an_answer_that_was_taken_without_a_word_is_not_sent_again(house):
    """The status tells that it was."""
    house.whatsapp.loses_answers = 1
    [job] = house.receive(text())
    house.run()
    assert house.said == ["answer to wamid.1"]
    assert house.job(job).state is JobState.ANSWERED


def test_an_answer_that_was_not_taken_is_sent_again_when_no_status_comes(house):
    house.whatsapp.failures = [unknown()]
    house.receive(text())
    house.run()
    assert house.said == ["answer to wamid.1"]
    assert house.now_s >= START_S + 20


def test_what_is_refused_for_good_ends_with_a_reason(house):
    house.whatsapp.failures = [failure(GraphFailureKind.UNDELIVERABLE)]
    [job] = house.receive(text())
    house.run()
    assert house.said == []
    assert house.job(job).state is JobState.FAILED
    assert "it said undeliverable" in house.job(job).reason


def test_an_answer_of_which_a_part_arrived_says_so(house):
    house.agent.notes = 3
    [job] = house.receive(voice())
    accepted = house.whatsapp.send

    def send(body, now_s):
        if len(house.whatsapp.taken) == 1:
            raise failure(GraphFailureKind.REFUSED)
        return accepted(body, now_s)

    house.whatsapp.send = send
    house.run()
    assert house.job(job).state is JobState.PARTLY
    assert house.job(job).reason.startswith("part 2 of 3 could not be sent")
    assert [send.state for send in house.outbox.of(job)] == [SendState.ACCEPTED, SendState.READY]


@pytest.mark.parametrize("is_told", [False, True], ids=["by the clock", "by WhatsApp"])
@pytest.mark.parametrize("template", ["", "come_back"])
def test_an_answer_that_comes_a_day_late_is_kept_until_they_write_again(database, is_told, template):
    """Never a silent failure: it is held, they may be asked to write, and then it is sent, in order."""
    house = House(database, MessagePolicy(template=template))
    [job] = house.receive(text(1))
    if is_told:
        house.whatsapp.failures = [failure(GraphFailureKind.WINDOW_CLOSED)]
    else:
        house.now_s += 25 * 3_600
    house.run()
    assert house.job(job).state is JobState.HELD
    assert "24 hours" in house.job(job).reason
    assert house.said == [template] * bool(template)
    [second] = house.receive(replace(text(2), timestamp_s=int(house.now_s)))
    house.run()
    assert house.said[-2:] == ["answer to wamid.1", "answer to wamid.2"]
    assert [house.job(each).state for each in (job, second)] == [JobState.ANSWERED] * 2


@pytest.mark.parametrize("is_early", [True, False], ids=["while it is sent", "when it is over"])
def test_an_answer_that_was_taken_and_did_not_arrive_says_so(house, is_early):
    """Whether that is told before the job is over or behind it."""
    house.agent.notes = 2
    [job] = house.receive(voice())
    status = Status("wamid.out0", "failed", 1, f"{job}/0", 131026, "Message undeliverable")
    accepted = house.whatsapp.send

    def send(body, now_s):
        message_id = accepted(body, now_s)
        if len(house.whatsapp.taken) == 2 and is_early:
            house.outbox.told(status, house.now_s)
            settle(job, house.messages, house.outbox)
        return message_id

    house.whatsapp.send = send
    house.run()
    if not is_early:
        assert house.outbox.told(status, house.now_s) == job
        settle(job, house.messages, house.outbox)
    assert house.job(job).state is JobState.PARTLY
    assert "undeliverable" in house.job(job).reason.lower()


def test_an_answer_that_did_not_arrive_because_the_window_had_closed_is_held(house):
    """Told behind its being taken, as Meta does; it is spoken once, and sent when they write again."""
    [job] = house.receive(voice(1))
    house.run()
    status = Status("wamid.out0", "failed", 1, f"{job}/0", 131047, "Re-engagement message")
    house.outbox.told(status, house.now_s)
    settle(job, house.messages, house.outbox)
    assert house.job(job).state is JobState.HELD
    house.receive(text(2))
    house.run()
    assert [taken.what for taken in house.whatsapp.taken[1:]] == [
        "media of answer to wamid.1 0",
        "answer to wamid.2",
    ]
    assert len(house.agent.spoken) == 1
    assert house.job(job).state is JobState.ANSWERED


def test_who_asks_to_be_forgotten_is(house):
    house.receive(text(1), text(2, text="Forget me!"), text(3))
    house.run()
    assert house.said == ["answer to wamid.1", MessagePolicy().forgotten, "answer to wamid.3"]
    assert house.agent.asked[-1] == ([], "question 3")


def test_a_job_that_was_forgotten_while_it_waited_does_nothing(house):
    [job] = house.receive(text())
    house.messages.forget(text().user_key)
    house.run()
    assert house.said == []
    assert house.job(job).answer is None


def test_who_is_forgotten_while_they_are_answered_is_sent_nothing_more(house):
    [job] = house.receive(voice())

    async def answer(*_):
        house.messages.forget(voice().user_key)
        return "secret words"

    house.agent.answer = answer
    house.run()
    assert house.said == []
    assert (house.job(job).state, house.job(job).answer) == (JobState.IGNORED, None)


def test_who_is_forgotten_while_their_answer_is_sent_leaves_nothing_of_what_was_to_be_sent(house):
    [job] = house.receive(voice())

    async def upload(*_):
        house.messages.forget(voice().user_key)
        return "media"

    house.agent.upload = upload
    house.run()
    assert house.said == []
    assert house.outbox.of(job) == []
    assert house.job(job).state is JobState.IGNORED


def test_a_message_that_is_answered_anew_is_heard_and_answered_again(house):
    [job] = house.receive(voice())
    house.run()
    house.messages.begin_again(job, anew=True)
    house.engine.kept.clear()
    house.queue.append(job)
    house.run()
    assert len(house.agent.heard) == len(house.agent.asked) == 2
    assert [taken.callback_data for taken in house.whatsapp.taken] == [f"{job}/0", f"{job}~2/0"]
    assert house.job(job).state is JobState.ANSWERED


def test_a_mistake_of_ours_ends_one_job_alone(house, caplog):
    house.agent.failures["answer"] = [ZeroDivisionError("secret words")]
    [first, second] = house.receive(text(1), text(2))
    house.run()
    assert house.job(first).state is JobState.FAILED
    assert "ZeroDivisionError" in house.job(first).reason
    assert house.job(second).state is JobState.ANSWERED
    [record] = [each for each in caplog.records if each.message == "whatsapp.job_failed"]
    assert record.mistake.startswith("ZeroDivisionError in")
    assert "secret words" not in caplog.text + str(vars(record)) + house.job(first).reason
    assert b"secret words" not in b"".join(value for _, value in house.engine.kept[first])


def test_a_job_whose_steps_are_others_by_now_fails_with_a_reason_and_can_be_replayed(house, caplog):
    """As after an update that changed them without saying so."""
    [job] = house.receive(voice())
    house.kill_at(12)
    with pytest.raises(Killed):
        house.run()
    house.kill_at(0)
    house.engine.kept[job] = [(f"former {name}", value) for name, value in house.engine.kept[job]]
    house.run()
    assert house.job(job).state is JobState.FAILED
    assert "replay it" in house.job(job).reason
    assert house.said == []


def test_a_job_s_name_is_the_same_for_every_delivery_and_tells_nobody_s_number():
    assert job_id_of(text()) == job_id_of(replace(text(), text="delivered again"))
    assert job_id_of(text()) != job_id_of(text(2))
    assert "4915112345678" not in queue_key("4915112345678", "111")
    assert priority_of(int(START_S)) < priority_of(int(START_S) + 1)
    assert priority_of(0) == 1
    assert priority_of(10**12) == 2**31 - 1
