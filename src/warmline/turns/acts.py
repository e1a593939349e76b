"""What people say that is not a question about the documents: greetings, thanks, "say that again"; pure.

An utterance is such an act only if phrases from the table, and words that mean nothing here, cover
all of it: "hello, when are you open" is a question. Where nothing is lost by it, one word in four
before the last phrase may be anything, because a recogniser hears words that nobody said.
"""

from __future__ import annotations

import enum
import re
from typing import Final, NamedTuple

__all__ = ["PHRASES", "Act", "is_goodbye", "recognise"]


class Act(enum.Enum):
    """What is wanted; where several were said, the first in this order counts."""

    GOODBYE = "goodbye"
    """To end the conversation."""

    REPEAT = "repeat"
    """To hear the last reply again."""

    SLOWER = "slower"
    """To hear it again because it went too fast."""

    FIRST = "first"
    """The first of two things offered."""

    SECOND = "second"
    """The second of them."""

    TOPICS = "topics"
    """To know what can be asked."""

    HELP = "help"
    """To know how this works, or leave to ask."""

    GO_ON = "go on"
    """To hear more about the same."""

    YES = "yes"
    """Agreement."""

    NO = "no"
    """Refusal, or that nothing more is wanted."""

    STOP = "stop"
    """To be let alone for a moment."""

    THANKS = "thanks"
    """Nothing: politeness."""

    GREETING = "greeting"
    """Nothing: politeness at the beginning."""

    OKAY = "okay"
    """That the reply was heard; a yes after a question."""


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split(","))


PHRASES: Final = {
    Act.GOODBYE: _phrases(
        "goodbye, good bye, good by, bye, bye bye, by by, goodbye for now, bye for now, farewell, so long, "
        "see you, see ya, see you later, see you soon, see you tomorrow, see you next time, talk to you "
        "later, talk to you soon, talk later, good night, have a good one, have a nice one, have a good "
        "day, have a nice day, have a great day, have a good evening, have a nice evening, have a good "
        "night, have a good weekend, have a nice weekend, take care, i have to go, i have to go now, i've "
        "got to go, i got to go, i gotta go, i need to go, i must go, i want to say goodbye, hang up, you "
        "can hang up, end the call, end call, end the conversation, thanks by, thank you by, thanks good "
        "buy, thank you good buy"
    ),
    Act.REPEAT: _phrases(
        "repeat, repeat that, repeat it, repeat this, can you repeat, can you repeat that, can you repeat "
        "it, could you repeat, could you repeat that, could you repeat it, would you repeat that, repeat "
        "the answer, repeat what you said, repeat your answer, say that again, say it again, say again, say "
        "that one more time, tell me again, tell me that again, can you say that again, could you say that "
        "again, would you say that again, can you say it again, could you say it again, once more, one more "
        "time, again, come again, pardon, pardon me, i beg your pardon, sorry, excuse me, what, huh, sorry "
        "what, what was that, what did you say, what do you say, what did you just say, what was it, i "
        "didn't catch that, i did not catch that, i didn't get that, i did not get that, i didn't hear you, "
        "i didn't hear that, i did not hear you, i did not hear that, i couldn't hear you, i could not hear "
        "you, i missed that, i didn't understand, i did not understand, i don't understand, i do not "
        "understand"
    ),
    Act.SLOWER: _phrases(
        "slower, slow down, slowly, more slowly, speak slower, speak slowly, speak more slowly, talk "
        "slower, talk slowly, talk more slowly, a little slower, a bit slower, a little more slowly, a bit "
        "more slowly, say that slower, say it slower, say that more slowly, say it more slowly, say that "
        "slowly, can you speak slower, can you speak more slowly, could you speak slower, could you speak "
        "more slowly, can you slow down, could you slow down, can you talk slower, could you talk slower, "
        "you speak too fast, you are too fast, you're too fast, too fast, that was too fast, not so fast"
    ),
    Act.FIRST: _phrases("first, the first, first one, the first one, number one, the former, option one"),
    Act.SECOND: _phrases(
        "second, the second, second one, the second one, number two, the latter, the last one, the other "
        "one, option two"
    ),
    Act.TOPICS: _phrases(
        "what can i ask, what can i ask you, what can i ask about, what can i ask you about, what could i "
        "ask, what should i ask, what may i ask, what can i say, what can you do, what can you do for me, "
        "what can you tell me, what can you tell me about, what can you help me with, what can you answer, "
        "what do you know, what do you know about, what do you do, what are you, who are you, what is this, "
        "what's this, what are my options, what are the options, what topics, what topics do you know, "
        "which topics do you know, list the topics, what questions can i ask, what are the topics, what are "
        "you able to do, what information do you have, what else can i ask, what else can you do, what else "
        "do you know, give me an example"
    ),
    Act.HELP: _phrases(
        "help, help me, can you help, can you help me, could you help me, i need help, i need some help, i "
        "have a question, i have a question for you, i have some questions, i have another question, i've "
        "got a question, another question, one more question, can i ask you something, can i ask something, "
        "can i ask a question, can i ask you a question, may i ask a question, may i ask you something, "
        "could i ask you something, how does this work, how do i use this, how does it work, what do i do "
        "now"
    ),
    Act.GO_ON: _phrases(
        "go on, go ahead, continue, keep going, carry on, more, tell me more, tell me more about it, tell "
        "me more about that, say more, what else, anything else, is there more, is there anything else, is "
        "that all, and then, next, read on, i want to know more, i want to hear more"
    ),
    Act.YES: _phrases(
        "yes, yeah, yep, yup, yes i do, yes i would, yes you may, sure, of course, do it, certainly, "
        "definitely, absolutely, correct, that's right, exactly, i would like that, i'd like that, why not"
    ),
    Act.NO: _phrases(
        "no, nope, nah, no thanks, no thank you, not now, not really, not necessary, i don't, i do not, "
        "neither, neither of them, none of them, none, that's all, that is all, that'll be all, that will "
        "be all, that's it, that's enough, enough, nothing, nothing else, no more, i'm good, i am good, i'm "
        "fine, i'm done, i am done, i have no more questions, no more questions, no questions, it's okay, "
        "it's fine"
    ),
    Act.STOP: _phrases(
        "stop, stop it, stop that, stop talking, be quiet, quiet, silence, shut up, never mind, nevermind, "
        "forget it, forget about it, cancel, wait, wait a minute, wait a second, wait a moment, hold on, "
        "hold on a second, hold on a minute, hang on, hang on a second, one moment, one second, one minute, "
        "just a moment, just a second, just a minute, give me a moment, give me a second, let me think"
    ),
    Act.THANKS: _phrases(
        "thanks, thank you, thank you very much, thank you so much, thanks a lot, thanks so much, many "
        "thanks, thanks for that, thanks for your help, thank you for your help, thank you for the "
        "information, thanks for the information, i appreciate it, i appreciate your help, much "
        "appreciated, cheers, that was helpful, that's helpful, that is helpful, that helps, that helped, "
        "you are very helpful, that's very kind, you're very kind"
    ),
    Act.GREETING: _phrases(
        "hello, hi, hey, hiya, howdy, hello there, hi there, hey there, good morning, good afternoon, good "
        "evening, greetings, how are you, how are you doing, how are you today, how are you doing today, "
        "how do you do, how's it going, nice to meet you, are you there, is anybody there, is anyone there, "
        "anybody there, can you hear me, do you hear me, testing, test"
    ),
    Act.OKAY: _phrases(
        "okay, ok, o k, alright, all right, i see, got it, i got it, i understand, understood, good, great, "
        "fine, cool, perfect, nice, excellent, wonderful, awesome, good to know, that's good, that's great, "
        "that is good, that is great, sounds good, right, very good, fair enough, interesting, makes sense"
    ),
}
"""How each act is put into words; a recogniser may be told to expect them."""

_HESITATION: Final = frozenset("ah eh er hm hmm mhm please uh uhm um".split())
"""Words that may stand anywhere, even inside a phrase."""

_EMPTY: Final = frozenset(
    "a and anyway but everybody everyone friend guys just ma'am madam man miss mister now oh oops sir "
    "so the then there this today too very well much really".split()
)
"""Words that do not turn an act into something else."""

_NOISE_ALLOWED: Final = frozenset({Act.GOODBYE, Act.REPEAT, Act.SLOWER})
"""Acts whose phrases are too particular to be part of a question by chance."""

_WORDS_FOR_NOISE: Final = 3
"""How many words must be covered for each that is not."""

_LONGEST_WORDS: Final = 16
"""A longer utterance is never an act."""


class _Part(NamedTuple):
    words: int
    act: Act | None
    is_unknown: bool = False


_ACT_OF: Final = {tuple(phrase.split()): act for act, phrases in PHRASES.items() for phrase in phrases}
_LONGEST_PHRASE: Final = max(map(len, _ACT_OF))
_ORDER: Final = list(Act)


def recognise(text: str) -> Act | None:
    """Return what is wanted, or None if it is a question about something."""
    words = _words(text)
    if len(words) > _LONGEST_WORDS:
        return None
    parts = _parts(words)
    acts = [part.act for part in parts if part.act is not None]
    if not acts:
        return None
    act = min(acts, key=_ORDER.index)
    unknown = sum(part.is_unknown for part in parts)
    if not unknown:
        return act
    covered = sum(part.words for part in parts if part.act is not None)
    # What stands at the end is what was wanted: "can you repeat the fees" is about fees.
    ends_with_act = (
        next(part for part in reversed(parts) if part.act is not None or part.is_unknown).act is not None
    )
    is_noise = act in _NOISE_ALLOWED and covered >= _WORDS_FOR_NOISE * unknown and ends_with_act
    return act if is_noise else None


def is_goodbye(text: str) -> bool:
    """Return whether the speaker takes leave, so that the conversation can be ended."""
    return recognise(text) is Act.GOODBYE


def _words(text: str) -> list[str]:
    plain = text.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return [word for word in re.findall(r"\w+(?:'\w+)?", plain) if word not in _HESITATION]


def _parts(words: list[str]) -> list[_Part]:
    """Return the words as phrases and words between them, with as few unknown ones as can be."""
    # For each place, from the end, the best way to take the words from there on.
    best: list[tuple[int, list[_Part]]] = [(0, [])]
    for at in reversed(range(len(words))):
        ways = []
        for length in range(min(_LONGEST_PHRASE, len(words) - at), 0, -1):
            if act := _ACT_OF.get(tuple(words[at : at + length])):
                unknown, rest = best[-length]
                ways.append((unknown, [_Part(length, act), *rest]))
        is_unknown = words[at] not in _EMPTY
        unknown, rest = best[-1]
        ways.append((unknown + is_unknown, [_Part(1, None, is_unknown), *rest]))
        best.append(min(ways, key=lambda way: way[0]))
    return best[-1][1]
