"""What is due is sent once, tried again with patience, and outlives worker and process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chatloop.core.errors import StoreError
from chatloop.core.types import Exchange
from chatloop.loop.store import Store, Ticket, TicketState
from chatloop.serve.api.state import Door
from chatloop.serve.tickets.deliveries import DELAYS_S, LEASE_S, Deliveries
from chatloop.serve.tickets.webhook import TIMEOUT_S, Webhook
from tests.fakes import NOW, FixedClock
from tests.serve.tickets.help_desk import SECRET, HelpDesk, help_desk


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'data' / 'chatloop.db'}")
    yield store
    store.close()


def open_ticket(store: Store, name: str = "1", at: float = NOW) -> None:
    said = (Exchange("user", "help"), Exchange("assistant", "A person will."))
    store.tickets.open(
        Ticket(
            ticket_id=f"T-{name}",
            reason="policy",
            created_at=at,
            updated_at=at,
            turn_id="t",
            user=None,
            session=None,
            transcript=said,
            next_try_at=at,
        )
    )


@asynccontextmanager
async def worker(store: Store, desk: HelpDesk, clock: FixedClock) -> AsyncIterator[Deliveries]:
    """One worker's deliveries, with a door of its own."""
    door = Door("tickets")
    deliveries = Deliveries(store.tickets, Webhook(desk.url, SECRET), door, clock=clock)
    try:
        yield deliveries
    finally:
        await deliveries.aclose()
        door.close()


async def until(condition, limit_s: float = 20.0) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - the condition belongs to threads as well
            await asyncio.sleep(0.01)


async def test_a_ticket_is_sent_once(store):
    open_ticket(store)
    with help_desk() as desk:
        async with worker(store, desk, FixedClock()) as deliveries:
            assert await deliveries.send_one()
            assert not await deliveries.send_one()
            assert (deliveries.counts.sent, deliveries.counts.failed) == (1, 0)
    assert [post.json["ticket"] for post in desk.posts] == ["T-1"]
    assert store.tickets.find("T-1").state is TicketState.SENT


async def test_after_a_500_it_is_tried_again_no_sooner_than_said(store):
    open_ticket(store)
    clock = FixedClock()
    with help_desk(500, 500) as desk:
        async with worker(store, desk, clock) as deliveries:
            await deliveries.send_one()
            assert store.tickets.find("T-1").problem == "status 500"
            clock.now += DELAYS_S[0] - 0.001
            assert not await deliveries.send_one()
            clock.now += 0.001
            assert await deliveries.send_one()
            clock.now += DELAYS_S[1]
            assert await deliveries.send_one()
            assert (deliveries.counts.sent, deliveries.counts.failed) == (1, 2)
            assert deliveries.counts.problem is None
    assert len({post.headers["idempotency-key"] for post in desk.posts}) == 1
    assert len(desk.posts) == 3
    assert store.tickets.find("T-1").problem is None


async def test_it_is_given_up_after_eight_tries_within_a_day(store):
    open_ticket(store)
    clock = FixedClock()
    with help_desk(*[500] * 9) as desk:
        async with worker(store, desk, clock) as deliveries:
            for delay_s in (0.0, *DELAYS_S):
                clock.now += delay_s
                assert await deliveries.send_one()
            assert clock.now - NOW <= 24 * 3600
            clock.now += 7 * 24 * 3600
            assert not await deliveries.send_one()
            assert (deliveries.counts.failed, deliveries.counts.given_up) == (8, 1)
    assert len(desk.posts) == 8
    ticket = store.tickets.find("T-1")
    assert (ticket.state, ticket.attempts, ticket.problem) == ("open", 8, "status 500")


async def test_two_workers_never_send_the_same_ticket(store, tmp_path):
    for number in range(10):
        open_ticket(store, str(number))
    other = Store(f"sqlite:///{tmp_path / 'data' / 'chatloop.db'}")
    clock = FixedClock()
    with help_desk() as desk:
        async with worker(store, desk, clock) as one, worker(other, desk, clock) as two:
            loops = [asyncio.create_task(d.run()) for d in (one, two)]
            await until(lambda: one.counts.sent + two.counts.sent == 10)
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
    other.close()
    assert sorted(post.json["ticket"] for post in desk.posts) == [f"T-{n}" for n in range(10)]


async def test_what_a_worker_was_sending_when_it_died_is_sent_by_the_next_one(store):
    open_ticket(store)
    clock = FixedClock()
    assert store.tickets.claim(clock.now, LEASE_S) is not None  # and then its process was killed
    with help_desk() as desk:
        async with worker(store, desk, clock) as deliveries:
            assert not await deliveries.send_one()
            clock.now += LEASE_S
            assert await deliveries.send_one()
    assert len(desk.posts) == 1
    assert store.tickets.find("T-1").attempts == 2


def test_a_worker_has_a_ticket_to_itself_for_longer_than_a_try_takes():
    assert LEASE_S >= 2 * TIMEOUT_S


async def test_a_new_ticket_wakes_the_worker_and_the_waiting_are_counted(store):
    clock = FixedClock()
    with help_desk(500) as desk:
        async with worker(store, desk, clock) as deliveries:
            loop = asyncio.create_task(deliveries.run())
            open_ticket(store)
            deliveries.wake()
            await until(lambda: deliveries.counts.waiting == 1)
            assert deliveries.counts.problem == "status 500"
            clock.now += DELAYS_S[0]
            deliveries.wake()
            await until(lambda: deliveries.counts.sent == 1 and deliveries.counts.waiting == 0)
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)


async def test_a_store_that_is_away_for_a_while_ends_nothing(store, monkeypatch, caplog):
    claim, calls = store.tickets.claim, []

    def failing_once(*args):
        calls.append(args)
        if len(calls) == 1:
            raise StoreError("away")
        return claim(*args)

    monkeypatch.setattr(store.tickets, "claim", failing_once)
    open_ticket(store)
    with help_desk() as desk:
        async with worker(store, desk, FixedClock()) as deliveries:
            loop = asyncio.create_task(deliveries.run())
            await until(lambda: calls)
            deliveries.wake()
            await until(lambda: deliveries.counts.sent == 1)
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)
    assert "StoreError" in caplog.text


async def test_a_try_that_fails_is_logged_by_id_only(store, caplog):
    open_ticket(store)
    with help_desk(500) as desk:
        async with worker(store, desk, FixedClock()) as deliveries:
            await deliveries.send_one()
    assert "T-1" in caplog.text
    assert "help" not in caplog.text
    assert desk.url not in caplog.text
