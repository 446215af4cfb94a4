"""Between classify and route: does this message need the conversation to be understood?

It looks at words only and knows no model: a follow-up ("and for annual plans?") read alone would
get a sure and wrong answer from the intent model, so it must be told before anybody answers.

What makes a message depend on the lines before it, in the order of the rules:
- a bare yes or no;
- a fragment that answers the bot's own question ("android"), unless that question only offered
  help ("Did that help?");
- nothing in it names a subject ("why?", "it still doesn't work", "cheaper?");
- a fragment that goes on with the sentence before ("and for annual plans?", "on android too");
- a word that stands for something said before ("can I download it as pdf"), with nothing in the
  message that it could stand for and fewer than three words that name a subject.

"What about X?" names a subject of its own, so it is none, unless X begins with a preposition,
names no subject, or repeats a word of the customer's last line ("what about annual plans?" after
a question about a plan). "And X?" always goes on with what was asked before. A greeting, thanks,
and the wish for a person are never follow-ups, and nothing is one without a history.

Languages: English; German and Spanish in their basics. In others every word counts as a subject,
so nothing but a fragment after a question is held to be a follow-up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import dropwhile

from chatloop.core.types import Exchange
from chatloop.turn import context_words as words

ENOUGH_SUBJECTS = 3
"""So many naming words carry a message, whatever else in it points backwards."""

_MAX_ANSWER_WORDS = 4
_TOKEN = re.compile(r"\[[a-z_]+_\d+\]|\d+|[^\W\d_]+(?:['’][^\W\d_]+)*|[.,:;!?\n]")
_MARKS = frozenset(".,:;!?\n")


class FollowUp(StrEnum):
    """Why a message needs the lines before it."""

    CONFIRMATION = "confirmation"
    ANSWER = "answer"
    NO_SUBJECT = "no_subject"
    ELLIPSIS = "ellipsis"
    ANAPHORA = "anaphora"


def follow_up(text: str, history: Sequence[Exchange]) -> FollowUp | None:
    """Return why `text` cannot be understood without `history` (newest last), else None.

    Takes time linear in the length of the text.
    """
    if not history:
        return None
    line = _read(text)
    if _asks_for_person(line.words):
        return None
    if not line.words:
        return FollowUp.CONFIRMATION if line.confirms and not line.courteous else None
    if _answers_question(line, history):
        return FollowUp.ANSWER
    return _by_its_words(line, history)


def _by_its_words(line: _Line, history: Sequence[Exchange]) -> FollowUp | None:
    if not line.subjects:
        return None if _is_courtesy(line) else FollowUp.NO_SUBJECT
    if _goes_on(line, history):
        return FollowUp.ELLIPSIS
    return FollowUp.ANAPHORA if _points_back(line) else None


@dataclass(frozen=True, slots=True)
class _Line:
    """A message without its courtesies. `tokens`: words and marks, both in order."""

    tokens: tuple[str, ...]
    words: tuple[str, ...]
    subjects: tuple[str, ...]
    confirms: bool
    courteous: bool
    asks: bool

    @property
    def is_clause(self) -> bool:
        """Whether it is more than a fragment: it has a subject, a verb form or an order."""
        return any(w in words.CLAUSE_WORDS for w in self.words) or self.is_order

    @property
    def is_order(self) -> bool:
        """Whether it begins as an order does: a verb, then `the`, `my` or a like word."""
        return len(self.words) > 1 and _names(self.words[0]) and self.words[1] in words.DETERMINERS


def _read(text: str) -> _Line:
    found = [t.replace("’", "'").partition("'")[0] for t in _TOKEN.findall(text.lower())]
    wanted = (t for t in found if t not in words.COURTESY)
    body = tuple(dropwhile(lambda t: t in words.CONFIRMATIONS or t in _MARKS, wanted))
    spoken = tuple(t for t in body if t not in _MARKS)
    return _Line(
        tokens=body,
        words=spoken,
        subjects=tuple(w for w in spoken if _names(w)),
        confirms=any(t in words.CONFIRMATIONS for t in found),
        courteous=_wishes(found),
        asks="?" in found,
    )


def _wishes(found: Sequence[str]) -> bool:
    joined = f" {' '.join(found)} "
    return any(t in words.WISHES for t in found) or any(f" {p} " in joined for p in words.WISHING)


def _names(word: str) -> bool:
    """Whether a word can say what a message is about."""
    weak = word in words.FUNCTION_WORDS or word in words.WEAK
    return not (weak or word in _MARKS or not word or word.isdigit() or word.startswith("["))


def _asks_for_person(spoken: Sequence[str]) -> bool:
    if any(w in words.PERSONS for w in spoken):
        return len(spoken) < 4 or any(w in words.TALKING for w in spoken)
    named = any(w in words.SOMEONES for w in spoken)
    return named and any(w in words.SPEAKING for w in spoken)


def _is_courtesy(line: _Line) -> bool:
    asks = any(w in words.QUESTION_WORDS or w in words.CONTRASTS for w in line.words)
    return line.courteous and not (asks or line.asks)


def _answers_question(line: _Line, history: Sequence[Exchange]) -> bool:
    last = history[-1]
    if last.role != "assistant" or not last.content.rstrip().endswith("?"):
        return False
    question = re.split(r"[.!?\n]", last.content.rstrip()[:-1])[-1].lower()
    if any(word in words.OFFERS for word in _TOKEN.findall(question)):
        return False
    return len(line.words) <= _MAX_ANSWER_WORDS and not (line.asks or line.is_clause)


def _goes_on(line: _Line, history: Sequence[Exchange]) -> bool:
    """Whether the message is a piece of the sentence before rather than one of its own."""
    spoken = line.words
    links = 0
    while links < len(spoken) - 1 and spoken[links] in words.LINKS:
        links += 1
    rest = spoken[links:]
    about = _after_what_about(rest)
    if about is not None:
        return about[0] in words.PREPOSITIONS or _repeats(about, history)
    if line.is_clause:
        return spoken[0] in words.CONTRASTS and len(line.subjects) == 1
    starts = rest[0] in words.PREPOSITIONS or (rest[0] in words.WHICH and len(rest) == 2)
    return bool(links) or starts or spoken[-1] in words.TRAILING


def _after_what_about(rest: Sequence[str]) -> Sequence[str] | None:
    """Return what follows `what about` or its like; None without such an opening."""
    for opening in words.WHAT_ABOUT:
        if tuple(rest[: len(opening)]) == opening and len(rest) > len(opening):
            return rest[len(opening) :]
    return None


def _repeats(spoken: Sequence[str], history: Sequence[Exchange]) -> bool:
    asked = next((e.content for e in reversed(history) if e.role == "user"), "")
    before = {_stem(w) for w in _read(asked).subjects}
    return any(_stem(w) in before for w in spoken if _names(w))


def _stem(word: str) -> str:
    return word[:5].rstrip("s")


def _points_back(line: _Line) -> bool:
    """Whether a word stands for something that the message itself does not name."""
    if len(line.subjects) >= ENOUGH_SUBJECTS:
        return False
    pointing, noun_seen = False, False
    for clause in _clauses(line.tokens):
        points = False
        for i in range(len(clause)):
            if not noun_seen and _is_pointer(clause, i):
                points = True
            noun_seen = noun_seen or _is_noun(clause, i)
        if not points and any(_names(w) for w in clause):
            return False  # a clause that stands alone says what the other ones mean
        pointing = pointing or points
    return pointing


def _clauses(tokens: Sequence[str]) -> list[list[str]]:
    clauses: list[list[str]] = [[]]
    for token in tokens:
        if token in _MARKS:
            clauses.append([])
        else:
            clauses[-1].append(token)
    return [clause for clause in clauses if clause]


def _is_noun(clause: Sequence[str], i: int) -> bool:
    """Whether a naming word stands where nouns do: after `my`, `the`, `with`, `this`."""
    if not _names(clause[i]) or i == 0:
        return False
    if clause[i - 1] in words.BEFORE_NOUNS:
        return True
    return i > 1 and clause[i - 2] in words.BEFORE_NOUNS and _names(clause[i - 1])


def _is_pointer(clause: Sequence[str], i: int) -> bool:
    word, following = clause[i], "".join(clause[i + 1 : i + 2])
    noun_follows = _names(following) or following in words.TIMES
    if word in words.PICKS:
        return not noun_follows
    if word in words.DEMONSTRATIVES:
        opens_clause = following in words.SUBJECTS or following in words.DETERMINERS
        is_subject = i > 0 and clause[i - 1] in words.AUXILIARIES and word in {"that", "das"}
        return not opens_clause and (is_subject or not noun_follows)
    if word in {"it", "es"} and set(clause[i + 1 : i + 5]) & words.EXPLETIVES:
        return not set(clause[i + 2 : i + 7]) & words.EXPLETIVE_ENDS
    return word in words.ANAPHORS
