from __future__ import annotations

import json
from itertools import product

import pytest

from chatloop.loop.data.help_index import Knowledge
from chatloop.loop.data.help_support import support_part
from chatloop.turn.answer.content import HelpPassage
from chatloop.turn.answer.retrieve import Retriever
from tests.turn.answer.retrieve.small import KNOWLEDGE, retriever_of

SUBJECTS = ["invoice", "refund", "password", "member", "calendar", "webhook"]
WAYS = ["where is my {}", "{} please", "problem with the {}", "change a {}", "how does the {} work"]
ABSENT = ["gantt", "whiteboard", "payroll", "crm", "forecast", "stopwatch", "wiki", "newsletter"]
WISHES = ["do you have a {}", "can I get a {}", "is there any {} in it", "I am looking for a {}"]


@pytest.fixture(scope="module")
def learnt() -> Knowledge:
    passages = [
        HelpPassage(s, s.title(), f"Your {s}", "", f"All about the {s} and how to change it.")
        for s in SUBJECTS
    ]
    asked = {(s, f"Your {s}"): tuple(way.format(s) for way in WAYS) for s in SUBJECTS}
    phrasings = [(f"{w} now", s) for s in SUBJECTS for w in (way.format(s) for way in WAYS)]
    wishes = [wish.format(thing) for wish, thing in product(WISHES, ABSENT)]
    return Knowledge(passages, asked, phrasings, wishes, [f"{wish} today" for wish in wishes])


@pytest.fixture(scope="module")
def retriever(learnt) -> Retriever:
    return retriever_of(learnt)


@pytest.mark.parametrize("text", ["the invoice please", "change the calendar", "webhook problem"])
def test_what_the_pages_are_about_is_supported(retriever, text):
    assert retriever.search(text).supported


@pytest.mark.parametrize("text", ["do you have a payroll calendar", "is there any crm member"])
def test_a_near_miss_is_not_supported(retriever, text):
    assert not retriever.search(text).supported


def test_too_few_examples_leave_a_plain_rule():
    rule = json.loads(support_part(KNOWLEDGE, 7)["support.json"])
    assert rule["grams"] == {}
    plain = retriever_of(KNOWLEDGE)
    assert plain.search("reset a password").supported
    assert not plain.search("mail from the moon about cheese and wine").supported


def test_the_same_examples_give_the_same_judgement(learnt):
    assert support_part(learnt, 7) == support_part(learnt, 7)
