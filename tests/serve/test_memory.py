from __future__ import annotations

import asyncio

import pytest

from chatloop.core.types import Context, Exchange
from chatloop.serve.memory import (
    MAX_CHARS,
    MAX_LINE_CHARS,
    MAX_LINES,
    Memory,
    context_of,
)
from tests.fakes import FixedClock


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(1000.0)


@pytest.fixture
def memory(clock: FixedClock) -> Memory:
    return Memory(max_sessions=3, idle_s=60.0, clock=clock)


def texts(memory: Memory, session: str) -> list[str]:
    return [line.content for line in memory.history(session)]


def test_a_turn_is_remembered_as_question_and_answer(memory):
    memory.keep("s", "why?", "because", unsure=False)
    memory.keep("s", "and then?", "nothing", unsure=False)
    assert memory.history("s") == (
        Exchange("user", "why?"),
        Exchange("assistant", "because"),
        Exchange("user", "and then?"),
        Exchange("assistant", "nothing"),
    )


def test_sessions_do_not_see_each_other(memory):
    memory.keep("a", "mine", "yours", unsure=True)
    assert memory.history("b") == ()
    assert memory.failures("b") == 0


def test_without_a_session_nothing_is_remembered(memory):
    memory.keep(None, "hello", "hi", unsure=True)
    memory.forget(None)
    assert (len(memory), memory.history(None), memory.failures(None)) == (0, (), 0)


@pytest.mark.parametrize(("prompt", "answer"), [(None, "a"), ("q", None), ("", "a"), (None, None)])
def test_a_turn_without_text_leaves_no_line_but_counts(memory, prompt, answer):
    memory.keep("s", prompt, answer, unsure=True)
    assert memory.history("s") == ()
    assert memory.failures("s") == 1


def test_failures_count_in_a_row_only(memory):
    seen = []
    for unsure in (True, True, False, True):
        memory.keep("s", "q", "a", unsure=unsure)
        seen.append(memory.failures("s"))
    assert seen == [1, 2, 0, 1]


def test_a_session_holds_the_newest_lines_only(memory):
    for number in range(30):
        memory.keep("s", f"q{number}", f"a{number}", unsure=False)
    kept = texts(memory, "s")
    assert len(kept) == MAX_LINES
    assert kept[0] == "q20"
    assert kept[-1] == "a29"


def test_a_session_holds_so_many_characters_only(memory):
    for number in range(9):
        memory.keep("s", f"{number}" * 500, "a" * 500, unsure=False)
    kept = texts(memory, "s")
    assert sum(map(len, kept)) == MAX_CHARS
    assert kept[0] == "5" * 500


def test_of_a_long_line_the_beginning_is_kept(memory):
    memory.keep("s", "begin" + "x" * 5000, "a", unsure=False)
    assert texts(memory, "s") == [("begin" + "x" * 5000)[:MAX_LINE_CHARS], "a"]


def test_an_idle_session_is_forgotten_and_a_lively_one_is_not(memory, clock):
    memory.keep("idle", "q", "a", unsure=True)
    memory.keep("lively", "q", "a", unsure=True)
    clock.now += 59
    memory.keep("lively", "q", "a", unsure=True)
    clock.now += 1
    assert texts(memory, "idle") == []
    assert memory.failures("idle") == 0
    assert memory.failures("lively") == 2
    assert len(memory) == 1


def test_any_call_drops_the_text_of_idle_sessions(memory, clock):
    memory.keep("idle", "a private matter", "a", unsure=False)
    clock.now += 60
    memory.failures("somebody else")
    assert "private" not in repr(vars(memory))


def test_the_least_recently_kept_session_makes_room(memory):
    for session in ("a", "b", "c"):
        memory.keep(session, "q", "a", unsure=False)
    memory.keep("a", "q", "a", unsure=False)
    memory.keep("d", "q", "a", unsure=False)
    assert [bool(texts(memory, s)) for s in "abcd"] == [True, False, True, True]


def test_reading_makes_no_session_and_keeps_none_alive(memory, clock):
    memory.history("never seen")
    memory.keep("s", "q", "a", unsure=False)
    clock.now += 30
    memory.history("s")
    clock.now += 30
    assert len(memory) == 0


def test_so_many_distinct_sessions_cost_no_more_than_the_bound():
    memory = Memory(max_sessions=100)
    for number in range(20_000):
        memory.keep(f"s{number}", "q", "a", unsure=False)
        assert len(memory._sessions) <= 100
    assert len(memory) == 100
    assert texts(memory, "s19999") == ["q", "a"]


def test_a_session_can_be_forgotten(memory):
    memory.keep("s", "q", "a", unsure=True)
    memory.forget("s")
    memory.forget("never seen")
    assert (len(memory), memory.failures("s")) == (0, 0)


async def test_turns_of_one_session_at_once_keep_their_pairs_whole(memory):
    async def turn(number: int) -> None:
        await asyncio.sleep(0)
        memory.keep("s", f"q{number}", f"a{number}", unsure=False)
        await asyncio.sleep(0)

    await asyncio.gather(*(turn(number) for number in range(8)))
    kept = texts(memory, "s")
    assert len(kept) == 16
    assert all(a[1:] == q[1:] for q, a in zip(kept[::2], kept[1::2], strict=True))


SENT = (Exchange("user", "sent"),)


def test_what_the_client_sent_wins(memory):
    memory.keep("s", "q", "a", unsure=False)
    assert context_of(memory, "s", SENT) == (SENT, Context.CLIENT)


def test_without_a_sent_history_the_session_is_remembered(memory):
    memory.keep("s", "q", "a", unsure=False)
    lines, context = context_of(memory, "s", ())
    assert [line.content for line in lines] == ["q", "a"]
    assert context is Context.SESSION


def test_without_either_there_is_no_context(memory):
    assert context_of(memory, "new", ()) == ((), Context.NONE)
    assert context_of(memory, None, ()) == ((), Context.NONE)
    assert context_of(None, "s", ()) == ((), Context.NONE)
