from __future__ import annotations

from chatloop.core.types import Exchange
from chatloop.turn.answer.content import HelpPassage
from chatloop.turn.answer.prompt import HISTORY_CHARS, PASSAGES_CHARS, build_prompt


def passage(text: str, name: str = "a") -> HelpPassage:
    return HelpPassage(name, f"Title {name}", f"Heading {name}", name, text)


def system(passages=(), instructions: str = "<<{passages}>>") -> str:
    prompt = build_prompt(instructions, passages, (), "?", max_tokens=9)
    assert prompt.messages[0].role == "system"
    return prompt.messages[0].content


def test_the_question_comes_last_and_as_it_is():
    prompt = build_prompt("x {passages}", [], (), "{passages} why?", max_tokens=9)
    assert prompt.messages[-1] == Exchange("user", "{passages} why?")
    assert prompt.max_tokens == 9


def test_passages_are_numbered_between_the_marks():
    quoted = system([passage("One.", "a"), passage("Two.", "b")])
    assert quoted == "<<[1] Title a - Heading a\nOne.\n\n[2] Title b - Heading b\nTwo.>>"


def test_no_passage_is_said_plainly():
    assert system() == "<<(no help text was found)>>"


def test_whole_passages_only_while_they_fit():
    quoted = system([passage("x" * 1000, "a"), passage("y" * 1000, "b"), passage("z", "c")])
    assert "x" * 1000 in quoted
    assert "y" not in quoted
    assert "z" not in quoted.replace("Title", "")


def test_the_first_passage_is_cut_rather_than_left_out():
    quoted = system([passage("x" * 5000)], "{passages}")
    assert len(quoted) == PASSAGES_CHARS
    assert quoted.endswith("x")


def history(*lengths: int) -> list[Exchange]:
    roles = ("user", "assistant")
    return [Exchange(roles[i % 2], str(i) * length) for i, length in enumerate(lengths)]


def kept(exchanges) -> list[str]:
    prompt = build_prompt("{passages}", [], exchanges, "?", max_tokens=9)
    return [e.content[0] for e in prompt.messages[1:-1]]


def test_the_newest_lines_that_fit_are_kept_in_order():
    assert kept(history(10, 20, 30)) == ["0", "1", "2"]
    assert kept(history(500, 400, 400)) == ["1", "2"]
    assert kept(history(1, 1, HISTORY_CHARS)) == ["2"]
    assert kept(history(1, HISTORY_CHARS + 1)) == []
    assert kept([]) == []


def test_the_default_prompt_stays_small():
    long = [passage("x" * 900, "a"), passage("y" * 900, "b"), passage("z" * 900, "c")]
    prompt = build_prompt("i" * 900 + "{passages}", long, history(400, 399), "?", max_tokens=9)
    assert sum(len(e.content) for e in prompt.messages) < 900 + PASSAGES_CHARS + HISTORY_CHARS + 10
