"""The rules of tickets in the store, on SQLite; on PostgreSQL too when TEST_DATABASE_URL names one.

They come in by `open`, are sent by one worker at a time, and outlive the process.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatloop.core.errors import StoreError
from chatloop.core.types import Exchange
from chatloop.loop.store import Store, Ticket, TicketState
from chatloop.loop.store import tickets as module
from chatloop.loop.store.tickets import JOIN_S, MAX_LINES, TICKETS, Tickets, joined
from tests.fakes import NOW

POSTGRES_URL = os.environ.get("TEST_DATABASE_URL")


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'data' / 'chatloop.db'}"


@pytest.fixture(params=["sqlite", "postgresql"] if POSTGRES_URL else ["sqlite"])
def tickets(request, tmp_path: Path) -> Iterator[Tickets]:
    on_server = request.param == "postgresql"
    store = Store(str(POSTGRES_URL) if on_server else sqlite_url(tmp_path))
    yield store.tickets
    if on_server:
        with store._database.transaction() as connection:
            connection.execute(TICKETS.delete())
    store.close()


def lines(*texts: str) -> tuple[Exchange, ...]:
    return tuple(
        Exchange(("user", "assistant")[number % 2], text) for number, text in enumerate(texts)
    )


def ticket(name: str, **changed) -> Ticket:
    at = changed.pop("at", NOW)
    values = {
        "ticket_id": f"T-{name}",
        "reason": "asked_for_person",
        "created_at": at,
        "updated_at": at,
        "turn_id": f"turn {name}",
        "user": None,
        "session": "s1",
        "transcript": lines(f"question {name}", f"answer {name}"),
        "next_try_at": at,
    }
    return Ticket(**(values | changed))


def test_a_ticket_comes_back_as_it_went_in(tickets):
    full = ticket("1", user="u", transcript=lines("ä 密码 'quoted'", "b"), next_try_at=None)
    assert tickets.open(full) == full
    assert tickets.find("T-1") == full
    assert tickets.find("T-2") is None


def test_a_session_has_one_open_ticket_an_hour_and_its_words_are_added(tickets):
    tickets.open(ticket("1"))
    again = tickets.open(ticket("2", at=NOW + JOIN_S - 1))
    assert (again.ticket_id, again.turn_id, again.created_at) == ("T-1", "turn 1", NOW)
    said = ("question 1", "answer 1", "question 2", "answer 2")
    assert again.transcript == lines(*said)
    assert tickets.newest() == [again]
    later = tickets.open(ticket("3", at=NOW + JOIN_S))
    assert later.ticket_id == "T-3"
    assert len(tickets.newest()) == 2


def test_other_sessions_have_tickets_of_their_own(tickets):
    tickets.open(ticket("1"))
    assert tickets.open(ticket("2", session="s2")).ticket_id == "T-2"


def test_without_a_session_the_user_counts_and_without_both_nobody_joins(tickets):
    tickets.open(ticket("1", session=None, user="u"))
    assert tickets.open(ticket("2", session=None, user="u")).ticket_id == "T-1"
    for name in ("3", "4"):
        assert tickets.open(ticket(name, session=None)).ticket_id == f"T-{name}"


def test_a_closed_ticket_is_not_joined_nor_sent(tickets):
    tickets.open(ticket("1"))
    assert tickets.close("T-1")
    assert not tickets.close("T-9")
    assert tickets.open(ticket("2")).ticket_id == "T-2"
    assert [t.state for t in tickets.newest()] == [TicketState.OPEN, TicketState.CLOSED]
    assert [t.ticket_id for t in tickets.newest([TicketState.CLOSED])] == ["T-1"]
    assert tickets.claim(NOW, 30).ticket_id == "T-2"


def test_joining_does_not_disturb_the_sending(tickets):
    tickets.open(ticket("1"))
    claimed = tickets.claim(NOW, 30)
    again = tickets.open(ticket("2"))
    assert (again.attempts, again.next_try_at) == (1, claimed.next_try_at)
    tickets.settle("T-1", None, None)
    assert tickets.open(ticket("3")).state is TicketState.SENT


def test_lines_that_both_hold_are_kept_once():
    first = lines("a", "b", "c", "d")
    assert joined(first, lines("c", "d", "e", "f")) == lines("a", "b", "c", "d", "e", "f")
    assert joined(first, first) == first
    assert joined((), first) == first
    assert joined(first, lines("x", "y")) == lines("a", "b", "c", "d", "x", "y")


def test_a_transcript_is_bounded_and_the_newest_stays(tickets):
    for number in range(MAX_LINES):
        kept = tickets.open(ticket(str(number)))
    assert len(kept.transcript) == MAX_LINES
    assert kept.transcript[-1].content == f"answer {MAX_LINES - 1}"


def test_too_many_new_tickets_within_an_hour_are_refused(tickets, monkeypatch):
    monkeypatch.setattr(module, "MAX_AN_HOUR", 3)
    for number in range(3):
        tickets.open(ticket(str(number), session=None))
    with pytest.raises(StoreError, match="no more than 3"):
        tickets.open(ticket("4", session=None))
    assert tickets.open(ticket("5", session=None, at=NOW + JOIN_S)).ticket_id == "T-5"


def test_a_claimed_ticket_is_due_again_only_after_its_lease(tickets):
    tickets.open(ticket("1"))
    assert tickets.claim(NOW - 1, 30) is None
    assert tickets.claim(NOW, 30).attempts == 1
    assert tickets.claim(NOW + 29, 30) is None
    assert tickets.claim(NOW + 30, 30).attempts == 2


def test_a_try_that_failed_is_due_when_it_says_and_one_that_gave_up_never(tickets):
    tickets.open(ticket("1"))
    tickets.claim(NOW, 30)
    tickets.settle("T-1", "status 500", NOW + 5)
    assert tickets.claim(NOW + 4, 30) is None
    assert tickets.claim(NOW + 5, 30).problem == "status 500"
    assert tickets.waiting() == 1
    tickets.settle("T-1", "status 500", None)
    assert tickets.claim(NOW + 99, 30) is None
    assert tickets.find("T-1").state is TicketState.OPEN
    assert tickets.waiting() == 0


def test_a_sent_ticket_is_sent_once(tickets):
    tickets.open(ticket("1"))
    tickets.claim(NOW, 30)
    tickets.settle("T-1", None, None)
    assert tickets.find("T-1").state is TicketState.SENT
    assert tickets.claim(NOW + 99, 30) is None


def test_a_ticket_that_was_closed_while_it_was_sent_stays_closed(tickets):
    tickets.open(ticket("1"))
    tickets.claim(NOW, 30)
    tickets.close("T-1")
    tickets.settle("T-1", "status 500", NOW)
    assert tickets.find("T-1").state is TicketState.CLOSED
    assert tickets.claim(NOW, 30) is None


def test_a_ticket_that_nobody_is_to_send_is_never_claimed(tickets):
    tickets.open(ticket("1", next_try_at=None))
    assert tickets.claim(NOW, 30) is None
    assert tickets.waiting() == 0


def at_once(*work) -> list:
    """Run each of `work` in a thread of its own, all at the same moment; return what they gave."""
    gate, results = threading.Barrier(len(work)), []

    def run(one) -> None:
        gate.wait(10)
        results.append(one())

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def test_of_many_workers_one_gets_each_ticket(tmp_path):
    stores = [Store(sqlite_url(tmp_path)) for _ in range(6)]
    for number in range(3):
        stores[0].tickets.open(ticket(str(number), session=None))
    got = at_once(*(lambda s=s: [s.tickets.claim(NOW, 30) for _ in range(3)] for s in stores))
    claimed = sorted(t.ticket_id for found in got for t in found if t)
    assert claimed == ["T-0", "T-1", "T-2"]
    for store in stores:
        store.close()


def test_many_workers_open_one_ticket_for_a_session_and_lose_no_line(tmp_path):
    stores = [Store(sqlite_url(tmp_path)) for _ in range(6)]
    stores[0].tickets.newest()
    work = [lambda s=s, n=n: s.tickets.open(ticket(str(n))) for n, s in enumerate(stores)]
    assert len({t.ticket_id for t in at_once(*work)}) == 1
    (kept,) = stores[0].tickets.newest()
    assert {line.content for line in kept.transcript} == {
        f"{who} {n}" for who in ("question", "answer") for n in range(6)
    }
    for store in stores:
        store.close()


def test_a_store_from_before_tickets_gets_their_table(tmp_path):
    store = Store(sqlite_url(tmp_path))
    store.counts()
    store.close()
    with sqlite3.connect(tmp_path / "data" / "chatloop.db") as connection:
        connection.execute("DROP TABLE tickets")
    store = Store(sqlite_url(tmp_path))
    assert store.tickets.open(ticket("1")).ticket_id == "T-1"
    store.close()
