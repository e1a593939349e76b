"""What the simulated Telnyx writes down and plays, on the jumping clock; the server is in memory."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from tests.simulators.telephone_server import tone, wav
from tests.simulators.test_telnyx_time import Server, leg
from warmline.simulators.script import Script
from warmline.simulators.speech import Spoken
from warmline.simulators.telephone.caller import Utterance
from warmline.simulators.telephone.placing import PlacedCall
from warmline.simulators.telephone.steps import Say, Stay, Wait
from warmline.simulators.telnyx.actions import act
from warmline.simulators.telnyx.commands import Answer
from warmline.simulators.telnyx.errors import Refused
from warmline.simulators.telnyx.sound_commands import (
    PlaybackStop,
    Speak,
    TranscriptionConfig,
    TranscriptionStart,
    TranscriptionStop,
)
from warmline.simulators.telnyx.transcription import words_within

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

QUESTION = Say(text="when do you open today")
"""Five words: 1.5 s."""

LISTEN = TranscriptionStart(transcription_engine_config=TranscriptionConfig(interim_results=True))


class ToneSpeech:
    """Says each word as 300 ms of a tone, and recognises every recording as the same."""

    def __init__(self, recognised="", takes_s=0.0):
        self.recognised = recognised
        self.takes_s = takes_s
        self.recognised_s = []

    async def spoken(self, text, audio_format):
        return Spoken(tone(0.3 * len(text.split())), ())

    async def transcribed(self, pcm):
        await anyio.sleep(self.takes_s)
        self.recognised_s.append(round(len(pcm) / 32_000, 2))
        return self.recognised


@asynccontextmanager
async def answered(*caller, speech=None, script=None):
    """A server, and a call that it has just answered."""
    async with anyio.create_task_group() as tasks:
        server: Any = Server(tasks)
        server.speech = speech or ToneSpeech()
        server.script = script or server.script
        call = leg(server, PlacedCall(webhook_url="", caller=(*caller, Stay())))
        await call.rehearse()
        tasks.start_soon(call.run)
        await anyio.lowlevel.checkpoint()
        act(server, call, Answer(), "")
        yield server, call
        call.end("normal_clearing", "person")


def written(call):
    """Return when each result was told, in seconds since the answer, whether it was final, and its words."""
    return [
        (
            sent.at_s,
            sent.body["payload"]["transcription_data"]["is_final"],
            sent.body["payload"]["transcription_data"]["transcript"],
        )
        for sent in call.webhooks
        if sent.event == "call.transcription"
    ]


def finals(call):
    return [words for _, is_final, words in written(call) if is_final]


async def test_words_are_told_while_they_are_said_and_finally_when_the_speech_has_ended():
    async with answered(Wait(wait_s=0.5), QUESTION) as (server, call):
        act(server, call, LISTEN, "")
        await anyio.sleep(4)
    *interim, (final_s, is_final, words) = written(call)
    assert (is_final, words) == (True, QUESTION.text)
    (utterance,) = call.phone.caller.utterances
    assert final_s - utterance.ended_s == pytest.approx(0.3, abs=0.05)
    told = [words for _, _, words in interim]
    assert told == ["when", "when do", "when do you", "when do you open", QUESTION.text]
    assert not any(is_final for _, is_final, _ in interim)
    assert interim[0][0] == pytest.approx(utterance.began_s + 0.3, abs=0.05)


async def test_without_interim_results_only_what_is_final_is_told():
    async with answered(QUESTION, Say(text="and on sunday")) as (server, call):
        act(server, call, TranscriptionStart(), "")
        await anyio.sleep(4)
    assert [(is_final, words) for _, is_final, words in written(call)] == [
        (True, QUESTION.text),
        (True, "and on sunday"),
    ]


async def test_a_transcription_that_begins_within_speech_misses_its_beginning():
    async with answered(Say(text="hello"), QUESTION) as (server, call):
        await anyio.sleep(0.7)  # within the second word of the question
        act(server, call, LISTEN, "")
        await anyio.sleep(4)
    assert finals(call) == ["you open today"]


@pytest.mark.parametrize("ends_by", [TranscriptionStop(), None], ids=["a command", "hanging up"])
async def test_a_transcription_ends(ends_by):
    async with answered(QUESTION, Wait(wait_s=1), QUESTION) as (server, call):
        act(server, call, LISTEN, "")
        await anyio.sleep(1.0)
        if ends_by is None:
            call.end("normal_clearing", "person")
        else:
            act(server, call, ends_by, "")
        assert written(call)
        await anyio.sleep(5)
    assert finals(call) == []


async def test_a_transcription_that_is_asked_for_twice_tells_everything_once():
    async with answered(Wait(wait_s=0.5), QUESTION) as (server, call):
        act(server, call, LISTEN, "")
        act(server, call, LISTEN, "")
        await anyio.sleep(3)
    assert finals(call) == [QUESTION.text]


@pytest.mark.parametrize(("recognised", "told"), [("when do you open", ["when do you open"]), ("", [])])
async def test_of_a_recording_what_is_recognised_is_told(recognised, told):
    """Which is late where recognising takes long, and nothing where nothing is recognised."""
    speech = ToneSpeech(recognised, takes_s=2.0)
    async with answered(Say(audio=wav(tone(0.8))), speech=speech) as (server, call):
        act(server, call, LISTEN, "")
        await anyio.sleep(4)
    assert speech.recognised_s == [0.8]
    assert finals(call) == told
    assert all(at_s >= 2.0 for at_s, _, _ in written(call))


async def test_what_a_script_says_is_what_is_understood_of_everything():
    async with answered(QUESTION, script=Script(transcript="hello there")) as (server, call):
        act(server, call, LISTEN, "")
        await anyio.sleep(4)
    assert finals(call) == ["hello there"]


async def test_a_call_that_still_rings_is_not_listened_to():
    async with anyio.create_task_group() as tasks:
        server: Any = Server(tasks)
        call = leg(server, PlacedCall(webhook_url=""))
        with pytest.raises(Refused):
            act(server, call, LISTEN, "")


def test_words_are_spread_evenly_over_an_utterance():
    utterance = Utterance(said="", began_s=1.0, ended_s=3.0)
    assert words_within("one two three four", utterance, 0.0, 2.0) == "one two"
    assert words_within("one two three four", utterance, 1.2, 9.0) == "two three four"
    assert words_within("", utterance, 0.0, 9.0) == ""


async def test_what_is_played_behind_something_that_was_stopped_is_played_to_its_end():
    """What was stopped comes to its end at the next 20 ms, which is not the end of what follows."""
    async with answered() as (server, call):
        act(server, call, Speak(payload="one two three four five", voice="x"), "")
        await anyio.sleep(0.515)
        act(server, call, PlaybackStop(), "")
        act(server, call, Speak(payload="six seven eight", voice="x"), "")
        await anyio.sleep(3)
    said = [(sent.event, sent.at_s) for sent in call.webhooks if "speak" in sent.event]
    assert [event for event, _ in said] == ["call.speak.started", "call.speak.ended"] * 2
    (_, began_s), (_, ended_s) = said[2:]
    assert ended_s - began_s == pytest.approx(0.9, abs=0.03)
