from __future__ import annotations

import asyncio
import random

import pytest

from chatloop.core.errors import BackendError, BackendFault
from chatloop.turn.answer.llm.slots import Slots
from tests.turn.answer.llm.asking import until


async def hold(slots, release, order=None, label=None):
    async with slots.take():
        if order is not None:
            order.append(label)
        await release.wait()


async def test_no_more_than_in_flight_hold_a_slot_and_the_rest_come_in_order():
    slots, release, order = Slots(2, 10, 5.0), asyncio.Event(), []
    tasks = []
    for label in range(6):
        tasks.append(asyncio.create_task(hold(slots, release, order, label)))
        await asyncio.sleep(0)
    assert (order, slots.in_flight, slots.waiting) == ([0, 1], 2, 4)
    release.set()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4, 5]
    assert (slots.in_flight, slots.waiting) == (0, 0)


async def test_a_full_queue_is_busy_at_once():
    slots, release = Slots(1, 1, 60.0), asyncio.Event()
    tasks = [asyncio.create_task(hold(slots, release)) for _ in range(2)]
    await until(lambda: slots.waiting == 1)
    with pytest.raises(BackendError) as caught:
        async with asyncio.timeout(5), slots.take():
            pass
    assert caught.value.fault is BackendFault.BUSY
    release.set()
    await asyncio.gather(*tasks)


async def test_whoever_waits_too_long_is_told_busy_and_leaves_the_queue():
    slots, release = Slots(1, 5, 0.05), asyncio.Event()
    task = asyncio.create_task(hold(slots, release))
    await until(lambda: slots.in_flight == 1)
    with pytest.raises(BackendError) as caught:
        async with slots.take():
            pass
    assert caught.value.fault is BackendFault.BUSY
    assert slots.waiting == 0
    release.set()
    await task


async def test_abandon_sends_all_who_wait_away_and_leaves_the_holder_alone():
    slots, release = Slots(1, 5, 60.0), asyncio.Event()
    holder = asyncio.create_task(hold(slots, release))
    await until(lambda: slots.in_flight == 1)
    waiters = [asyncio.create_task(hold(slots, release)) for _ in range(3)]
    await until(lambda: slots.waiting == 3)
    slots.abandon()
    faults = await asyncio.gather(*waiters, return_exceptions=True)
    assert [f.fault for f in faults] == [BackendFault.BREAKER_OPEN] * 3
    assert not holder.done()
    release.set()
    await holder
    assert slots.in_flight == 0


async def test_a_slot_handed_to_someone_who_leaves_in_that_moment_is_passed_on():
    slots, release = Slots(1, 5, 60.0), asyncio.Event()
    holder = asyncio.create_task(hold(slots, release))
    await until(lambda: slots.in_flight == 1)
    leaver = asyncio.create_task(hold(slots, asyncio.Event()))
    await until(lambda: slots.waiting == 1)
    slots._leave()  # hands the slot to the leaver, who has not run yet
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)
    assert slots.in_flight == 0
    slots._taken, slots._free = 1, 0  # the holder's own leaving is still to come
    release.set()
    await holder
    assert slots.in_flight == 0


async def test_the_slot_comes_back_after_an_error():
    slots = Slots(1, 0, 1.0)
    with pytest.raises(ZeroDivisionError):
        async with slots.take():
            raise ZeroDivisionError
    async with slots.take():
        assert slots.in_flight == 1


async def test_under_random_cancels_no_slot_is_lost_and_the_bound_holds():
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = random.Random(seed)
    slots, most = Slots(3, 50, 0.02), 0

    async def customer():
        nonlocal most
        async with slots.take():
            most = max(most, slots.in_flight)
            await asyncio.sleep(rng.random() * 0.01)

    tasks = []
    for _ in range(400):
        tasks.append(asyncio.create_task(customer()))
        if rng.random() < 0.3:
            rng.choice(tasks).cancel()
        if rng.random() < 0.02:
            slots.abandon()
        await asyncio.sleep(rng.random() * 0.002)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert most == 3
    assert (slots.in_flight, slots.waiting) == (0, 0)
